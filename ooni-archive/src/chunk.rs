//! [`Chunk`]: a piece of the text of a container, and the entries in it.
//!
//! Readers of containers fill a chunk and workers read it, without a copy in between. Chunks are reused. Entries are not
//! parsed here.

use ooni_core::error::Error;
use ooni_core::measurement::SideRecord;
use std::ops::Range;

/// Size of the text of a chunk in bytes, unless a single entry needs more.
pub const TARGET: usize = 1 << 20;

/// Maximum size of a chunk unless [growth is allowed](Chunk::allow_growth), and maximum capacity that is kept for reuse.
pub const KEPT: usize = 4 * TARGET;

/// Maximum number of entries of a chunk. A measurement has thousands of bytes, but a line can be empty.
const MOST_ENTRIES: usize = 1 << 14;

/// Whether there is more to read of a can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// The chunk is full; the can may have more.
    More,
    /// The can is at its end.
    End,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error of the whole file, or of a whole member.
    Whole,
    /// A file that is one measurement or POST body.
    Document,
    /// A line that is a measurement.
    Line,
    /// The same in a can of the years up to 2020, whose lines have no uid.
    LegacyLine,
    /// A line that is an object with a uid and a measurement as text.
    Case,
    /// A member of a postcan: a POST body.
    Post,
    /// An entry of a YAML report, already normalized.
    Yaml,
}

/// A name among those of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Range<usize>);

/// The position of an entry in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The member of an archive.
    pub member: Option<Name>,
    /// The number of the line or entry in its file or member, from 1; 0 if it is neither.
    pub number: u64,
    /// The number of the measurement in its file from 0, across all members.
    pub index: u64,
    /// Offset of its first byte in the decompressed file. For [`Kind::Whole`] the offset of the error in the file as it is
    /// stored, if it has one.
    pub offset: Option<u64>,
}

/// A measurement to be read, or the error in its place.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub position: Position,
    /// Why it cannot be read.
    pub error: Option<Box<Error>>,
    /// Whether the reference stops reading the can here.
    pub aborts_can: bool,
    text: Text,
    /// `None` for most entries, so that they are small.
    side: Option<Box<SideRecord<'static>>>,
}

impl Entry {
    fn new(kind: Kind, position: Position, text: Text) -> Entry {
        Entry { kind, position, error: None, aborts_can: false, text, side: None }
    }

    /// Its side record; empty unless it is a POST body that has one.
    pub fn side(&self) -> &SideRecord<'static> {
        self.side.as_deref().unwrap_or(&SideRecord::EMPTY)
    }
}

/// Where the text of an entry is.
#[derive(Clone, Debug)]
enum Text {
    /// Where it was decompressed to.
    Read(Range<usize>),
    /// In the normalized text, and where it was decompressed to.
    Normalized(Range<usize>, Range<usize>),
}

/// Text and the entries in it, in order.
#[derive(Debug)]
pub struct Chunk {
    /// Initialized to its end, so that decompressors can write into it.
    text: Vec<u8>,
    /// Bytes of `text` that are in use.
    filled: usize,
    /// Text that was changed by normalization.
    normalized: Vec<u8>,
    target: usize,
    names: Vec<u8>,
    entries: Vec<Entry>,
    may_grow: bool,
    needs_growth: bool,
}

impl Chunk {
    /// An empty chunk that is full at `target` bytes.
    pub fn new(target: usize) -> Chunk {
        Chunk {
            text: vec![0; target],
            filled: 0,
            normalized: Vec::new(),
            target,
            names: Vec::new(),
            entries: Vec::new(),
            may_grow: false,
            needs_growth: false,
        }
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        if self.text.len() > KEPT {
            self.text.truncate(self.target);
            self.text.shrink_to_fit();
        }
        self.filled = 0;
        self.normalized.clear();
        self.normalized.shrink_to(KEPT);
        self.names.clear();
        self.entries.clear();
        (self.may_grow, self.needs_growth) = (false, false);
    }

    /// Allows it to grow as much as a single entry needs.
    pub fn allow_growth(&mut self) {
        self.may_grow = true;
        self.needs_growth = false;
    }

