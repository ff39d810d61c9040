//! Comparisons: of rows from two inputs ([`rows`]), and of two sets of rules on the same measurements ([`rules`]).
//!
//! Only a few examples are held in memory: rows are sorted on disk. What is printed is decided in
//! [`command::compare`](crate::command).

pub mod input;
pub mod record;
pub mod report;
pub mod rows;
pub mod rules;
mod sort;
