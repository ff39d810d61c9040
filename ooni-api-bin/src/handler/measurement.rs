//! Measurements: lists, counts, metadata, bodies, explanations (API spec §4).

pub mod aggregation;
pub mod by_uid;
pub mod explanation;
pub mod files;
pub mod fingerprints;
pub mod list;
pub mod lookup;
pub mod meta;
pub mod observations;
pub mod raw;
pub mod torsf_stats;
