//! Goes through the records of a segment, past damaged ones. This blocks.

use super::record::{Body, FileRange, HEADER, Header};
use super::segment::{DATA_START, Mark, Segment};
use crate::payload::for_each_piece;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Records whose metadata and body are longer have their body in the file.
const LARGE: u64 = 1 << 20;

/// How much is read at once by those who read whole records.
pub(crate) const WHOLE: usize = 1 << 20;

/// How much is read at once by those who look at headers only.
pub(crate) const HEADERS: usize = 64 << 10;

/// Goes through a part of a segment.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: Arc<File>,
    marker: u64,
    /// Where the next record begins.
    offset: u64,
    /// Nothing behind this offset is read.
    pub(crate) end: u64,
    /// The sequence number of the next record.
    expected: u64,
    /// The last sequence number that the segment may have.
    pub(crate) limit: u64,
    window: Window,
}

/// What is next in a segment.
#[derive(Debug)]
pub(crate) enum Step {
    /// A record. `whole` is there if it was asked for.
    Record { header: Header, offset: u64, whole: Option<Whole> },
    /// Something that is not a record, with a record after it.
    Damage(Damage),
    /// Nothing. So many bytes before the end are not a record.
    End { torn: u64 },
}

/// Metadata and body of a record, with the right checksum.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) metadata: Bytes,
    pub(crate) body: Body,
}

/// A part of a segment that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// The sequence number of the first record in it.
    pub(crate) first: u64,
    /// How many records are missing.
    pub(crate) records: u64,
}

impl Scanner {
    /// Scans a segment from its start, up to an offset.
    pub(crate) fn new(segment: &Segment, file: Arc<File>, chunk: usize, end: u64) -> Scanner {
        Scanner {
            file,
            marker: segment.header.marker,
            offset: DATA_START,
            end,
            expected: segment.header.first,
            limit: u64::MAX,
            window: Window { chunk, start: 0, bytes: Bytes::new() },
        }
    }

    /// Continues at a record that is known.
    pub(crate) fn seek(&mut self, mark: Mark) {
        self.offset = mark.offset;
        self.expected = mark.sequence;
    }

    /// Takes the next step. With `whole`, a record is read and verified; otherwise only its header is.
    pub(crate) fn step(&mut self, whole: bool) -> io::Result<Step> {
        let offset = self.offset;
        if offset >= self.end {
            return Ok(Step::End { torn: 0 });
        }
        let found = self.header(offset)?;
        if found.is_some_and(|header| header.sequence > self.limit) {
            return Ok(Step::End { torn: self.end - offset });
        }
        let Some(header) = found.filter(|header| header.sequence >= self.expected) else {
            return self.skip_damage();
        };
        if header.sequence > self.expected {
            let damage = Damage { offset, bytes: 0, first: self.expected, records: header.sequence - self.expected };
            self.expected = header.sequence;
            return Ok(Step::Damage(damage));
        }
        let read = if whole { self.whole(&header, offset)? } else { None };
        if whole && read.is_none() {
            return self.skip_damage();
        }
        self.offset = offset + header.length();
        self.expected = header.sequence + 1;
        Ok(Step::Record { header, offset, whole: read })
    }

    /// Passes records before a sequence number without reading them.
    pub(crate) fn skip_to(&mut self, sequence: u64) -> io::Result<()> {
        while self.expected < sequence {
            let header = self.header(self.offset)?;
            let Some(header) = header.filter(|header| (self.expected..sequence).contains(&header.sequence)) else {
                break;
            };
            self.offset += header.length();
            self.expected = header.sequence + 1;
        }
        Ok(())
    }

    /// The header of the next record. The record is not verified.
    pub(crate) fn peek(&mut self) -> io::Result<Option<Header>> {
        self.header(self.offset)
    }

    /// The header at an offset, if the record ends before the end.
    fn header(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let bytes = self.window.get(&self.file, offset, HEADER, self.end)?;
        Ok(Header::decode(&bytes, self.marker).filter(|header| header.length() <= self.end - offset))
    }

    /// The metadata of a record, not verified.
    pub(crate) fn metadata(&mut self, header: &Header, offset: u64) -> io::Result<Bytes> {
        let length = usize::try_from(header.metadata).map_err(io::Error::other)?;
        self.window.get(&self.file, offset + HEADER as u64, length, self.end)
    }

    /// Metadata and body of a record; `None` if the checksum is wrong.
    fn whole(&mut self, header: &Header, offset: u64) -> io::Result<Option<Whole>> {
        let start = offset + HEADER as u64;
        let mut metadata;
        let body;
        let crc;
        if header.payload() <= LARGE {
            let length = usize::try_from(header.payload()).map_err(io::Error::other)?;
            metadata = self.window.get(&self.file, start, length, self.end)?;
            crc = crc32c::crc32c(&metadata);
            if metadata.len() < length {
                return Ok(None);
            }
            body = Body::Memory(metadata.split_off(header.metadata as usize));
        } else {
            metadata = self.metadata(header, offset)?;
            let (start, length) = (start + u64::from(header.metadata), header.body);
            let mut sum = crc32c::crc32c(&metadata);
            for_each_piece(&self.file, start, length, |piece| {
                sum = crc32c::crc32c_append(sum, piece);
                Ok(())
            })?;
            crc = sum;
            body = Body::File(FileRange { file: Arc::clone(&self.file), start, length });
        }
        Ok((crc == header.payload_crc).then_some(Whole { metadata, body }))
    }

    /// Finds the next record after something that is not one. It is verified, since a copy of the marker alone says little.
    fn skip_damage(&mut self) -> io::Result<Step> {
        let marker = self.marker.to_le_bytes();
        let damaged = self.offset;
        let mut from = damaged + 1;
        while self.end.saturating_sub(from) >= HEADER as u64 {
            let bytes = self.window.get(&self.file, from, WHOLE, self.end)?;
            let Some(place) = bytes.windows(marker.len()).position(|bytes| bytes == marker) else {
                if bytes.len() < marker.len() {
                    break;
                }
                from += (bytes.len() - marker.len() + 1) as u64;
                continue;
            };
            let offset = from + place as u64;
            from = offset + 1;
            let Some(header) = self.header(offset)? else { continue };
            let is_next = (self.expected..=self.limit).contains(&header.sequence);
            if is_next && self.whole(&header, offset)?.is_some() {
                let records = header.sequence - self.expected;
                let damage = Damage { offset: damaged, bytes: offset - damaged, first: self.expected, records };
                self.offset = offset;
                self.expected = header.sequence;
                return Ok(Step::Damage(damage));
            }
        }
        Ok(Step::End { torn: self.end - damaged })
    }
}

/// A part of a file in memory.
#[derive(Debug)]
struct Window {
    chunk: usize,
    start: u64,
    bytes: Bytes,
}

impl Window {
    /// Bytes of the file; fewer than wanted before the end and at the end of the file.
    fn get(&mut self, file: &File, offset: u64, length: usize, end: u64) -> io::Result<Bytes> {
        let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(left);
        if let Some(range) = self.range(offset, length) {
            return Ok(self.bytes.slice(range));
        }
        let mut buffer = vec![0; self.chunk.max(length).min(left)];
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        self.bytes = buffer.into();
        self.start = offset;
        Ok(self.bytes.slice(..length.min(filled)))
    }

    fn range(&self, offset: u64, length: usize) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let end = start.checked_add(length)?;
        (end <= self.bytes.len()).then_some(start..end)
    }
}
