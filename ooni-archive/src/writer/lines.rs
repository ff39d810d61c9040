//! [`LinesWriter`]: measurements as lines (formats spec §5.3), in gzip members that can be read on their own.

use super::gzip::Gzip;
use crate::body::LineMember;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

/// Decompressed size at which a gzip member ends, after the line that reaches it.
pub const MEMBER_SIZE: u64 = 1 << 20;

/// Size of the pieces in which a line is read.
const PIECE: usize = 64 << 10;

/// The line of a POST body that is not archived as a line.
const PLACEHOLDER: &[u8] = b"{}";

/// Writes a file of lines. After an error the file is incomplete, and all further calls fail.
pub struct LinesWriter {
    gzip: Gzip,
    piece: Box<[u8]>,
    /// Where the current member begins.
    offset: u64,
    /// Lines and decompressed bytes of the current member.
    lines: u64,
    size: u64,
    /// The members of the lines before the current one.
    members: Vec<LineMember>,
}

/// A file of lines that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenLines {
    /// Bytes of the file.
    pub size: u64,
    /// For each line, placeholders included, where it is in the file.
    pub members: Vec<LineMember>,
}

impl LinesWriter {
    /// Writes to a file.
    pub fn new(out: Box<dyn Write + Send>) -> LinesWriter {
        let piece = vec![0; PIECE].into_boxed_slice();
        LinesWriter { gzip: Gzip::new(out), piece, offset: 0, lines: 0, size: 0, members: Vec::new() }
    }

    /// Adds a line: the text of a measurement, in which CR and LF become spaces, without keeping it in memory.
    ///
    /// In valid JSON they are only between tokens. Text that is not valid has to be replaced by a
    /// [placeholder](LinesWriter::append_placeholder).
    ///
    /// # Errors
    /// The text is empty or cannot be read, or the file cannot be written.
    pub fn append(&mut self, text: &mut dyn Read) -> io::Result<()> {
        let before = self.size;
        let result = self.text(text);
        if result.is_ok() && self.size == before {
            return Err(io::Error::new(ErrorKind::InvalidInput, "an empty text cannot be a line"));
        }
        result.and_then(|()| self.end_line()).inspect_err(|_| self.gzip.give_up())
    }

    /// Adds the line `{}`, so that further lines keep their numbers.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append_placeholder(&mut self) -> io::Result<()> {
        self.append(&mut { PLACEHOLDER })
    }

    fn text(&mut self, text: &mut dyn Read) -> io::Result<()> {
        loop {
            let length = match text.read(&mut self.piece) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let piece = &mut self.piece[..length];
            piece.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
            self.gzip.write_all(piece)?;
            self.size += length as u64;
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.gzip.write_all(b"\n")?;
        self.size += 1;
        self.lines += 1;
        if self.size < MEMBER_SIZE {
            return Ok(());
        }
        let end = self.gzip.end_member()?;
        self.end_member(end);
        Ok(())
    }

    /// Records the lines of the current member, which ends at this offset.
    fn end_member(&mut self, end: u64) {
        let (offset, length) = (self.offset, end - self.offset);
        self.members.extend((0..self.lines).map(|line| LineMember { offset, length, line }));
        (self.offset, self.lines, self.size) = (end, 0, 0);
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.members.len() as u64 + self.lines
    }

    /// Bytes written to the file so far. Up to some ten thousand more are held back by the compressor.
    pub fn compressed_size(&self) -> u64 {
        self.gzip.written()
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The file cannot be written, or an earlier call failed.
    pub fn finish(mut self) -> io::Result<WrittenLines> {
        if self.lines > 0 {
            let end = self.gzip.end_member()?;
            self.end_member(end);
        }
        Ok(WrittenLines { size: self.gzip.finish()?, members: self.members })
    }
}

impl fmt::Debug for LinesWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinesWriter").field("lines", &self.lines()).finish_non_exhaustive()
    }
}
