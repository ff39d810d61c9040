//! [`Document`]: a file that is one measurement or POST body.

use super::chunk_reader::{ChunkReader, Refill};
use super::format::is_lines;
use super::input::InputError;
use super::lines::Lines;
use crate::chunk::{Chunk, Kind, Position, ReadStatus};
use ooni_core::error::{Code, Error};

/// A file of one document.
#[derive(Debug)]
pub struct Document {
    reader: ChunkReader,
    limit: usize,
    /// Offset of the document in the file.
    offset: u64,
    first_line: FirstLine,
}

/// What is known of the first line. If it is a complete object followed by another one, the file is JSONL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstLine {
    /// It does not end in the bytes so far; their number.
    Open(usize),
    /// It ends here.
    Ends(usize),
    /// It is not the first of several.
    Settled,
}

impl Document {
    /// A document of at most `limit` bytes that begins at a byte of the file.
    pub(super) fn new(reader: ChunkReader, limit: usize, offset: u64, may_be_lines: bool) -> Document {
        let first_line = if may_be_lines { FirstLine::Open(0) } else { FirstLine::Settled };
        Document { reader, limit, offset, first_line }
    }

    /// Reads the document; `None` if the file turns out to be JSONL.
    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> Option<ReadStatus> {
        let mut start = self.reader.resume(chunk);
        let whole = Position { offset: Some(self.offset), ..Position::default() };
        loop {
            if self.is_lines(chunk.pending(start)) {
                self.reader.keep_rest(chunk, start);
                return None;
            }
            match self.reader.refill(chunk, &mut start) {
                Refill::Text if chunk.filled() - start > self.limit && !self.is_lines(chunk.pending(start)) => {
                    chunk.truncate(start);
                    let error = format!("a file beyond the limit of {} bytes", self.limit);
                    chunk.push_error(Kind::Document, whole, Error::new(Code::Limit, "", error));
                    return Some(ReadStatus::End);
                }
                Refill::Text => {}
                Refill::Full => return Some(ReadStatus::More),
                Refill::End => {
                    chunk.push(Kind::Document, whole, start..chunk.filled());
                    return Some(ReadStatus::End);
                }
                Refill::Failed(InputError { offset, error }) => {
                    chunk.truncate(start);
                    chunk.push_error(Kind::Whole, Position { offset: Some(offset), ..whole }, error);
                    return Some(ReadStatus::End);
                }
            }
        }
    }

    /// Whether the text so far is several lines, each of them an object.
    fn is_lines(&mut self, text: &[u8]) -> bool {
        // Independent of the number of bytes that a read returns.
        let text = &text[..text.len().min(self.limit)];
        if let FirstLine::Open(searched) = self.first_line {
            self.first_line = match memchr::memchr(b'\n', text.get(searched..).unwrap_or_default()) {
                Some(length) => FirstLine::Ends(searched + length),
                None => FirstLine::Open(text.len()),
            };
        }
        let FirstLine::Ends(end) = self.first_line else { return false };
        match is_lines(text, end) {
            Some(false) => {
                self.first_line = FirstLine::Settled;
                false
            }
            is_lines => is_lines == Some(true),
        }
    }

    /// Reads the file as JSONL instead.
    pub(super) fn into_lines(self) -> Lines {
        Lines::new(self.reader, self.limit, Kind::Line, self.offset)
    }
}
