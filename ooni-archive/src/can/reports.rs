//! [`Reports`]: JSON lines and YAML reports in a tar archive (formats spec §7), the cans of the years up to 2020.
//!
//! A member can be larger than what is held of it: its lines or entries are taken as they come.

use super::decompress::Broken;
use super::lines::Splitter;
use super::members::{Member, Members, Next, leads_away};
use super::yaml::{Split, Stream};
use super::{Fed, Feed, Filled, Report};
use crate::chunk::{Batch, Kind, Name, Where};
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
    /// Its name in the batch at hand.
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

    pub(super) fn fill(&mut self, batch: &mut Batch) -> Filled {
        let mut start = self.feed.resume(batch);
        if let Some(current) = &mut self.current {
            current.resume();
        }
        loop {
            match self.take(batch, &mut start) {
                Stopped::Hungry => {}
                Stopped::Crowded => {
                    self.feed.put_aside(batch, start);
                    return Filled::More;
                }
                Stopped::Lost => return Filled::Done,
            }
            match self.feed.more(batch, &mut start) {
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    if let Some(error) = self.members.ended(batch.filled() - start) {
                        batch.truncate(start);
                        self.lost(batch, self.members.at(), error);
                    }
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, mut error }) => {
                    error.message += &match self.place {
                        1 => "; 1 measurement was read".to_owned(),
                        place => format!("; {place} measurements were read"),
                    };
                    batch.truncate(start);
                    self.lost(batch, at, error);
                    return Filled::Done;
                }
            }
        }
    }

    /// Takes what is there of the members.
    fn take(&mut self, batch: &mut Batch, start: &mut usize) -> Stopped {
        loop {
            if let Some(current) = &mut self.current {
                let left = self.members.left();
                let end = batch.filled().min(start.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
                let is_whole = (end - *start) as u64 == left;
                let (begin, filled) = (*start, batch.filled());
                let split = current.split(batch, start, end);
                // What was dropped of a line too long has been read as well.
                self.members.take((*start - begin + (filled - batch.filled())) as u64);
                self.place = current.place();
                match split {
                    Split::Crowded => return Stopped::Crowded,
                    Split::Hungry if !is_whole => return Stopped::Hungry,
                    Split::Hungry => {
                        let end = end.min(batch.filled());
                        current.finish(batch, *start, end);
                        self.members.take((end - *start) as u64);
                        self.place = current.place();
                        *start = end;
                    }
                    Split::Over => {}
                }
                self.members.skip(current.member.size);
                self.current = None;
            }
            match self.members.next(batch, start) {
                Next::Hungry => return Stopped::Hungry,
                Next::File(member) => self.open(batch, member),
                Next::Other(member, error) => {
                    self.reject(batch, &member, error);
                    batch.give_up();
                }
                Next::Lost(at, error) => {
                    self.lost(batch, at, error);
                    return Stopped::Lost;
                }
            }
        }
    }

    /// Begins with a member; files of other names are passed over, as the reference does.
    fn open(&mut self, batch: &mut Batch, member: Member) {
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
                self.reject(batch, &member, error);
            }
            None => self.current = Some(Current { member, content, name: None }),
        }
    }

    fn reject(&self, batch: &mut Batch, member: &Member, error: Error) {
        let name = batch.push_name(&member.name);
        let at = Where { member: Some(name), at: Some(member.at), ..Where::default() };
        batch.push_trouble(Kind::Whole, at, error);
    }

    /// Notes that the archive cannot be read on.
    #[cold]
    fn lost(&self, batch: &mut Batch, at: u64, error: Error) {
        let member = self.current.as_ref().map(|current| batch.push_name(&current.member.name));
        batch.push_trouble(Kind::Whole, Where { member, at: Some(at), ..Where::default() }, error);
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

    fn split(&mut self, batch: &mut Batch, start: &mut usize, end: usize) -> Split {
        let name = self.name.get_or_insert_with(|| batch.push_name(&self.member.name));
        match &mut self.content {
            Content::Lines(lines) => match lines.split(batch, start, end, Some(name)) {
                true => Split::Crowded,
                false => Split::Hungry,
            },
            Content::Yaml(stream) => stream.split(batch, start, end, Some(name)),
        }
    }

    fn finish(&mut self, batch: &mut Batch, start: usize, end: usize) {
        match &mut self.content {
            Content::Lines(lines) => lines.finish(batch, start, end, self.name.as_ref()),
            Content::Yaml(stream) => stream.finish(batch, start, end, self.name.as_ref()),
        }
    }

    fn place(&self) -> u64 {
        match &self.content {
            Content::Lines(lines) => lines.place(),
            Content::Yaml(stream) => stream.place(),
        }
    }
}
