//! [`Members`]: iterates over the members of a tar archive.
//!
//! Headers are read where they were decompressed to. Overlong headers, sparse members and the content of other unwanted
//! members are skipped without being kept in memory. Nothing is extracted to disk.

use super::tar::{self, BLOCK, Header, Records, Type};
use crate::chunk::Chunk;
use ooni_core::error::{Code, Error};
use ooni_core::measurement::SideRecord;

/// Maximum size of an extended header or long name; real ones have some hundred bytes.
const LONGEST_HEADER: u64 = 64 << 10;

/// A position in a tar archive.
#[derive(Debug)]
pub(super) struct Members {
    state: State,
    /// Offset in the archive of what is pending.
    offset: u64,
    /// What extended headers say about the next member.
    records: Records,
    /// The error of an extended header.
    wrong: Option<Error>,
}

/// What is pending.
#[derive(Debug)]
enum State {
    Header,
    Records(Type, u64),
    /// The content of a member, which the caller reads.
    Content(u64),
    /// Bytes to skip.
    Skip(u64),
    /// Further blocks with the map of a sparse member, whose stored content has this size.
    SparseMap(u64),
    /// The end of the archive, after which only zeros are expected.
    End,
}

/// What comes next in an archive.
#[derive(Debug)]
pub(super) enum Next {
    /// More bytes are needed.
    NeedsMore,
    /// A file whose content begins here. The caller reports with [`Members::take`] what it read, or skips it.
    File(Member),
    /// Something other than a file, or with a wrong header; it is skipped.
    Other(Member, Error),
    /// The rest of the archive is lost, from this byte on.
    Lost(u64, Error),
}

/// A member, as described by its header.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    /// Offset of its content in the archive.
    pub(super) offset: u64,
    pub(super) side: SideRecord<'static>,
}

impl Members {
    pub(super) fn new() -> Members {
        Members { state: State::Header, offset: 0, records: Records::default(), wrong: None }
    }

    /// Offset in the archive of what is pending.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the file's content that have not been read.
    pub(super) fn left(&self) -> u64 {
        match self.state {
            State::Content(left) => left,
            _ => 0,
        }
    }

    /// Counts bytes as read.
    pub(super) fn take(&mut self, bytes: u64) {
        self.offset += bytes;
        if let State::Content(left) = &mut self.state {
            *left = left.saturating_sub(bytes);
        }
    }

    /// Skips the rest of the content. `size` is the size of the whole content.
    pub(super) fn skip(&mut self, size: u64) {
        self.state = State::Skip(self.left().saturating_add(padding(size)));
    }

    /// Continues with the pending bytes, at `start` of the chunk.
    pub(super) fn next(&mut self, chunk: &mut Chunk, start: &mut usize) -> Next {
        loop {
            let pending = chunk.pending(*start);
            match &mut self.state {
                State::Header => {
                    let Some(block) = pending.first_chunk::<BLOCK>() else { return Next::NeedsMore };
                    let header = tar::header(block);
                    self.pass(BLOCK, start);
                    match header {
                        Ok(None) => self.state = State::End,
                        Ok(Some(header)) => {
                            if let Some(next) = self.after(header) {
                                return next;
                            }
                        }
                        Err(error) => {
                            let error = format!("{error}, where a member should begin");
                            return Next::Lost(self.offset - BLOCK as u64, Error::new(Code::Can, "", error));
                        }
                    }
                }
                State::Records(kind, size) => {
                    let (kind, size) = (*kind, *size);
                    let Some(content) = pending.get(..size as usize) else { return Next::NeedsMore };
                    self.remember(kind, content);
                    self.pass(size as usize, start);
                    self.state = State::Skip(padding(size));
                }
                State::SparseMap(size) => {
                    let size = *size;
                    let Some(block) = pending.first_chunk::<BLOCK>() else { return Next::NeedsMore };
                    if !tar::map_goes_on(block) {
                        self.state = State::Skip(size.saturating_add(padding(size)));
                    }
                    self.pass(BLOCK, start);
                }
                State::Content(_) | State::Skip(0) => self.state = State::Header,
                State::Skip(left) => {
                    if pending.is_empty() {
                        return Next::NeedsMore;
                    }
                    let bytes = (*left).min(pending.len() as u64);
                    *left -= bytes;
                    self.offset += bytes;
                    // Skipped bytes are not kept.
                    if bytes == pending.len() as u64 {
                        chunk.truncate(*start);
                    } else {
                        *start += bytes as usize;
                    }
                }
                State::End => {
                    if let Some(other) = pending.iter().position(|&byte| byte != 0) {
                        let at = self.offset + other as u64;
                        chunk.truncate(*start);
                        return Next::Lost(
                            at,
                            Error::new(Code::Can, "", "unexpected data after the end of the archive"),
                        );
                    }
                    self.offset += pending.len() as u64;
                    chunk.truncate(*start);
                    return Next::NeedsMore;
                }
            }
        }
    }

