//! Containers: from the bytes of a file to its entries. One file per format.
//!
//! The format is detected from the first bytes ([`format`](mod@format)). A [`Can`] fills [`Chunk`]s. An error in an entry
//! affects only that entry; an error of the file ends it, after the entries before the error.
//!
//! Order of the modules: `raw`, `tar`, `tar_files`, `format`, `gzip` and `lz4`, `input`, `chunk_reader`, the readers, this file.

pub mod cases;
mod chunk_reader;
mod document;
pub mod format;
mod gzip;
pub mod input;
mod lines;
mod lz4;
mod members;
mod name;
mod post_reader;
mod postcan;
mod raw;
mod reports;
mod tar;
mod tar_files;
mod yaml;

pub use self::document::Document;
pub use self::format::{Compression, Expected, Format, Recognition};
pub use self::lines::Lines;
pub use self::name::CanName;
pub(crate) use self::post_reader::PostReader;
pub use self::postcan::Postcan;
pub use self::reports::Reports;
pub use self::tar_files::{TarFile, tar_gz_files};
pub use self::yaml::Yaml;

use self::chunk_reader::ChunkReader;
use self::format::{Verdict, decide, without_bom};
use self::input::Input;
use crate::chunk::{Chunk, Kind, Position, ReadStatus};
use crate::limits::Limits;
use ooni_core::error::{Code, Error};
use std::io::Read;

/// A file that is being read.
#[derive(Debug)]
pub struct Can {
    reader: Reader,
    recognition: Recognition,
}

#[derive(Debug)]
enum Reader {
    Lines(Lines),
    Document(Document),
    Postcan(Box<Postcan>),
    Reports(Box<Reports>),
    Yaml(Yaml),
    /// A file that cannot be read: the error and its offset, until it was reported. `None` also if there is nothing to read.
    Refused(Option<(Error, Option<u64>)>),
}

impl Can {
    /// A can that cannot be read.
    pub fn refused(why: Error) -> Can {
        Can { reader: Reader::Refused(Some((why, None))), recognition: Recognition::Unrecognized }
    }

    /// Opens a can and reads its first bytes. An error becomes an entry of the can.
    pub fn open(expected: Expected, bytes: Box<dyn Read + Send>, name: &CanName, limits: &Limits) -> Can {
        if expected.format() == Some(Format::Index) {
            return Can { reader: Reader::Refused(None), recognition: Recognition::Recognized };
        }
        let (mut input, compression) =
            Input::detected(bytes, expected.compression(), limits.ratio, limits.ratio_free());
        let mut is_all = false;
        let verdict = loop {
            match decide(input.peek(), is_all, expected, compression) {
                Some(verdict) => break verdict,
                None if is_all => break Verdict::Empty(expected.format().unwrap_or(Format::Lines)),
                None => is_all = !input.peek_more(),
            }
        };
        let (mut format, mut recognition) = match verdict {
            Verdict::Is(format) => (format, Recognition::Recognized),
            Verdict::Empty(format) => (format, Recognition::Empty),
            Verdict::Perhaps(format) => (format, Recognition::Unrecognized),
            Verdict::Unknown(why) => match expected {
                Expected::Exactly(format) => (format, Recognition::Unrecognized),
                _ => {
                    let reader = Reader::Refused(Some((Error::new(Code::Can, "", why), Some(0))));
                    return Can { reader, recognition: Recognition::Unrecognized };
                }
            },
        };
        if let Expected::Exactly(exact) = expected {
            format = exact;
        }
        if input.failed_at_once() {
            recognition = Recognition::Unrecognized;
        }
        Can { reader: Reader::new(format, expected, input, name, limits), recognition }
    }

    /// What the first bytes say.
    pub fn recognition(&self) -> Recognition {
        self.recognition
    }

    /// Reads until the chunk is full or [would have to grow](Chunk::needs_growth), or the can is at its end.
    pub fn fill(&mut self, chunk: &mut Chunk) -> ReadStatus {
        match &mut self.reader {
            Reader::Lines(can) => can.fill(chunk),
            Reader::Document(can) => match can.fill(chunk) {
                Some(status) => status,
                None => {
                    if let Reader::Document(can) = std::mem::replace(&mut self.reader, Reader::Refused(None)) {
                        self.reader = Reader::Lines(can.into_lines());
                    }
                    self.fill(chunk)
                }
            },
            Reader::Postcan(can) => can.fill(chunk),
            Reader::Reports(can) => can.fill(chunk),
            Reader::Yaml(can) => can.fill(chunk),
            Reader::Refused(why) => {
                if let Some((why, offset)) = why.take() {
                    chunk.push_error(Kind::Whole, Position { offset, ..Position::default() }, why);
                }
                ReadStatus::End
            }
        }
    }
}

impl Reader {
    fn new(format: Format, expected: Expected, mut input: Input, name: &CanName, limits: &Limits) -> Reader {
        let limit = limits.measurement_size;
        let mark = input.peek().len() - without_bom(input.peek()).len();
        let mut text = || {
            input.skip_peeked(mark);
            mark as u64
        };
        let lines = |input, kind, offset| Reader::Lines(Lines::new(ChunkReader::new(input), limit, kind, offset));
        match format {
            Format::Document => {
                let (offset, may_be_lines) = (text(), !matches!(expected, Expected::Exactly(_)));
                Reader::Document(Document::new(ChunkReader::new(input), limit, offset, may_be_lines))
            }
            Format::Lines => {
                let offset = text();
                lines(input, Kind::Line, offset)
            }
            Format::LegacyLines => {
                let offset = text();
                lines(input, Kind::LegacyLine, offset)
            }
            Format::Cases => {
                let offset = text();
                lines(input, Kind::Case, offset)
            }
            Format::Postcan => Reader::Postcan(Box::new(Postcan::new(ChunkReader::new(input), limit))),
            Format::Reports => Reader::Reports(Box::new(Reports::new(ChunkReader::new(input), name, limits))),
            Format::Yaml => {
                let offset = text();
                Reader::Yaml(Yaml::new(ChunkReader::new(input), name, limits, offset))
            }
            Format::Index => Reader::Refused(None),
        }
    }
}
