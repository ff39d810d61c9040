//! [`Chunk`]: a piece of text out of a container, and where the entries are in it.
//!
//! Containers write into a chunk, workers read out of it; nothing is copied in between. A chunk is used again and again.
//! What an entry is worth is none of its business.

use ooni_core::error::Error;
use std::ops::Range;

/// Text of a chunk in bytes, when no single entry needs more.
pub const TARGET: usize = 1 << 20;

/// A chunk does not grow beyond this unless it [may](Chunk::let_grow), and gives back what it has beyond it.
pub const KEPT: usize = 4 * TARGET;

/// Entries of a chunk: a measurement has some thousand bytes, but a line can be empty.
const MOST_ENTRIES: usize = 1 << 14;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file, or a member of it, as a whole: something is wrong with it.
    Whole,
    /// A file that is one measurement or POST body.
    Document,
    /// A line that is a measurement.
    Line,
    /// The same in a can of the years up to 2020, where a line says nothing of its uid.
    OldLine,
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

/// Position an entry is in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The member of an archive.
    pub member: Option<Name>,
    /// The line or entry in its file or member, from 1; 0 for what is neither.
    pub number: u64,
    /// The measurement in its file from 0, counted through all members.
    pub place: u64,
    /// Offset of its first byte in the file, decompressed. For [`Kind::Whole`] the offset of the trouble in the file as
    /// it lies there, if it has one.
    pub at: Option<u64>,
}

/// One measurement to be read, or something in its place that cannot be.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Position it is.
    pub at: Position,
    /// Why it cannot be read.
    pub trouble: Option<Box<Error>>,
    /// Whether the reference gives up the can here.
    pub gives_up: bool,
    text: Place,
}

/// Position the text of an entry is.
#[derive(Clone, Debug)]
enum Place {
    /// Position it was decompressed to.
    Read(Range<usize>),
    /// Among what was made of it, and where it was decompressed to.
    Made(Range<usize>, Range<usize>),
}

/// Text and the entries in it, in order.
#[derive(Debug)]
pub struct Chunk {
    /// Initialised to its end, so that decompressors can write anywhere.
    text: Vec<u8>,
    /// Bytes of `text` that are in use.
    filled: usize,
    /// Text that is not as it was in the file.
    made: Vec<u8>,
    target: usize,
    names: Vec<u8>,
    entries: Vec<Entry>,
    may_grow: bool,
    cramped: bool,
}

impl Chunk {
    /// An empty chunk that is full at `target` bytes.
    pub fn new(target: usize) -> Chunk {
        Chunk {
            text: vec![0; target],
            filled: 0,
            made: Vec::new(),
            target,
            names: Vec::new(),
            entries: Vec::new(),
            may_grow: false,
            cramped: false,
        }
    }

    /// Makes it as new, but for its memory.
    pub fn clear(&mut self) {
        if self.text.len() > KEPT {
            self.text.truncate(self.target);
            self.text.shrink_to_fit();
        }
        self.filled = 0;
        self.made.clear();
        self.made.shrink_to(KEPT);
        self.names.clear();
        self.entries.clear();
        (self.may_grow, self.cramped) = (false, false);
    }

    /// Lets it have as much text as a single entry needs.
    pub fn let_grow(&mut self) {
        self.may_grow = true;
        self.cramped = false;
    }

    /// Whether it has no entry because it [may](Chunk::let_grow) not grow.
    pub fn is_cramped(&self) -> bool {
        self.cramped
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The text of an entry.
    pub fn text(&self, entry: &Entry) -> &[u8] {
        match &entry.text {
            Place::Read(range) => self.text.get(range.clone()),
            Place::Made(range, _) => self.made.get(range.clone()),
        }
        .unwrap_or_default()
    }

    /// The bytes of an entry as they were in the file.
    pub fn body(&self, entry: &Entry) -> &[u8] {
        let (Place::Read(range) | Place::Made(_, range)) = &entry.text;
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The member of an entry.
    pub fn member(&self, entry: &Entry) -> Option<&[u8]> {
        self.names.get(entry.at.member.as_ref()?.0.clone())
    }

    /// True when there is something to work on and no room for much more.
    pub fn is_full(&self) -> bool {
        self.is_crowded()
            || !self.entries.is_empty() && self.filled + self.target / 8 > self.text.len().min(self.target)
    }

    /// True when it has as many entries as it may.
    pub fn is_crowded(&self) -> bool {
        self.entries.len() >= MOST_ENTRIES || self.made.len() >= 2 * self.target
    }

    /// True when it has grown as far as it may. Says so by [`Chunk::is_cramped`].
    pub(crate) fn cramp(&mut self) -> bool {
        self.cramped = !self.may_grow
            && self.entries.is_empty()
            && self.text.len() >= KEPT
            && self.text.len() - self.filled < self.target / 8;
        self.cramped
    }

    /// The end of the text so far.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The text from `start` on.
    pub fn pending(&self, start: usize) -> &[u8] {
        self.text.get(start..self.filled).unwrap_or_default()
    }

    /// Room behind the text, at least an eighth of the target; [`Chunk::advance`] says how much of it was used.
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

    /// Twice as large while that is little, then by half: what was not needed has to be held as well.
    fn grow(&mut self, least: usize) {
        let length = self.text.len();
        let more = if length < 16 * TARGET { length } else { length / 4 };
        self.text.reserve_exact(least.max(length + more) - length);
        self.text.resize(least.max(length + more), 0);
    }

    /// Forgets the text from `start` on.
    pub fn truncate(&mut self, start: usize) {
        self.filled = self.filled.min(start);
    }

    /// Forgets the text before `start`, when that is worth moving the rest; there must be no entries.
    pub fn forget_until(&mut self, start: &mut usize) {
        if *start > self.target / 2 {
            self.text.copy_within(*start..self.filled, 0);
            self.filled -= *start;
            *start = 0;
        }
    }

    /// Keeps a name.
    pub fn push_name(&mut self, name: &[u8]) -> Name {
        let start = self.names.len();
        self.names.extend_from_slice(name);
        Name(start..self.names.len())
    }

    /// Adds an entry that is to be read, out of the text.
    pub fn push(&mut self, kind: Kind, at: Position, text: Range<usize>) {
        self.entries.push(Entry { kind, at, text: Place::Read(text), trouble: None, gives_up: false });
    }

    /// Adds an entry whose text `make` appends to what it is given, unless that fails.
    ///
    /// # Errors
    /// That of `make`.
    pub fn push_made<E>(
        &mut self,
        kind: Kind,
        at: Position,
        text: Range<usize>,
        make: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let start = self.made.len();
        match make(self.text.get(text.clone()).unwrap_or_default(), &mut self.made) {
            Ok(true) => {
                let text = Place::Made(start..self.made.len(), text);
                self.entries.push(Entry { kind, at, text, trouble: None, gives_up: false });
                Ok(())
            }
            Ok(false) => {
                self.made.truncate(start);
                Ok(())
            }
            Err(error) => {
                self.made.truncate(start);
                Err(error)
            }
        }
    }

    /// Adds something that cannot be read.
    pub fn push_trouble(&mut self, kind: Kind, at: Position, error: Error) {
        self.entries.push(Entry { kind, at, text: Place::Read(0..0), trouble: Some(Box::new(error)), gives_up: false });
    }

    /// Notes that the reference gives up the can at the entry that was added last.
    pub fn give_up(&mut self) {
        if let Some(entry) = self.entries.last_mut() {
            entry.gives_up = true;
        }
    }
}
