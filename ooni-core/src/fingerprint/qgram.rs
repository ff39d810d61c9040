//! The scan: finds many byte strings in a text by looking at four bytes out of every four.
//!
//! A needle of seven bytes or more covers an aligned group of four wherever it stands, so it is enough to
//! look at the aligned groups: each needle puts the four groups of its rarest seven bytes into a small
//! bitmap that stays in the first-level cache. Text that hits nothing costs one multiplication and one
//! load per four bytes; a hit is looked up in a table and compared in full.
//!
//! Belongs here: the index and the scan over bytes. Must not be here: what a needle means, JSON spelling.

use super::rarity;
use std::ops::ControlFlow;

/// A needle shorter than this is not sure to cover an aligned group at each of its four positions.
pub(super) const MIN_NEEDLE: usize = 7;

const BITMAP_BITS: u32 = 17;
const BITMAP_WORDS: usize = 1 << (BITMAP_BITS - 6);
/// One branch per this many bytes: sixteen groups.
const BLOCK: usize = 64;

/// A set of needles, ready to scan with.
#[derive(Clone)]
pub(super) struct QGram {
    bits: Box<[u64; BITMAP_WORDS]>,
    /// Open addressing by group: where its entries start and how many there are (0: a free slot).
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    needles: Vec<Needle>,
    /// All needles, one after the other.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    group: u32,
    start: u32,
    len: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    group: u32,
    needle: u32,
    /// Where in the needle the group stands.
    at: u32,
}

#[derive(Clone, Copy)]
struct Needle {
    start: u32,
    len: u32,
}

/// The scan gave up because the text was made to defeat the bitmap.
pub(super) struct TooManyCandidates;

impl QGram {
    /// Prepares the needles; those shorter than [`MIN_NEEDLE`] are never found.
    ///
    /// `windows[i]` limits where in `needles[i]` the groups may be taken from; they are numbered as given.
    pub(super) fn new<'a>(
        needles: impl Iterator<Item = (&'a [u8], std::ops::Range<usize>)>,
    ) -> Self {
        let mut index = Self {
            bits: Box::new([0; BITMAP_WORDS]),
            slots: Vec::new(),
            entries: Vec::new(),
            needles: Vec::new(),
            bytes: Vec::new(),
        };
        for (needle, window) in needles {
            index.add(needle, window);
        }
        index.fill_table();
        index
    }

    fn add(&mut self, needle: &[u8], window: std::ops::Range<usize>) {
        let id = self.needles.len() as u32;
        self.needles.push(Needle {
            start: self.bytes.len() as u32,
            len: needle.len() as u32,
        });
        self.bytes.extend_from_slice(needle);
        let Some(offset) = self.rarest_window(&needle[window.clone()]) else {
            return;
        };
        for at in (window.start + offset..).take(4) {
            let group = group_at(needle, at);
            let bit = bit_of(group);
            self.bits[bit >> 6] |= 1 << (bit & 63);
            self.entries.push(Entry {
                group,
                needle: id,
                at: at as u32,
            });
        }
    }

    /// Where the four consecutive groups start that will be hit least often. Groups whose bit is set
    /// already cost nothing more.
    fn rarest_window(&self, needle: &[u8]) -> Option<usize> {
        let costs: Vec<u32> = needle
            .windows(4)
            .map(|four| {
                let group = group_at(four, 0);
                let bit = bit_of(group);
                if self.bits[bit >> 6] >> (bit & 63) & 1 == 1 {
                    rarity::cost(group) / 4
                } else {
                    rarity::cost(group)
                }
            })
            .collect();
        let sums = costs.windows(4).map(|four| {
            four.iter()
                .fold(0u32, |sum, &cost| sum.saturating_add(cost))
        });
        sums.enumerate()
            .min_by_key(|&(_, sum)| sum)
            .map(|(offset, _)| offset)
    }