    /// Whether it has no entry because it would have to [grow](Chunk::allow_growth).
    pub fn needs_growth(&self) -> bool {
        self.needs_growth
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The text of an entry.
    pub fn text(&self, entry: &Entry) -> &[u8] {
        match &entry.text {
            Text::Read(range) => self.text.get(range.clone()),
            Text::Normalized(range, _) => self.normalized.get(range.clone()),
        }
        .unwrap_or_default()
    }

    /// The text of the entry with this number, to keep. If it is larger than `small`, it is not copied: the chunk loses its text.
    pub(crate) fn take_text(&mut self, number: usize, small: usize) -> Vec<u8> {
        let Some(entry) = self.entries.get(number) else { return Vec::new() };
        let (from, range) = match &entry.text {
            Text::Read(range) => (&mut self.text, range.clone()),
            Text::Normalized(range, _) => (&mut self.normalized, range.clone()),
        };
        if range.len() <= small {
            return from.get(range).unwrap_or_default().to_vec();
        }
        let mut text = std::mem::take(from);
        text.truncate(range.end);
        text.drain(..range.start);
        text.shrink_to_fit();
        text
    }

    /// The bytes of an entry as in the file.
    pub fn body(&self, entry: &Entry) -> &[u8] {
        let (Text::Read(range) | Text::Normalized(_, range)) = &entry.text;
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The member of an entry.
    pub fn member(&self, entry: &Entry) -> Option<&[u8]> {
        self.names.get(entry.position.member.as_ref()?.0.clone())
    }

    /// Whether it has entries and not much space left.
    pub fn is_full(&self) -> bool {
        self.has_enough_entries()
            || !self.entries.is_empty() && self.filled + self.target / 8 > self.text.len().min(self.target)
    }

    /// Whether it has the maximum number of entries.
    pub fn has_enough_entries(&self) -> bool {
        self.entries.len() >= MOST_ENTRIES || self.normalized.len() >= 2 * self.target
    }

    /// Whether it has reached its maximum size without an entry; [`Chunk::needs_growth`] returns the same afterwards.
    pub(crate) fn check_growth(&mut self) -> bool {
        self.needs_growth = !self.may_grow
            && self.entries.is_empty()
            && self.text.len() >= KEPT
            && self.text.len() - self.filled < self.target / 8;
        self.needs_growth
    }

    /// The end of the text so far.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The text from `start` on.
    pub fn pending(&self, start: usize) -> &[u8] {
        self.text.get(start..self.filled).unwrap_or_default()
    }

    /// The free space after the text, at least an eighth of the target. Call [`Chunk::advance`] with the bytes written.
    pub fn room(&mut self) -> &mut [u8] {
        if self.text.len() - self.filled < self.target / 8 {
            self.grow(self.filled + self.target / 8);
        }
        &mut self.text[self.filled..]
    }

    /// Counts bytes that were written to [`Chunk::room`].
    pub fn advance(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.text.len());
    }

    /// Appends text.
    pub fn append(&mut self, text: &[u8]) {
        let end = self.filled + text.len();
        if end > self.text.len() {
            self.grow(end);
        }
        self.text[self.filled..end].copy_from_slice(text);
        self.filled = end;
    }

    /// Doubles while it is small, then adds a quarter: the old and the new text are both held for a moment.
    fn grow(&mut self, least: usize) {
        let length = self.text.len();
        let more = if length < 16 * TARGET { length } else { length / 4 };
        self.text.reserve_exact(least.max(length + more) - length);
        self.text.resize(least.max(length + more), 0);
    }

    /// Discards the text from `start` on.
    pub fn truncate(&mut self, start: usize) {
        self.filled = self.filled.min(start);
    }

    /// Discards the text before `start`, if that is worth moving the rest. There must be no entries.
    pub fn forget_until(&mut self, start: &mut usize) {
        if *start > self.target / 2 {
            self.text.copy_within(*start..self.filled, 0);
            self.filled -= *start;
            *start = 0;
        }
    }

    /// Adds a name.
    pub fn push_name(&mut self, name: &[u8]) -> Name {
        let start = self.names.len();
        self.names.extend_from_slice(name);
        Name(start..self.names.len())
    }

    /// Adds an entry at a range of the text.
    pub fn push(&mut self, kind: Kind, position: Position, text: Range<usize>) {
        self.entries.push(Entry::new(kind, position, Text::Read(text)));
    }

    /// Adds an entry whose text is appended by `normalize`, unless that fails.
    ///
    /// # Errors
    /// The error of `normalize`.
    pub fn push_normalized<E>(
        &mut self,
        kind: Kind,
        position: Position,
        text: Range<usize>,
        normalize: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let start = self.normalized.len();
        match normalize(self.text.get(text.clone()).unwrap_or_default(), &mut self.normalized) {
            Ok(true) => {
                let text = Text::Normalized(start..self.normalized.len(), text);
                self.entries.push(Entry::new(kind, position, text));
                Ok(())
            }
            Ok(false) => {
                self.normalized.truncate(start);
                Ok(())
            }
            Err(error) => {
                self.normalized.truncate(start);
                Err(error)
            }
        }
    }

    /// Adds an error in place of an entry.
    pub fn push_error(&mut self, kind: Kind, position: Position, error: Error) {
        let error = Some(Box::new(error));
        self.entries.push(Entry { error, ..Entry::new(kind, position, Text::Read(0..0)) });
    }

    /// Gives the last entry a side record.
    pub(crate) fn set_side(&mut self, side: SideRecord<'static>) {
        if let Some(entry) = self.entries.last_mut() {
            entry.side = Some(Box::new(side));
        }
    }

    /// Marks the last entry as one where the reference stops reading the can.
    pub fn mark_abort(&mut self) {
        if let Some(entry) = self.entries.last_mut() {
            entry.aborts_can = true;
        }
    }
}
