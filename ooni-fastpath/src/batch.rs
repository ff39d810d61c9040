//! [`Batch`]: a piece of text out of containers, and where the entries are in it.
//!
//! Containers write into a batch, workers read out of it; nothing is copied in between. A batch is used again and again.
//! What an entry is worth is none of its business.

use ooni_core::error::Error;
use std::ops::Range;
use std::sync::Arc;

/// Text of a batch in bytes, when no single entry needs more.
pub const TARGET: usize = 1 << 20;

/// A batch that has grown beyond this gives its memory back when it is cleared.
const KEPT: usize = 4 * TARGET;

/// Entries of a batch: a measurement has some thousand bytes, but a line can be empty.
const MOST_ENTRIES: usize = 1 << 14;

/// A file, as outputs name it.
#[derive(Debug)]
pub struct Source {
    /// Its path as given, or `-`.
    pub name: String,
    /// The uid that its name says, for a file of one measurement.
    pub uid: Option<String>,
}

/// What an entry is, and which one in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file as a whole: something is wrong with it.
    File,
    /// A file that is one measurement or POST body.
    Document,
    /// A line, from 1: a measurement.
    Line(u64),
    /// A line, from 1: an object that holds a uid and a measurement as text.
    Case(u64),
    /// A member of a postcan; the place of its name among the names of the batch.
    Member(Range<usize>),
}

/// One measurement to be read, or something in its place that cannot be.
#[derive(Debug)]
pub struct Entry {
    /// Place of its file among those of the batch.
    source: usize,
    /// What it is.
    pub kind: Kind,
    /// Offset of its first byte in the file, decompressed. For [`Kind::File`] the offset of the trouble in the file as
    /// it lies there, if it has one.
    pub at: Option<u64>,
    /// Place in the text of the batch.
    text: Range<usize>,
    /// Why it cannot be read.
    pub trouble: Option<Box<Error>>,
}

/// Text and the entries in it, in order.
#[derive(Debug)]
pub struct Batch {
    /// Initialised to its end, so that decompressors can write anywhere.
    text: Vec<u8>,
    /// Bytes of `text` that are in use.
    filled: usize,
    target: usize,
    names: Vec<u8>,
    sources: Vec<Arc<Source>>,
    entries: Vec<Entry>,
}

impl Batch {
    /// An empty batch that is full at `target` bytes.
    pub fn new(target: usize) -> Batch {
        Batch { text: vec![0; target], filled: 0, target, names: Vec::new(), sources: Vec::new(), entries: Vec::new() }
    }

    /// Makes it as new, but for its memory.
    pub fn clear(&mut self) {
        if self.text.len() > KEPT.max(2 * self.target) {
            self.text.truncate(self.target);
            self.text.shrink_to_fit();
        }
        self.filled = 0;
        self.names.clear();
        self.sources.clear();
        self.entries.clear();
    }

    /// The memory that it holds, near enough.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The text of an entry.
    pub fn text(&self, entry: &Entry) -> &[u8] {
        self.text.get(entry.text.clone()).unwrap_or_default()
    }

    /// The file of an entry.
    pub fn source(&self, entry: &Entry) -> &Source {
        &self.sources[entry.source]
    }

    /// The name of a member.
    pub fn name(&self, name: &Range<usize>) -> &[u8] {
        self.names.get(name.clone()).unwrap_or_default()
    }

    /// Says to which file the entries belong that are pushed from now on.
    pub fn begin(&mut self, source: &Arc<Source>) {
        if !self.sources.last().is_some_and(|last| Arc::ptr_eq(last, source)) {
            self.sources.push(Arc::clone(source));
        }
    }

    /// True when there is something to work on and no room for much more.
    pub fn is_full(&self) -> bool {
        self.is_crowded()
            || !self.entries.is_empty() && self.filled + self.target / 8 > self.text.len().min(self.target)
    }

    /// True when it has as many entries as it may.
    pub fn is_crowded(&self) -> bool {
        self.entries.len() >= MOST_ENTRIES
    }

    /// The end of the text so far.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The text from `start` on.
    pub fn pending(&self, start: usize) -> &[u8] {
        self.text.get(start..self.filled).unwrap_or_default()
    }

    /// Room behind the text, at least an eighth of the target; [`Batch::advance`] says how much of it was used.
    pub fn room(&mut self) -> &mut [u8] {
        if self.text.len() - self.filled < self.target / 8 {
            self.text.resize(self.text.len() * 2, 0);
        }
        &mut self.text[self.filled..]
    }

    /// Counts bytes that were written to [`Batch::room`].
    pub fn advance(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.text.len());
    }

    /// Appends text.
    pub fn append(&mut self, text: &[u8]) {
        let end = self.filled + text.len();
        if end > self.text.len() {
            self.text.resize(end * 2, 0);
        }
        self.text[self.filled..end].copy_from_slice(text);
        self.filled = end;
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
    pub fn push_name(&mut self, name: &[u8]) -> Range<usize> {
        let start = self.names.len();
        self.names.extend_from_slice(name);
        start..self.names.len()
    }

    /// Adds an entry that is to be read.
    pub fn push(&mut self, kind: Kind, at: u64, text: Range<usize>) {
        self.entries.push(Entry {
            source: self.sources.len().saturating_sub(1),
            kind,
            at: Some(at),
            text,
            trouble: None,
        });
    }

    /// Adds something that cannot be read.
    pub fn push_trouble(&mut self, kind: Kind, at: impl Into<Option<u64>>, error: Error) {
        let source = self.sources.len().saturating_sub(1);
        self.entries.push(Entry { source, kind, at: at.into(), text: 0..0, trouble: Some(Box::new(error)) });
    }
}
