//! The same answers from every engine.
