//! Queries of a store: filters, lists, aggregations, and which rollup answers an aggregation.

pub mod aggregate;
pub mod filter;
pub mod grain;
pub mod list;
pub mod planner;
