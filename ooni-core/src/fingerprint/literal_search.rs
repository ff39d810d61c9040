//! Searches a text, decoded or not, for a fixed set of literals.

use super::needles::{self, RawNeedle, RawSearch};
use super::qgram::{QGram, SHORT_NEEDLE, TooManyCandidates};
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;
use std::ops::ControlFlow;
use std::sync::OnceLock;

/// The literals found in one text.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundLiterals {
    /// By literal: the first offset, `usize::MAX` for none.
    first: Vec<usize>,
    /// The literals that were found.
    which: Vec<u32>,
}

impl FoundLiterals {
    /// Clears it for a new text and this many literals.
    pub(super) fn clear(&mut self, literals: usize) {
        for &literal in &self.which {
            if let Some(first) = self.first.get_mut(literal as usize) {
                *first = usize::MAX;
            }
        }
        self.which.clear();
        self.first.resize(literals, usize::MAX);
    }

    pub(super) fn add(&mut self, literal: u32, at: usize) {
        let first = &mut self.first[literal as usize];
        if *first == usize::MAX {
            self.which.push(literal);
        }
        *first = at.min(*first);
    }

    /// Each literal that was found and its first offset.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, usize)> {
        self.which.iter().map(|&literal| (literal, self.first[literal as usize]))
    }
}

/// The literal of a needle in undecoded text.
#[derive(Clone, Copy, Debug)]
struct RawUse {
    literal: u32,
    start: u32,
    end: u32,
}

/// The scans for a set of literals. Literals are numbered as given; empty ones are not searched.
#[derive(Clone, Debug)]
pub(super) struct LiteralSearch {
    literals: Vec<(u32, String)>,
    /// For decoded text: the index, and literals that are too short for it.
    exact: QGram,
    exact_ids: Vec<u32>,
    exact_short: Vec<(u32, memmem::Finder<'static>)>,
    /// For undecoded text, likewise.
    raw: QGram,
    raw_uses: Vec<RawUse>,
    raw_short: Vec<memmem::Finder<'static>>,
    /// Some literal cannot be searched in undecoded text.
    decode: bool,
    /// For text crafted to defeat the index; built on first use.
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl LiteralSearch {
    pub(super) fn new<'a>(literals: impl Iterator<Item = (u32, &'a str, &'a RawSearch)>) -> Self {
        let literals: Vec<_> = literals.filter(|(_, text, _)| !text.is_empty()).collect();
        let mut exact = Vec::new();
        let mut exact_ids = Vec::new();
        let mut exact_short = Vec::new();
        let mut raw = Vec::new();
        let mut raw_uses = Vec::new();
        let mut raw_short = Vec::new();
        let mut decode = false;
        for (at, &(id, text, plan)) in (0..).zip(&literals) {
            if text.len() >= SHORT_NEEDLE {
                exact.push((text.as_bytes(), 0..text.len()));
                exact_ids.push(id);
            } else {
                exact_short.push((id, memmem::Finder::new(text).into_owned()));
            }
            match plan {
                RawSearch::Needles(needles) => {
                    for RawNeedle { bytes, window, part } in needles {
                        let (start, end) = (part.start as u32, part.end as u32);
                        raw_uses.push(RawUse { literal: at, start, end });
                        raw.push((bytes.as_slice(), window.clone()));
                    }
                }
                RawSearch::Short(pieces) => {
                    for piece in pieces {
                        if piece.len() >= SHORT_NEEDLE {
                            // The needle is the whole literal: nothing before or after it is compared.
                            raw_uses.push(RawUse { literal: at, start: 0, end: text.len() as u32 });
                            raw.push((piece.as_slice(), 0..piece.len()));
                        } else {
                            raw_short.push(memmem::Finder::new(piece).into_owned());
                        }
                    }
                }
                RawSearch::Decode => decode = true,
            }
        }
        let exact = QGram::new(&exact);
        let raw = QGram::new(&raw);
        let literals = literals.iter().map(|&(id, text, _)| (id, text.to_owned())).collect();
        let automaton = OnceLock::new();
        Self { literals, exact, exact_ids, exact_short, raw, raw_uses, raw_short, decode, automaton }
    }

    /// Whether undecoded text may contain any of the literals; its spelling must not be odd.
    pub(super) fn may_be_in(&self, raw: &[u8]) -> bool {
        if self.decode {
            return true;
        }
        let hit = |needle: usize, from: usize, to: usize| {
            let RawUse { literal, start, end } = self.raw_uses[needle];
            let literal = self.literals[literal as usize].1.as_str();
            let (before, after) = (&literal[..start as usize], &literal[end as usize..]);
            if needles::may_start_with(&raw[to..], after) && needles::may_end_with(&raw[..from], before) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        // Text with too many candidates is decoded, because the scan of decoded text has a fallback.
        self.raw.scan(raw, hit).unwrap_or(true) || self.raw_short.iter().any(|finder| finder.find(raw).is_some())
    }

    /// Finds all literals in decoded text.
    pub(super) fn find(&self, text: &[u8], found: &mut FoundLiterals) {
        let result = self.exact.scan(text, |needle, from, _| {
            found.add(self.exact_ids[needle], from);
            ControlFlow::Continue(())
        });
        if let Err(TooManyCandidates) = result {
            self.find_by_automaton(text, found);
            return;
        }
        for (id, finder) in &self.exact_short {
            if let Some(at) = finder.find(text) {
                found.add(*id, at);
            }
        }
    }

    /// Finds all literals, including those that the abandoned scan has already found.
    fn find_by_automaton(&self, text: &[u8], found: &mut FoundLiterals) {
        let build = || {
            let texts = self.literals.iter().map(|(_, text)| text);
            // Only the standard kind reports overlapping matches.
            AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).ok()
        };
        if let Some(automaton) = self.automaton.get_or_init(build) {
            for hit in automaton.find_overlapping_iter(text) {
                found.add(self.literals[hit.pattern()].0, hit.start());
            }
            return;
        }
        // The list is too large for an automaton.
        for (id, literal) in &self.literals {
            if let Some(at) = memmem::find(text, literal.as_bytes()) {
                found.add(*id, at);
            }
        }
    }
}