    fn fill_table(&mut self) {
        self.entries
            .sort_unstable_by_key(|entry| (entry.group, entry.needle, entry.at));
        self.slots = vec![Slot::default(); (self.entries.len() * 2).next_power_of_two().max(2)];
        let mut start = 0;
        for run in self.entries.chunk_by(|a, b| a.group == b.group) {
            let mask = self.slots.len() - 1;
            let mut slot = slot_of(run[0].group) & mask;
            while self.slots[slot].len > 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = Slot {
                group: run[0].group,
                start,
                len: run.len() as u32,
            };
            start += run.len() as u32;
        }
    }

    /// Calls `found` with the number and the position of each needle that stands in `text`, each once.
    ///
    /// Positions of one needle come in no particular order. `Ok(true)` if `found` broke off. Text that
    /// makes the comparisons cost more than an automaton would is given up.
    pub(super) fn scan(
        &self,
        text: &[u8],
        mut found: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<bool, TooManyCandidates> {
        if self.entries.is_empty() {
            return Ok(false);
        }
        let mut budget = text.len() + 4096;
        let mut base = 0;
        let mut blocks = text.chunks_exact(BLOCK);
        for block in &mut blocks {
            if self.any_hit(block)
                && self
                    .candidates(text, base, BLOCK, &mut budget, &mut found)?
                    .is_break()
            {
                return Ok(true);
            }
            base += BLOCK;
        }
        let rest = blocks.remainder().len();
        Ok(self
            .candidates(text, base, rest, &mut budget, &mut found)?
            .is_break())
    }

    /// Branch-free over a block: whether any of its groups is in the bitmap.
    #[inline]
    fn any_hit(&self, block: &[u8]) -> bool {
        let mut hits = 0;
        for four in block.chunks_exact(4) {
            let bit = bit_of(group_at(four, 0));
            hits |= self.bits[bit >> 6] >> (bit & 63);
        }
        hits & 1 == 1
    }

    #[inline(never)]
    fn candidates(
        &self,
        text: &[u8],
        base: usize,
        len: usize,
        budget: &mut usize,
        found: &mut impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TooManyCandidates> {
        for (group_index, four) in text[base..base + len].chunks_exact(4).enumerate() {
            let group = group_at(four, 0);
            let bit = bit_of(group);
            if self.bits[bit >> 6] >> (bit & 63) & 1 == 0 {
                continue;
            }
            let at = base + group_index * 4;
            for entry in self.entries_of(group) {
                let needle = self.needle(entry.needle as usize);
                let Some(start) = at.checked_sub(entry.at as usize) else {
                    continue;
                };
                // What a comparison may cost, not what it did cost: it stops at the first difference.
                *budget = budget
                    .checked_sub(1 + needle.len() / 16)
                    .ok_or(TooManyCandidates)?;
                if text[start..].starts_with(needle)
                    && found(entry.needle as usize, start).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn entries_of(&self, group: u32) -> &[Entry] {
        let mask = self.slots.len() - 1;
        let mut at = slot_of(group) & mask;
        loop {
            let slot = self.slots[at];
            if slot.len == 0 {
                return &[];
            }
            if slot.group == group {
                return &self.entries[slot.start as usize..(slot.start + slot.len) as usize];
            }
            at = (at + 1) & mask;
        }
    }

    pub(super) fn needle_len(&self, id: usize) -> usize {
        self.needles[id].len as usize
    }

    fn needle(&self, id: usize) -> &[u8] {
        let needle = self.needles[id];
        &self.bytes[needle.start as usize..(needle.start + needle.len) as usize]
    }
}

impl std::fmt::Debug for QGram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QGram({} needles)", self.needles.len())
    }
}

#[inline]
fn group_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[inline]
fn bit_of(group: u32) -> usize {
    (group.wrapping_mul(rarity::MULTIPLIER) >> (32 - BITMAP_BITS)) as usize
}

/// Another multiplier than the bitmap's: its collisions must not pile up here too.
fn slot_of(group: u32) -> usize {
    (group.wrapping_mul(0x9e37_79b1) >> 12) as usize
}
