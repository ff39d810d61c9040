//! OONI's archive: where its bytes are, and how they are read and written.
//!
//! [`day`], [`selection`] and [`layout`] describe the content of the archive; [`can`] turns the bytes of files into
//! [`chunk`]s of entries; [`blobs`] is for folders and object storage; [`source`] finds the files to read; [`body`] reads
//! one measurement by its location; [`writer`] writes and stores cans. Futures run on the caller's runtime; [`blocking`] has
//! one of its own. [`fingerprints`] loads the lists that scoring needs.
//!
//! Scoring rules, SQL and the command line are not here. A module imports only from those before it in this file.
#![forbid(unsafe_code)]

// Content and layout.
pub mod day;
pub mod selection;

pub mod layout;

// From bytes to entries.
pub mod limits;

pub mod side;

pub mod chunk;

pub mod can;

// From storage to files.
pub mod blobs;

pub mod download;

pub mod source;

pub mod body;

// From cans to storage.
pub mod writer;

// The built-in lists, and those of a folder.
pub mod fingerprints;

// For callers without a runtime.
pub mod blocking;

pub use self::day::{Day, DayRange};
pub use self::selection::Selection;
