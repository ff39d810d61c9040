//! The scan: finds many byte strings in a text by looking at four bytes out of every four.
//!
//! A needle of seven bytes or more covers an aligned group of four wherever it stands, so it is enough to
//! look at the aligned groups: each needle marks the four groups of its rarest seven bytes in a
//! table that stays in the cache. Text that hits nothing costs one multiplication and one
//! load per four bytes; a hit is looked up in a table and compared in full.
//!
//! Belongs here: the index and the scan over bytes. Must not be here: what a needle means, JSON spelling.

use super::rarity::{self, hash};
use std::ops::{ControlFlow, Range};

/// A needle shorter than this is not sure to cover an aligned group at each of its four positions.
pub(super) const MIN_NEEDLE: usize = 7;

/// The one shorter length that is found too, at the price of more groups.
pub(super) const SHORT_NEEDLE: usize = 6;

/// The size of a table that is indexed by [`rarity::hash`]. A byte each: a bit would cost a shift more.
const GROUPS: usize = 1 << rarity::HASH_BITS;
/// Sixteen groups.
const BLOCK: usize = 64;
/// Blocks looked at before the hits among them are followed.
const BATCH: usize = 64;

/// A set of needles, ready to scan with.
#[derive(Clone)]
pub(super) struct QGram {
    /// By hash of a group: 1 if a comparison may start there.
    hit: Box<[u8; GROUPS]>,
    /// By hash of a group: where its entries start. Those of the next hash start where they end.
    heads: Vec<u32>,
    entries: Vec<Entry>,
    needles: Vec<Needle>,
    /// All needles, one after the other.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Eight bytes of the needle around its groups, fewer if it is shorter.
    around: u64,
    group: u32,
    needle: u32,
    /// Where the group stands in the needle, and in `around`.
    at: i32,
    at_around: i8,
    /// The bits of `around` that count, from the lowest.
    around_bits: u8,
}

#[derive(Clone, Copy)]
struct Needle {
    start: u32,
    len: u32,
}

/// The scan gave up because the text was made to defeat the table.
#[derive(Debug)]
pub(super) struct TooManyCandidates;

impl QGram {
    /// Prepares needles of [`SHORT_NEEDLE`] bytes or more; a shorter one is never found. With each comes the
    /// part of it that its groups may be taken from. They are numbered as given.
    pub(super) fn new(needles: &[(&[u8], Range<usize>)]) -> Self {
        let mut index = Self {
            hit: Box::new([0; GROUPS]),
            heads: Vec::new(),
            entries: Vec::with_capacity(needles.len() * 4),
            needles: Vec::with_capacity(needles.len()),
            bytes: Vec::new(),
        };
        for (needle, _) in needles {
            index.needles.push(Needle { start: index.bytes.len() as u32, len: needle.len() as u32 });
            index.bytes.extend_from_slice(needle);
        }
        // Those with little choice go first: the others can then share what they have set.
        let mut order: Vec<usize> = (0..needles.len()).collect();
        order.sort_by_key(|&id| needles[id].1.len());
        for id in order {
            let (needle, window) = &needles[id];
            index.add(id as u32, needle, window.clone());
        }
        index.fill_table();
        index
    }

    fn add(&mut self, id: u32, needle: &[u8], window: Range<usize>) {
        if needle.len() == SHORT_NEEDLE {
            self.add_short(id, needle);
            return;
        }
        let Some(offset) = self.rarest_window(&needle[window.clone()]) else {
            return;
        };
        let start = window.start + offset;
        let from = start.min(needle.len().saturating_sub(8));
        for at in start..start + 4 {
            self.add_group(id, group_at(&needle[at..]), at as i32, &needle[from..], (at - from) as i8);
        }
    }

    /// Three groups are inside; a needle that starts right after an aligned place shows in the group there,
    /// whatever the byte before it.
    fn add_short(&mut self, id: u32, needle: &[u8]) {
        for at in 0..3 {
            self.add_group(id, group_at(&needle[at..]), at as i32, needle, at as i8);
        }
        for before in 0..=u8::MAX {
            self.add_group(id, u32::from_le_bytes([before, needle[0], needle[1], needle[2]]), -1, needle, -1);
        }
    }

    fn add_group(&mut self, needle: u32, group: u32, at: i32, around: &[u8], at_around: i8) {
        self.hit[hash(group)] = 1;
        let mut eight = [0; 8];
        let len = around.len().min(8);
        eight[..len].copy_from_slice(&around[..len]);
        let around = u64::from_le_bytes(eight);
        self.entries.push(Entry { around, group, needle, at, at_around, around_bits: 8 * len as u8 });
    }

    /// Where the four consecutive groups start that will be hit least often. Groups that are marked
    /// already cost little more.
    fn rarest_window(&self, needle: &[u8]) -> Option<usize> {
        let cost = |group: u32| {
            let set = self.hit[hash(group)] == 1;
            if set { rarity::cost(group) / 2 } else { rarity::cost(group) }
        };
        rarity::windows(needle, cost).min_by_key(|&(_, cost)| cost).map(|(offset, _)| offset)
    }

