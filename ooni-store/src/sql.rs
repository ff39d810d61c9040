//! Statements that all engines share, in the dialect of each.
//!
//! The statements that write, and those on an engine's own tables, are in the folder of the engine.

pub(crate) mod app;
mod builder;
mod charts;
mod counts;
mod dialect;
mod locations;
mod log;
mod measurements;
mod rows;
mod runtimes;
mod statement;

pub(crate) use self::dialect::Dialect;

pub(crate) use self::charts::{DAY, ListedDomain, Rank, dated, domain_counts, listed_domain, ranked};
pub(crate) use self::counts::{
    OF_LISTS, add_cell, add_cells, aggregation, aggregation_by_part, cells, cells_by_day, count, count_changed,
    delete_empty_cell, delete_empty_cells, differences, distinct, listed_count, listed_counts, span, state,
    subtract_window,
};
pub(crate) use self::locations::{
    LOCATION, LOCATION_TYPES, archived, body_locations, located, location, unarchived, values as location_values,
};
pub(crate) use self::log::LOG_STATE;
pub(crate) use self::measurements::{
    UID, measurement, measurements, refusal, refusals, rejection, rejections, removal, removals, uid_tables,
};
pub(crate) use self::rows::{
    TABLES, categories, inputs, jsonl_page, list, listed, listed_url, page, report, slice, start, start_in_report,
    test_lists, uid,
};

pub(crate) use self::runtimes::{runtimes, runtimes_of};
pub(crate) use self::statement::{Parameter, Statement, ping};
