//! OONI's archive: where its bytes are, and how they are read.
//!
//! [`day`], [`layout`] and [`selection`] say what the archive holds and where; [`blobs`] reads directories and object
//! storage; [`source`] finds the files to read, [`can`] takes them apart into a [`chunk`] of entries.
//!
//! Scoring rules, SQL and the command line are not here.
#![forbid(unsafe_code)]

// What there is, and where.
pub mod day;
pub mod layout;
pub mod selection;

// From storage to files.
pub mod blobs;
pub mod source;

// From files to entries.
pub mod can;
pub mod chunk;
pub mod limits;

pub use self::day::{Day, DayRange};
pub use self::selection::Selection;
