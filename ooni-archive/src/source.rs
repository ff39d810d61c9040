//! From places with measurements to [`InputFile`]s: files of the local disk, and the cans of the archive in folders and
//! buckets.
//!
//! Order of the modules: `input_file`, [`local`], [`archive`], `cache`, [`prefetch`].

pub mod archive;
mod cache;
mod input_file;
pub mod local;
pub mod prefetch;

pub use self::input_file::{Fallback, InArchive, InputFile, InputFiles, Opened, Origin, Source, Twin};
