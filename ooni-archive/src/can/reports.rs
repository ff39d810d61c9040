//! [`Reports`]: JSON lines and YAML reports in a tar archive (formats spec §7), the cans of the years up to 2020.
//!
//! A member can be larger than a chunk: its lines or entries are read one after another.

use super::chunk_reader::{ChunkReader, Refill};
use super::input::InputError;
use super::lines::Splitter;
use super::members::{Member, Members, Next, unsafe_name};
use super::name::CanName;
use super::yaml::{Split, Stream};
use crate::chunk::{Chunk, Kind, Name, Position, ReadStatus};
use crate::limits::Limits;
use ooni_core::error::Error;

/// An archive of reports.
#[derive(Debug)]
pub struct Reports {
    reader: ChunkReader,
    limits: Limits,
    named: CanName,
    members: Members,
    /// The member that is being read.
    current: Option<Current>,
    /// Measurements so far.
    index: u64,
}

#[derive(Debug)]
struct Current {
    member: Member,
    content: Content,
    /// Its name in the current chunk.
    name: Option<Name>,
}

#[derive(Debug)]
enum Content {
    Lines(Splitter),
    Yaml(Stream),
}

/// Why no more members are taken.
enum Stopped {
    NeedsMore,
    ChunkFull,
    Lost,
}

impl Reports {
    pub(super) fn new(reader: ChunkReader, named: &CanName, limits: &Limits) -> Reports {
        let (limits, named) = (*limits, named.clone());
        Reports { reader, limits, named, members: Members::new(), current: None, index: 0 }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> ReadStatus {
        let mut start = self.reader.resume(chunk);
        if let Some(current) = &mut self.current {
            current.resume();
        }
        loop {
            match self.take(chunk, &mut start) {
                Stopped::NeedsMore => {}
                Stopped::ChunkFull => {
                    self.reader.keep_rest(chunk, start);
                    return ReadStatus::More;
                }
                Stopped::Lost => return ReadStatus::End,
            }
            match self.reader.refill(chunk, &mut start) {
                Refill::Text => {}
                Refill::Full => return ReadStatus::More,
                Refill::End => {
                    if let Some(error) = self.members.ended(chunk.filled() - start) {
                        chunk.truncate(start);
                        self.lost(chunk, self.members.offset(), error);
                    }
                    return ReadStatus::End;
                }
                Refill::Failed(InputError { offset, mut error }) => {
                    error.message += &match self.index {
                        1 => "; 1 measurement was read".to_owned(),
                        index => format!("; {index} measurements were read"),
                    };
                    chunk.truncate(start);
                    self.lost(chunk, offset, error);
                    return ReadStatus::End;
                }
            }
        }
    }

    /// Adds the complete entries of the members.
    fn take(&mut self, chunk: &mut Chunk, start: &mut usize) -> Stopped {
        loop {
            if let Some(current) = &mut self.current {
                let left = self.members.left();
                let end = chunk.filled().min(start.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
                let is_whole = (end - *start) as u64 == left;
                let (begin, filled) = (*start, chunk.filled());
                let split = current.split(chunk, start, end);
                // Dropped bytes of an overlong line were read as well.
                self.members.take((*start - begin + (filled - chunk.filled())) as u64);
                self.index = current.index();
                match split {
                    Split::ChunkFull => return Stopped::ChunkFull,
                    Split::NeedsMore if !is_whole => return Stopped::NeedsMore,
                    Split::NeedsMore => {
                        let end = end.min(chunk.filled());
                        current.finish(chunk, *start, end);
                        self.members.take((end - *start) as u64);
                        self.index = current.index();
                        *start = end;
                    }
                    Split::End => {}
                }
                self.members.skip(current.member.size);
                self.current = None;
            }
            match self.members.next(chunk, start) {
                Next::NeedsMore => return Stopped::NeedsMore,
                Next::File(member) => self.open(chunk, member),
                Next::Other(member, error) => {
                    self.reject(chunk, &member, error);
                    chunk.mark_abort();
                }
                Next::Lost(offset, error) => {
                    self.lost(chunk, offset, error);
                    return Stopped::Lost;
                }
            }
        }
    }

    /// Begins a member; files with other suffixes are skipped, as in the reference.
    fn open(&mut self, chunk: &mut Chunk, member: Member) {
        let content = if member.name.ends_with(b".json") {
            Content::Lines(Splitter::new(self.limits.measurement_size, Kind::LegacyLine, self.index, member.offset))
        } else if member.name.ends_with(b".yaml") {
            Content::Yaml(Stream::new(&self.named, &self.limits, self.index, member.offset))
        } else {
            return self.members.skip(member.size);
        };
        match unsafe_name(&member.name) {
            Some(error) => {
                self.members.skip(member.size);
                self.reject(chunk, &member, error);
            }
            None => self.current = Some(Current { member, content, name: None }),
        }
    }

    fn reject(&self, chunk: &mut Chunk, member: &Member, error: Error) {
        let name = chunk.push_name(&member.name);
        let position = Position { member: Some(name), offset: Some(member.offset), ..Position::default() };
        chunk.push_error(Kind::Whole, position, error);
    }

    /// Adds the error that the rest of the archive cannot be read.
    #[cold]
    fn lost(&self, chunk: &mut Chunk, offset: u64, error: Error) {
        let member = self.current.as_ref().map(|current| chunk.push_name(&current.member.name));
        chunk.push_error(Kind::Whole, Position { member, offset: Some(offset), ..Position::default() }, error);
    }
}

impl Current {
    fn resume(&mut self) {
        self.name = None;
        match &mut self.content {
            Content::Lines(lines) => lines.resume(),
            Content::Yaml(stream) => stream.resume(),
        }
    }

    fn split(&mut self, chunk: &mut Chunk, start: &mut usize, end: usize) -> Split {
        let name = self.name.get_or_insert_with(|| chunk.push_name(&self.member.name));
        match &mut self.content {
            Content::Lines(lines) => match lines.split(chunk, start, end, Some(name)) {
                true => Split::ChunkFull,
                false => Split::NeedsMore,
            },
            Content::Yaml(stream) => stream.split(chunk, start, end, Some(name)),
        }
    }

    fn finish(&mut self, chunk: &mut Chunk, start: usize, end: usize) {
        match &mut self.content {
            Content::Lines(lines) => lines.finish(chunk, start, end, self.name.as_ref()),
            Content::Yaml(stream) => stream.finish(chunk, start, end, self.name.as_ref()),
        }
    }

    fn index(&self) -> u64 {
        match &self.content {
            Content::Lines(lines) => lines.index(),
            Content::Yaml(stream) => stream.index(),
        }
    }
}
