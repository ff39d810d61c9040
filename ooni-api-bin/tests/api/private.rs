//! Explorer's routes.
