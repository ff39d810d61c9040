//! Comparisons: of rows from two places ([`rows`]), and of what two sets of rules make of measurements ([`rules`]).
//!
//! Nothing is held in memory but a few examples: rows are sorted on disk. What is printed is decided in
//! [`command::compare`](crate::command).

pub mod input;
pub mod record;
pub mod report;
pub mod rows;
pub mod rules;
mod sort;
