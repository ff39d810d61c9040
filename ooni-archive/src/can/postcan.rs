//! [`Postcan`]: POST bodies in a compressed tar archive (formats spec §7.1).
//!
//! Members are read where they were decompressed to, in one piece. What is inside a POST body is judged by the worker.

use super::decompress::Broken;
use super::members::{Member, Members, Next, leads_away};
use super::{Fed, Feed, Filled};
use crate::chunk::{Chunk, Kind, Position};
use ooni_core::error::{Code, Error};

/// A postcan.
#[derive(Debug)]
pub struct Postcan {
    feed: Feed,
    limit: u64,
    members: Members,
    /// The one whose content is pending.
    current: Option<Member>,
    /// Members so far.
    place: u64,
}

impl Postcan {
    /// A postcan with POST bodies of at most `limit` bytes.
    pub(super) fn new(feed: Feed, limit: usize) -> Postcan {
        Postcan { feed, limit: limit as u64, members: Members::new(), current: None, place: 0 }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        let mut start = self.feed.resume(chunk);
        loop {
            if self.take(chunk, &mut start) {
                return Filled::Done;
            }
            match self.feed.more(chunk, &mut start) {
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    let ended = self.members.ended(chunk.filled() - start);
                    chunk.truncate(start);
                    match (ended, self.current.take()) {
                        (None, _) => {}
                        (Some(error), Some(member)) => self.reject(chunk, &member, error),
                        (Some(error), None) => self.lost(chunk, self.members.at(), error),
                    }
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, mut error }) => {
                    error.message += &match self.place {
                        1 => "; 1 member was read".to_owned(),
                        members => format!("; {members} members were read"),
                    };
                    chunk.truncate(start);
                    self.lost(chunk, at, error);
                    return Filled::Done;
                }
            }
        }
    }

    /// Takes all members that are there as a whole; true when the rest of the archive is lost.
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
                let at = self.place_of(chunk, &member);
                chunk.push(Kind::Post, at, *start..end);
                self.place += 1;
                *start = end;
            }
            match self.members.next(chunk, start) {
                Next::Hungry => return false,
                Next::File(member) => match self.refused(&member) {
                    None => self.current = Some(member),
                    Some(error) => {
                        self.members.skip(member.size);
                        self.reject(chunk, &member, error);
                        // The reference looks for the folder in what it takes for a POST body.
                        if member.name.ends_with(b".post") && !member.name.contains(&b'/') {
                            chunk.give_up();
                        }
                    }
                },
                Next::Other(member, error) => self.reject(chunk, &member, error),
                Next::Lost(at, error) => {
                    self.lost(chunk, at, error);
                    return true;
                }
            }
        }
    }

    fn refused(&self, member: &Member) -> Option<Error> {
        let error = |sentence: &str| Some(Error::new(Code::Can, "", sentence));
        leads_away(&member.name).or_else(|| {
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

    fn place_of(&self, chunk: &mut Chunk, member: &Member) -> Position {
        let name = chunk.push_name(&member.name);
        Position { member: Some(name), number: 0, place: self.place, at: Some(member.at) }
    }

    fn reject(&mut self, chunk: &mut Chunk, member: &Member, error: Error) {
        let at = self.place_of(chunk, member);
        chunk.push_trouble(Kind::Post, at, error);
        self.place += 1;
    }

    /// Notes that the archive cannot be read on.
    #[cold]
    fn lost(&self, chunk: &mut Chunk, at: u64, error: Error) {
        let member = self.current.as_ref().map(|member| chunk.push_name(&member.name));
        chunk.push_trouble(Kind::Whole, Position { member, at: Some(at), ..Position::default() }, error);
    }
}
