//! [`Postcan`]: POST bodies in a compressed tar archive (formats spec §7.1).
//!
//! Members are read where they were decompressed to, in one piece; nothing is unpacked to a disk, whatever its name
//! says. A header that announces too much is passed by without being kept, and so is a member. What is inside a POST
//! body is judged by the worker.

use super::decompress::Broken;
use super::tar::{self, BLOCK, Header, Records, Type};
use super::{Fed, Feed, Filled};
use crate::batch::{Batch, Kind};
use ooni_core::error::{Code, Error};

/// Bytes of an extended header or long name that are read; real ones are some hundred.
const LONGEST_HEADER: u64 = 64 << 10;

/// A postcan.
#[derive(Debug)]
pub struct Postcan {
    feed: Feed,
    limit: u64,
    state: State,
    /// Offset in the archive of what is pending.
    at: u64,
    members: u64,
    /// What extended headers say of the next member.
    records: Records,
    /// What is wrong with them.
    wrong: Option<Error>,
}

/// What is pending.
#[derive(Debug)]
enum State {
    Header,
    Records(Type, u64),
    Member {
        name: Vec<u8>,
        size: u64,
    },
    /// Bytes to pass by.
    Skip(u64),
    /// Nothing but zeros should follow.
    End,
}

impl Postcan {
    /// A postcan with POST bodies of at most `limit` bytes.
    pub(super) fn new(feed: Feed, limit: usize) -> Postcan {
        Postcan {
            feed,
            limit: limit as u64,
            state: State::Header,
            at: 0,
            members: 0,
            records: Records::default(),
            wrong: None,
        }
    }

