//! Legacy reports (formats spec §11): not yet read.

use crate::error::{Code, Error};
use crate::json::Limits;

/// What is at the beginning of some bytes.
pub enum Framed {
    /// An entry of this many bytes.
    Entry(usize),
    /// Bytes to pass by.
    Skip(usize),
    /// More bytes are needed.
    More,
    /// Nothing that can be read.
    Broken,
}

/// Finds the first entry.
pub fn frame(_bytes: &[u8], _from: usize) -> Framed {
    Framed::Broken
}

/// Why an entry is not read.
#[derive(Debug)]
pub enum EntryError {
    /// It alone is lost.
    Skip(Error),
    /// The reference gives up the can.
    Abort(Error),
}

/// A report.
#[derive(Debug)]
pub struct Report {}

impl Report {
    /// A report of a can.
    pub fn new(_bucket_date: &str, _report_filename: &str, _limits: Limits) -> Report {
        Report {}
    }

    /// Reads the header.
    ///
    /// # Errors
    /// Always.
    pub fn header(&mut self, _framed: &[u8]) -> Result<(), Error> {
        Err(Error::new(Code::Can, "", "YAML reports are not yet read"))
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// Always.
    pub fn entry(&mut self, _framed: &[u8], _out: &mut Vec<u8>) -> Result<Option<String>, EntryError> {
        Err(EntryError::Skip(Error::new(Code::Can, "", "YAML reports are not yet read")))
    }
}