    fn fill_table(&mut self) {
        let buckets = self.entries.len().next_power_of_two();
        let bucket = |group| bucket_of(group) & (buckets - 1);
        self.entries.sort_unstable_by_key(|entry| (bucket(entry.group), entry.group, entry.needle, entry.at));
        self.heads = vec![0; buckets + 1];
        for entry in &self.entries {
            self.heads[bucket(entry.group) + 1] += 1;
        }
        for at in 1..self.heads.len() {
            self.heads[at] += self.heads[at - 1];
        }
    }

    /// Calls `found` with the number, the start and the end of each needle that stands in `text`, each once.
    ///
    /// Places of one needle come in no particular order. `Ok(true)` if `found` broke off. Text that makes
    /// the comparisons cost more than an automaton would is given up.
    pub(super) fn scan(
        &self,
        text: &[u8],
        mut found: impl FnMut(usize, usize, usize) -> ControlFlow<()>,
    ) -> Result<bool, TooManyCandidates> {
        if self.entries.is_empty() {
            return Ok(false);
        }
        let mut budget = text.len() + 4096;
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        for (number, batch) in blocks.chunks(BATCH).enumerate() {
            // Which blocks are hit is not to be foreseen: no branch until the batch is done.
            let mut hit_blocks = [(0, 0); BATCH];
            let mut count = 0;
            for (at, block) in batch.iter().enumerate() {
                let hits = self.hits(block.as_chunks().0);
                hit_blocks[count] = (at, hits);
                count += usize::from(hits != 0);
            }
            for &(at, hits) in &hit_blocks[..count] {
                let base = (number * BATCH + at) * BLOCK;
                if self.candidates(text, base, hits, &mut budget, &mut found)?.is_break() {
                    return Ok(true);
                }
            }
        }
        let hits = self.hits(rest.as_chunks().0);
        Ok(self.candidates(text, text.len() - rest.len(), hits, &mut budget, &mut found)?.is_break())
    }

    /// Which groups may start a comparison, the first in the lowest bit.
    #[inline(always)]
    fn hits(&self, groups: &[[u8; 4]]) -> u32 {
        groups.iter().rev().fold(0, |hits, four| hits * 2 + u32::from(self.hit[hash(u32::from_le_bytes(*four))]))
    }

    #[inline]
    fn candidates(
        &self,
        text: &[u8],
        base: usize,
        mut hits: u32,
        budget: &mut usize,
        found: &mut impl FnMut(usize, usize, usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TooManyCandidates> {
        while hits != 0 {
            let at = base + hits.trailing_zeros() as usize * 4;
            hits &= hits - 1;
            let group = group_at(&text[at..]);
            let entries = self.entries_of(group);
            *budget = budget.checked_sub(entries.len()).ok_or(TooManyCandidates)?;
            for entry in entries {
                if entry.group != group || !entry.may_stand_at(text, at) {
                    continue;
                }
                let Needle { start, len } = self.needles[entry.needle as usize];
                let needle = &self.bytes[start as usize..(start + len) as usize];
                let Some(from) = at.checked_add_signed(-(entry.at as isize)) else {
                    continue;
                };
                // What the comparison may cost, not what it did cost: it stops at the first difference.
                *budget = budget.checked_sub(needle.len() / 16).ok_or(TooManyCandidates)?;
                if text[from..].starts_with(needle)
                    && found(entry.needle as usize, from, from + needle.len()).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    #[inline]
    fn entries_of(&self, group: u32) -> &[Entry] {
        let bucket = bucket_of(group) & (self.heads.len() - 2);
        &self.entries[self.heads[bucket] as usize..self.heads[bucket + 1] as usize]
    }
}

impl Entry {
    /// Compares the bytes around a group at `at` at once.
    #[inline]
    fn may_stand_at(&self, text: &[u8], at: usize) -> bool {
        let Some(rest) = at.checked_add_signed(-isize::from(self.at_around)).and_then(|from| text.get(from..)) else {
            return false;
        };
        // Too near to the end to load eight bytes: leave it to the comparison in full.
        rest.first_chunk::<8>()
            .is_none_or(|eight| (u64::from_le_bytes(*eight) ^ self.around) << (64 - self.around_bits) == 0)
    }
}

impl std::fmt::Debug for QGram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QGram({} needles)", self.needles.len())
    }
}

/// The group at the start of `bytes`, which has four bytes or more.
#[inline]
fn group_at(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Another multiplier than the bitmap's: groups that share a mark must not share a bucket too.
#[inline]
fn bucket_of(group: u32) -> usize {
    (group.wrapping_mul(0x85eb_ca6b) >> 10) as usize
}