    fn pass(&mut self, bytes: usize, start: &mut usize) {
        self.offset += bytes as u64;
        *start += bytes;
    }

    /// Handles a header.
    fn after(&mut self, header: Header) -> Option<Next> {
        let Header { kind, size, name } = header;
        let skip = State::Skip(size.saturating_add(padding(size)));
        match kind {
            Type::Extended | Type::LongName if size > LONGEST_HEADER => {
                let error = format!("an extended tar header of {size} bytes, beyond the limit of {LONGEST_HEADER}");
                self.wrong.get_or_insert(Error::new(Code::Limit, "", error));
                self.state = skip;
                None
            }
            Type::Extended | Type::LongName => {
                self.state = State::Records(kind, size);
                None
            }
            Type::Global | Type::LongLink => {
                self.state = skip;
                None
            }
            Type::File => {
                let records = std::mem::take(&mut self.records);
                let size = records.size.unwrap_or(size);
                let name = records.name.unwrap_or(name);
                let member = Member { name, size, offset: self.offset, side: records.side };
                let sparse = records.is_sparse.then(sparse_error);
                match self.wrong.take().or(sparse) {
                    None => {
                        self.state = State::Content(member.size);
                        Some(Next::File(member))
                    }
                    Some(error) => {
                        self.state = State::Skip(member.size.saturating_add(padding(member.size)));
                        Some(Next::Other(member, error))
                    }
                }
            }
            Type::Sparse { map_goes_on } => {
                let name = std::mem::take(&mut self.records).name.unwrap_or(name);
                self.state = if map_goes_on { State::SparseMap(size) } else { skip };
                let error = self.wrong.take().unwrap_or_else(sparse_error);
                Some(Next::Other(self.empty(name), error))
            }
            Type::Bare(what) => Some(self.not_a_file(name, what, skip)),
            Type::Other => Some(self.not_a_file(name, "of an unknown type", skip)),
        }
    }

    fn not_a_file(&mut self, name: Vec<u8>, what: &str, skip: State) -> Next {
        let name = std::mem::take(&mut self.records).name.unwrap_or(name);
        let error = Error::new(Code::Can, "", format!("a member that is {what}, not a file"));
        self.state = skip;
        Next::Other(self.empty(name), self.wrong.take().unwrap_or(error))
    }

    /// A member whose content is not read.
    fn empty(&self, name: Vec<u8>) -> Member {
        Member { name, size: 0, offset: self.offset, side: SideRecord::EMPTY }
    }

    /// Records what an extended header says about the next member.
    fn remember(&mut self, kind: Type, content: &[u8]) {
        if kind == Type::LongName {
            self.records.name = Some(tar::text(content).to_vec());
            return;
        }
        match tar::records(content) {
            Ok(Records { name, size, is_sparse, side, side_error }) => {
                self.records.name = name.or(self.records.name.take());
                self.records.size = size.or(self.records.size);
                self.records.is_sparse |= is_sparse;
                self.records.side.report_id = side.report_id.or(self.records.side.report_id.take());
                self.records.side.is_verified = side.is_verified.or(self.records.side.is_verified);
                if let Some(error) = side_error {
                    self.wrong.get_or_insert(Error::new(Code::Can, "", error));
                }
            }
            Err(error) => {
                self.wrong.get_or_insert(Error::new(Code::Can, "", error));
            }
        }
    }

    /// The error if the archive ends here, with `pending` unread bytes; `None` between members.
    pub(super) fn ended(&self, pending: usize) -> Option<Error> {
        let what = match self.state {
            State::Header if pending == 0 => return None,
            State::End | State::Skip(0) => return None,
            // The last bytes of the last block are padding.
            State::Skip(left) if left < BLOCK as u64 => return None,
            State::Header | State::Records(..) | State::SparseMap(_) => "a header",
            State::Content(_) => "this member",
            State::Skip(_) => "a member",
        };
        Some(Error::new(Code::Can, "", format!("the archive ends inside {what}")))
    }
}

/// Bytes after a content of that size, up to the next block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// The error of a sparse member. No collector writes one.
fn sparse_error() -> Error {
    Error::new(Code::Can, "", "a sparse member, which cannot be read")
}

/// Why a member with this name is rejected. No collector writes such names.
pub(super) fn unsafe_name(name: &[u8]) -> Option<Error> {
    let error = |sentence: &str| Some(Error::new(Code::Can, "", sentence));
    if name.starts_with(b"/") {
        return error("a member with an absolute name");
    }
    if name.split(|&byte| byte == b'/').any(|part| part == b"..") {
        return error("a member whose name points outside the archive");
    }
    None
}
