//! [`Reports`]: JSON lines and YAML reports in a tar archive (formats spec §7), the cans of the years up to 2020.
//!
//! A member can be larger than what is held of it: its lines or entries are taken as they come.

use super::decompress::Broken;
use super::lines::Splitter;
use super::members::{Member, Members, Next, leads_away};
use super::yaml::{Split, Stream};
use super::{Fed, Feed, Filled, Report};
use crate::chunk::{Chunk, Kind, Name, Position};
use crate::limits::Limits;
use ooni_core::error::Error;

/// An archive of reports.
#[derive(Debug)]
pub struct Reports {
    feed: Feed,
    limits: Limits,
    named: Report,
    members: Members,
    /// The one whose content is pending.
    current: Option<Current>,
    /// Measurements so far.
    place: u64,
}

#[derive(Debug)]
struct Current {
    member: Member,
    content: Content,
    /// Its name in the chunk at hand.
    name: Option<Name>,
}

#[derive(Debug)]
enum Content {
    Lines(Splitter),
    Yaml(Stream),
}

/// Why no more members are taken.
enum Stopped {
    Hungry,
    Crowded,
    Lost,
}

impl Reports {
    pub(super) fn new(feed: Feed, named: &Report, limits: &Limits) -> Reports {
        let (limits, named) = (*limits, named.clone());
        Reports { feed, limits, named, members: Members::new(), current: None, place: 0 }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        let mut start = self.feed.resume(chunk);
        if let Some(current) = &mut self.current {
            current.resume();
        }
        loop {
            match self.take(chunk, &mut start) {
                Stopped::Hungry => {}
                Stopped::Crowded => {
                    self.feed.put_aside(chunk, start);
                    return Filled::More;
                }
                Stopped::Lost => return Filled::Done,
            }
            match self.feed.more(chunk, &mut start) {
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    if let Some(error) = self.members.ended(chunk.filled() - start) {
                        chunk.truncate(start);
                        self.lost(chunk, self.members.at(), error);
                    }
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, mut error }) => {
                    error.message += &match self.place {
                        1 => "; 1 measurement was read".to_owned(),
                        place => format!("; {place} measurements were read"),
                    };
                    chunk.truncate(start);
                    self.lost(chunk, at, error);
                    return Filled::Done;
                }
            }
        }
    }

    /// Takes what is there of the members.
    fn take(&mut self, chunk: &mut Chunk, start: &mut usize) -> Stopped {
        loop {
            if let Some(current) = &mut self.current {
                let left = self.members.left();
                let end = chunk.filled().min(start.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
                let is_whole = (end - *start) as u64 == left;
                let (begin, filled) = (*start, chunk.filled());
                let split = current.split(chunk, start, end);
                // What was dropped of a line too long has been read as well.
                self.members.take((*start - begin + (filled - chunk.filled())) as u64);
                self.place = current.place();
                match split {
                    Split::Crowded => return Stopped::Crowded,
                    Split::Hungry if !is_whole => return Stopped::Hungry,
                    Split::Hungry => {
                        let end = end.min(chunk.filled());
                        current.finish(chunk, *start, end);
                        self.members.take((end - *start) as u64);
                        self.place = current.place();
                        *start = end;
                    }
                    Split::Over => {}
                }
                self.members.skip(current.member.size);
                self.current = None;
            }
            match self.members.next(chunk, start) {
                Next::Hungry => return Stopped::Hungry,
                Next::File(member) => self.open(chunk, member),
                Next::Other(member, error) => {
                    self.reject(chunk, &member, error);
                    chunk.give_up();
                }
                Next::Lost(at, error) => {
                    self.lost(chunk, at, error);
                    return Stopped::Lost;
                }
            }
        }
    }

    /// Begins with a member; files of other names are passed over, as the reference does.
    fn open(&mut self, chunk: &mut Chunk, member: Member) {
        let content = if member.name.ends_with(b".json") {
            Content::Lines(Splitter::new(self.limits.measurement_size, Kind::OldLine, self.place, member.at))
        } else if member.name.ends_with(b".yaml") {
            Content::Yaml(Stream::new(&self.named, &self.limits, self.place, member.at))
        } else {
            return self.members.skip(member.size);
        };
        match leads_away(&member.name) {
            Some(error) => {
                self.members.skip(member.size);
                self.reject(chunk, &member, error);
            }
            None => self.current = Some(Current { member, content, name: None }),
        }
    }

    fn reject(&self, chunk: &mut Chunk, member: &Member, error: Error) {
        let name = chunk.push_name(&member.name);
        let at = Position { member: Some(name), at: Some(member.at), ..Position::default() };
        chunk.push_trouble(Kind::Whole, at, error);
    }

    /// Notes that the archive cannot be read on.
    #[cold]
    fn lost(&self, chunk: &mut Chunk, at: u64, error: Error) {
        let member = self.current.as_ref().map(|current| chunk.push_name(&current.member.name));
        chunk.push_trouble(Kind::Whole, Position { member, at: Some(at), ..Position::default() }, error);
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
                true => Split::Crowded,
                false => Split::Hungry,
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

    fn place(&self) -> u64 {
        match &self.content {
            Content::Lines(lines) => lines.place(),
            Content::Yaml(stream) => stream.place(),
        }
    }
}
