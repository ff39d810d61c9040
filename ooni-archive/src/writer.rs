//! Writes cans and stores them in the archive, for a collector.
//!
//! [`PostcanWriter`] and [`LinesWriter`] write the formats of the archive (formats spec §5 and §6) to local files. The same
//! input gives the same bytes, on every machine, as long as the version of the compressor stays the same. [`ArchiveWriter`]
//! stores files in a folder or bucket and reads them back.

mod archive;
mod gzip;
mod lines;
mod postcan;
mod tar;

pub use self::archive::{ArchiveWriter, Boxed, WriteError};
pub use self::lines::{LinesWriter, MEMBER_SIZE, WrittenLines};
pub use self::postcan::{POSTCAN_SIZE, Post, PostcanWriter};
pub use crate::blobs::Stored;
