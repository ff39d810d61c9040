//! Compares rows from two inputs ([`rows`]), and two sets of rules on the same measurements ([`rules`]).
//!
//! Rows are sorted on disk; only a few examples are kept in memory. The output is written by
//! [`command::compare`](crate::command).

pub mod comparison;
pub mod input;
pub mod record;
pub mod rows;
pub mod rules;
mod sort;