    pub(super) fn fill(&mut self, batch: &mut Batch) -> Filled {
        let mut start = self.feed.resume(batch);
        loop {
            match self.step(batch, &mut start) {
                Step::Taken => continue,
                Step::Failed => return Filled::Done,
                Step::Hungry => {}
            }
            match self.feed.more(batch, &mut start) {
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    self.ended(batch, start);
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, mut error }) => {
                    error.message += &match self.members {
                        1 => "; 1 member was read".to_owned(),
                        members => format!("; {members} members were read"),
                    };
                    batch.truncate(start);
                    batch.push_trouble(Kind::File, at, error);
                    return Filled::Done;
                }
            }
        }
    }

    /// Takes what is pending, if all of it is there.
    fn step(&mut self, batch: &mut Batch, start: &mut usize) -> Step {
        let pending = batch.pending(*start);
        match &mut self.state {
            State::Header => {
                let Some(block) = pending.first_chunk::<BLOCK>() else { return Step::Hungry };
                let header = tar::header(block);
                self.take(BLOCK as u64, start);
                match header {
                    Ok(None) => self.state = State::End,
                    Ok(Some(header)) => self.announced(batch, header),
                    Err(error) => {
                        let error = format!("{error}, where a member should begin");
                        batch.push_trouble(Kind::File, self.at - BLOCK as u64, Error::new(Code::Can, "", error));
                        return Step::Failed;
                    }
                }
            }
            State::Records(kind, size) => {
                let (kind, size) = (*kind, *size);
                let Some(content) = pending.get(..size as usize) else { return Step::Hungry };
                self.remember(kind, content);
                self.take(size, start);
                self.state = State::Skip(padding(size));
            }
            State::Member { name, size } => {
                let size = *size;
                if pending.len() < size as usize {
                    return Step::Hungry;
                }
                let name = batch.push_name(name);
                batch.push(Kind::Member(name), self.at, *start..*start + size as usize);
                self.members += 1;
                self.take(size, start);
                self.state = State::Skip(padding(size));
            }
            State::Skip(0) => self.state = State::Header,
            State::Skip(left) => {
                if pending.is_empty() {
                    return Step::Hungry;
                }
                let bytes = (*left).min(pending.len() as u64);
                *left -= bytes;
                self.at += bytes;
                // Of what is passed by without end, nothing is kept.
                if bytes == pending.len() as u64 {
                    batch.truncate(*start);
                } else {
                    *start += bytes as usize;
                }
            }
            State::End => {
                if let Some(other) = pending.iter().position(|&byte| byte != 0) {
                    let at = self.at + other as u64;
                    batch.truncate(*start);
                    let error = Error::new(Code::Can, "", "something follows the end of the archive");
                    batch.push_trouble(Kind::File, at, error);
                    return Step::Failed;
                }
                self.at += pending.len() as u64;
                batch.truncate(*start);
                return Step::Hungry;
            }
        }
        Step::Taken
    }

    fn take(&mut self, bytes: u64, start: &mut usize) {
        self.at += bytes;
        *start += bytes as usize;
    }

    /// Decides what to do with what a header announces.
    fn announced(&mut self, batch: &mut Batch, header: Header) {
        let Header { kind, size, name } = header;
        let skip = State::Skip(size.saturating_add(padding(size)));
        self.state = match kind {
            Type::Extended | Type::LongName if size > LONGEST_HEADER => {
                let error = format!("an extended tar header of {size} bytes, beyond the limit of {LONGEST_HEADER}");
                self.wrong.get_or_insert(Error::new(Code::Limit, "", error));
                skip
            }
            Type::Extended | Type::LongName => State::Records(kind, size),
            Type::Global | Type::LongLink => skip,
            Type::File => {
                let Records { name: long_name, size: long_size } = std::mem::take(&mut self.records);
                let (name, size) = (long_name.unwrap_or(name), long_size.unwrap_or(size));
                let wrong = self.wrong.take().or_else(|| refused(&name)).or_else(|| {
                    let error = || format!("a member of {size} bytes, beyond the limit of {}", self.limit);
                    (size > self.limit).then(|| Error::new(Code::Limit, "", error()))
                });
                match wrong {
                    None => State::Member { name, size },
                    Some(error) => {
                        self.reject(batch, &name, error);
                        State::Skip(size.saturating_add(padding(size)))
                    }
                }
            }
            Type::Bare(what) => self.not_a_file(batch, name, what, skip),
            Type::Other => self.not_a_file(batch, name, "of an unknown type", skip),
        };
    }

    fn not_a_file(&mut self, batch: &mut Batch, name: Vec<u8>, what: &str, skip: State) -> State {
        let name = std::mem::take(&mut self.records).name.unwrap_or(name);
        let error = self
            .wrong
            .take()
            .unwrap_or_else(|| Error::new(Code::Can, "", format!("a member that is {what} and no POST body")));
        self.reject(batch, &name, error);
        skip
    }

    fn reject(&mut self, batch: &mut Batch, name: &[u8], error: Error) {
        let name = batch.push_name(name);
        batch.push_trouble(Kind::Member(name), self.at, error);
        self.members += 1;
    }

    /// Notes what an extended header says of the next member.
    fn remember(&mut self, kind: Type, content: &[u8]) {
        if kind == Type::LongName {
            self.records.name = Some(tar::text(content).to_vec());
            return;
        }
        match tar::records(content) {
            Ok(Records { name, size }) => {
                self.records.name = name.or(self.records.name.take());
                self.records.size = size.or(self.records.size);
            }
            Err(error) => {
                self.wrong.get_or_insert(Error::new(Code::Can, "", error));
            }
        }
    }

    /// The archive is at its end, which is fine between members.
    fn ended(&mut self, batch: &mut Batch, start: usize) {
        let at_end = |what: &str| Error::new(Code::Can, "", format!("the archive ends inside {what}"));
        match &self.state {
            State::Header if batch.filled() == start => return,
            State::End | State::Skip(0) => return,
            // The last bytes of the last block say nothing.
            State::Skip(left) if *left < BLOCK as u64 => return,
            State::Member { name, .. } => {
                let name = batch.push_name(name);
                batch.push_trouble(Kind::Member(name), self.at, at_end("this member"));
            }
            State::Header | State::Records(..) => batch.push_trouble(Kind::File, self.at, at_end("a header")),
            State::Skip(_) => batch.push_trouble(Kind::File, self.at, at_end("a member")),
        }
        batch.truncate(start);
    }
}

/// What became of a step.
enum Step {
    Taken,
    /// More bytes are needed.
    Hungry,
    /// The rest of the archive is lost, which has been said.
    Failed,
}

/// Bytes after a content of that size, up to the next block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Why a member of that name is not taken. Nothing is ever unpacked, but no collector made such a name.
fn refused(name: &[u8]) -> Option<Error> {
    let error = |sentence: &str| Some(Error::new(Code::Can, "", sentence));
    if name.starts_with(b"/") {
        return error("a member with an absolute name");
    }
    if name.split(|&byte| byte == b'/').any(|part| part == b"..") {
        return error("a member whose name leads out of the archive");
    }
    if !name.ends_with(b".post") {
        return error("a member whose name does not end in .post");
    }
    if !name.contains(&b'/') {
        return error("a member whose name has no folder");
    }
    None
}
