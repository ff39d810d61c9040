//! [`Postcan`]: POST bodies in a tar archive (formats spec §7.1).
//!
//! Members are read where they were decompressed to, as a whole. POST bodies are not parsed here.

use super::chunk_reader::{ChunkReader, Refill};
use super::input::InputError;
use super::members::{Member, Members, Next, unsafe_name};
use crate::chunk::{Chunk, Kind, Position, ReadStatus};
use ooni_core::error::{Code, Error};

/// A postcan.
#[derive(Debug)]
pub struct Postcan {
    reader: ChunkReader,
    limit: u64,
    members: Members,
    /// The member whose content is pending.
    current: Option<Member>,
    /// Members so far.
    index: u64,
}

impl Postcan {
    /// A postcan with POST bodies of at most `limit` bytes.
    pub(super) fn new(reader: ChunkReader, limit: usize) -> Postcan {
        Postcan { reader, limit: limit as u64, members: Members::new(), current: None, index: 0 }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> ReadStatus {
        let mut start = self.reader.resume(chunk);
        loop {
            if self.take(chunk, &mut start) {
                return ReadStatus::End;
            }
            match self.reader.refill(chunk, &mut start) {
                Refill::Text => {}
                Refill::Full => return ReadStatus::More,
                Refill::End => {
                    let ended = self.members.ended(chunk.filled() - start);
                    chunk.truncate(start);
                    match (ended, self.current.take()) {
                        (None, _) => {}
                        (Some(error), Some(member)) => self.reject(chunk, &member, error),
                        (Some(error), None) => self.lost(chunk, self.members.offset(), error),
                    }
                    return ReadStatus::End;
                }
                Refill::Failed(InputError { offset, mut error }) => {
                    error.message += &match self.index {
                        1 => "; 1 member was read".to_owned(),
                        members => format!("; {members} members were read"),
                    };
                    chunk.truncate(start);
                    self.lost(chunk, offset, error);
                    return ReadStatus::End;
                }
            }
        }
    }

    /// Adds all complete members; true when the rest of the archive is lost.
    fn take(&mut self, chunk: &mut Chunk, start: &mut usize) -> bool {
        loop {
            if let Some(Member { size, .. }) = self.current {
                if size > (chunk.filled() - *start) as u64 {
                    return false;
                }
                let Some(member) = self.current.take() else { return false };
                self.members.take(size);
                self.members.skip(size);
                let end = *start + size as usize;
                let position = self.position_of(chunk, &member);
                chunk.push(Kind::Post, position, *start..end);
                if !member.side.is_empty() {
                    chunk.set_side(member.side);
                }
                self.index += 1;
                *start = end;
            }
            match self.members.next(chunk, start) {
                Next::NeedsMore => return false,
                Next::File(member) => match self.refused(&member) {
                    None => self.current = Some(member),
                    Some(error) => {
                        self.members.skip(member.size);
                        self.reject(chunk, &member, error);
                        // The reference expects a folder in the name of every POST body.
                        if member.name.ends_with(b".post") && !member.name.contains(&b'/') {
                            chunk.mark_abort();
                        }
                    }
                },
                Next::Other(member, error) => self.reject(chunk, &member, error),
                Next::Lost(offset, error) => {
                    self.lost(chunk, offset, error);
                    return true;
                }
            }
        }
    }

    fn refused(&self, member: &Member) -> Option<Error> {
        let error = |sentence: &str| Some(Error::new(Code::Can, "", sentence));
        unsafe_name(&member.name).or_else(|| {
            if !member.name.ends_with(b".post") {
                error("a member whose name does not end in .post")
            } else if !member.name.contains(&b'/') {
                error("a member whose name has no folder")
            } else if member.size > self.limit {
                let (size, limit) = (member.size, self.limit);
                let error = format!("a member of {size} bytes, beyond the limit of {limit}");
                Some(Error::new(Code::Limit, "", error))
            } else {
                None
            }
        })
    }

    fn position_of(&self, chunk: &mut Chunk, member: &Member) -> Position {
        let name = chunk.push_name(&member.name);
        Position { member: Some(name), number: 0, index: self.index, offset: Some(member.offset) }
    }

    fn reject(&mut self, chunk: &mut Chunk, member: &Member, error: Error) {
        let position = self.position_of(chunk, member);
        chunk.push_error(Kind::Post, position, error);
        self.index += 1;
    }

    /// Adds the error that the rest of the archive cannot be read.
    #[cold]
    fn lost(&self, chunk: &mut Chunk, offset: u64, error: Error) {
        let member = self.current.as_ref().map(|member| chunk.push_name(&member.name));
        chunk.push_error(Kind::Whole, Position { member, offset: Some(offset), ..Position::default() }, error);
    }
}
