//! Domains as parameters.
