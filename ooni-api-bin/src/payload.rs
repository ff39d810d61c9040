//! [`Payload`]: a decoded request body, in memory or in a temporary file.

use bytes::Bytes;
use std::fs::File;

/// The bytes of a submission after content decoding. Large ones are in a file, so that memory stays bounded.
#[derive(Debug)]
pub enum Payload {
    /// A small body.
    Memory(Bytes),
    /// A large body, in a temporary file that has no name.
    File {
        /// The file; its position is not used.
        file: File,
        /// Its length in bytes.
        length: u64,
    },
}

impl Payload {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Payload::Memory(bytes) => bytes.len() as u64,
            Payload::File { length, .. } => *length,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
