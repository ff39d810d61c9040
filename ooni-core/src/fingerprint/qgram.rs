//! A scan that finds many byte strings (needles) in a text by examining aligned groups of four bytes.
//!
//! A needle of seven bytes or more covers an aligned group of four at any position, so only aligned groups need to be
//! examined: each needle marks the four groups of its rarest seven bytes in a table that fits the cache. Text without hits
//! costs one multiplication and one load for every four bytes.
//!
//! A hit is then compared by a hash of eight bytes, the group with four bytes after or before it. Up to here there is hardly a
//! branch that depends on the text, because hits are unpredictable. What remains is looked up in a table and compared in full.

use super::rarity::{self, hash};
use std::ops::{ControlFlow, Range};

/// The minimum length that covers an aligned group at each alignment.
pub(super) const MIN_NEEDLE: usize = 7;

/// The one shorter length that is supported too, at the cost of more groups.
pub(super) const SHORT_NEEDLE: usize = 6;

/// The length from which a needle has four more bytes after or before each of its groups.
const WIDE_NEEDLE: usize = 11;

/// The size of a table that is indexed by [`rarity::hash`]. Its entries are bytes: bits take longer to read, and a smaller
/// table has more hits, which costs more than the cache gains.
const GROUPS: usize = 1 << rarity::HASH_BITS;
/// Bytes of a group.
const GROUP: usize = 4;
/// Bytes that are examined before their hits are compared.
const BATCH: usize = 4096;

/// An index of needles.
#[derive(Clone)]
pub(super) struct QGram {
    /// By hash of a group: 1 if a comparison may start there.
    hit: Box<[u8; GROUPS]>,
    /// Groups of needles of [`WIDE_NEEDLE`] bytes or more, each with the four bytes after it.
    with_after: Box<BitSet>,
    /// The others of these, each with the four bytes before it.
    with_before: Box<BitSet>,
    /// Groups of shorter needles.
    alone: Box<BitSet>,
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
    /// The offset of the group in the needle, and in `around`.
    at: i32,
    at_around: i8,
    /// The valid bits of `around`, from the lowest.
    around_bits: u8,
}

#[derive(Clone, Copy)]
struct Needle {
    start: u32,
    len: u32,
}

/// The scan gave up because the text was crafted to defeat the table.
#[derive(Debug)]
pub(super) struct TooManyCandidates;

impl QGram {
    /// Indexes needles of [`SHORT_NEEDLE`] bytes or more; shorter ones are never found. The groups of each needle are taken
    /// from its range. Needles are numbered in the given order.
    pub(super) fn new(needles: &[(&[u8], Range<usize>)]) -> Self {
        let mut index = Self {
            hit: Box::new([0; GROUPS]),
            with_after: Box::default(),
            with_before: Box::default(),
            alone: Box::default(),
            heads: Vec::new(),
            entries: Vec::with_capacity(needles.len() * 4),
            needles: Vec::with_capacity(needles.len()),
            bytes: Vec::new(),
        };
        for (needle, _) in needles {
            index.needles.push(Needle { start: index.bytes.len() as u32, len: needle.len() as u32 });
            index.bytes.extend_from_slice(needle);
        }
        // Needles with few windows come first, so that the others can share their groups.
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
            if needle.len() < WIDE_NEEDLE {
                self.alone.insert(hash_of_group(group_at(&needle[at..])));
            } else if let Some(eight) = eight_at(needle, at) {
                self.with_after.insert(hash_of_eight(eight));
            } else if let Some(eight) = eight_until(needle, at) {
                self.with_before.insert(hash_of_eight(eight));
            }
            self.add_group(id, group_at(&needle[at..]), at as i32, &needle[from..], (at - from) as i8);
        }
    }

    /// Adds a needle of [`SHORT_NEEDLE`] bytes. Three groups are inside it. If it starts one byte after an aligned position,
    /// the group at that position consists of any byte and the needle's first three bytes.
    fn add_short(&mut self, id: u32, needle: &[u8]) {
        let inside = (0..3).map(|at| (group_at(&needle[at..]), at as i32));
        let before = (0..=u8::MAX).map(|before| (u32::from_le_bytes([before, needle[0], needle[1], needle[2]]), -1));
        for (group, at) in inside.chain(before) {
            self.alone.insert(hash_of_group(group));
            self.add_group(id, group, at, needle, at as i8);
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

    /// The start of the four consecutive groups that are expected to be hit least often. Groups that are already marked add
    /// little cost.
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

    /// Calls `found` with the number, start and end of each occurrence of a needle in `text`, each once.
    ///
    /// The occurrences come in no particular order. `Ok(true)` if `found` stopped the scan. The scan gives up on text for
    /// which comparisons would cost more than an automaton.
    pub(super) fn scan(
        &self,
        text: &[u8],
        mut found: impl FnMut(usize, usize, usize) -> ControlFlow<()>,
    ) -> Result<bool, TooManyCandidates> {
        if self.entries.is_empty() {
            return Ok(false);
        }
        let mut budget = text.len() + 4096;
        for (number, batch) in text.chunks(BATCH).enumerate() {
            let start = number * BATCH;
            let mut candidates = [0; BATCH / GROUP];
            for &group in self.candidates(text, start, batch, &mut candidates) {
                if self.compare(text, start + usize::from(group) * GROUP, &mut budget, &mut found)?.is_break() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The groups of a batch, which begins at `start`, at which a needle may match.
    #[inline]
    fn candidates<'c>(
        &self,
        text: &[u8],
        start: usize,
        batch: &[u8],
        candidates: &'c mut [u16; BATCH / GROUP],
    ) -> &'c [u16] {
        let mut hits = [0; BATCH / GROUP];
        let hit = |group: &[u8; GROUP]| self.hit[hash(u32::from_le_bytes(*group))];
        let (eights, rest) = batch.as_chunks::<{ 8 * GROUP }>();
        let (hits_of_eights, hits_of_rest) = hits.split_at_mut(8 * eights.len());
        for (hits, eight) in hits_of_eights.as_chunks_mut::<8>().0.iter_mut().zip(eights) {
            hits.iter_mut().zip(eight.as_chunks().0).for_each(|(to, group)| *to = hit(group));
        }
        hits_of_rest.iter_mut().zip(rest.as_chunks().0).for_each(|(to, group)| *to = hit(group));

        let words = hits.as_chunks::<8>().0;
        let mut hit_words = [0; BATCH / GROUP / 8];
        let mut word_count = 0;
        for (number, word) in (0..).zip(words) {
            hit_words[word_count] = number;
            word_count += usize::from(u64::from_le_bytes(*word) != 0);
        }
        let mut count = 0;
        for &word in &hit_words[..word_count] {
            let mut hits = u64::from_le_bytes(words[usize::from(word)]);
            while hits != 0 {
                let group = word * 8 + hits.trailing_zeros() as u16 / 8;
                hits &= hits - 1;
                candidates[count] = group;
                count += usize::from(self.may_match_at(text, start + usize::from(group) * GROUP));
            }
        }
        &candidates[..count]
    }

    /// Compares the needles that have the group at `at`.
    fn compare(
        &self,
        text: &[u8],
        at: usize,
        budget: &mut usize,
        found: &mut impl FnMut(usize, usize, usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TooManyCandidates> {
        let group = group_at(&text[at..]);
        let entries = self.entries_of(group);
        *budget = budget.checked_sub(entries.len()).ok_or(TooManyCandidates)?;
        for entry in entries {
            if entry.group != group || !entry.may_match_at(text, at) {
                continue;
            }
            let Needle { start, len } = self.needles[entry.needle as usize];
            let needle = &self.bytes[start as usize..(start + len) as usize];
            let Some(from) = at.checked_add_signed(-(entry.at as isize)) else {
                continue;
            };
            // The maximum cost of the comparison; it may stop at an earlier difference.
            *budget = budget.checked_sub(needle.len() / 16).ok_or(TooManyCandidates)?;
            if text[from..].starts_with(needle) && found(entry.needle as usize, from, from + needle.len()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether any needle may match with one of its groups at `at`.
    #[inline(always)]
    fn may_match_at(&self, text: &[u8], at: usize) -> bool {
        let has = |set: &BitSet, eight: Option<u64>| eight.is_some_and(|eight| set.has(hash_of_eight(eight)));
        has(&self.with_after, eight_at(text, at))
            | has(&self.with_before, eight_until(text, at))
            | self.alone.has(hash_of_group(group_at(&text[at..])))
    }

    #[inline]
    fn entries_of(&self, group: u32) -> &[Entry] {
        let bucket = bucket_of(group) & (self.heads.len() - 2);
        &self.entries[self.heads[bucket] as usize..self.heads[bucket + 1] as usize]
    }
}

impl Entry {
    /// Compares the bytes around a group at `at` in one step.
    #[inline]
    fn may_match_at(&self, text: &[u8], at: usize) -> bool {
        let Some(rest) = at.checked_add_signed(-isize::from(self.at_around)).and_then(|from| text.get(from..)) else {
            return false;
        };
        // If fewer than eight bytes are left, the full comparison decides.
        rest.first_chunk::<8>()
            .is_none_or(|eight| (u64::from_le_bytes(*eight) ^ self.around) << (64 - self.around_bits) == 0)
    }
}

impl std::fmt::Debug for QGram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QGram({} needles)", self.needles.len())
    }
}

/// The group at `at` and the four bytes after it.
#[inline(always)]
fn eight_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// The group at `at` and the four bytes before it.
#[inline(always)]
fn eight_until(bytes: &[u8], at: usize) -> Option<u64> {
    eight_at(bytes, at.checked_sub(4)?)
}

/// A set of hashes of 16 bits.
struct BitSet([u64; 1 << 10]);

impl Default for BitSet {
    fn default() -> Self {
        Self([0; 1 << 10])
    }
}

impl Clone for BitSet {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl BitSet {
    fn insert(&mut self, hash: u16) {
        self.0[usize::from(hash / 64)] |= 1 << (hash % 64);
    }

    #[inline(always)]
    fn has(&self, hash: u16) -> bool {
        self.0[usize::from(hash / 64)] >> (hash % 64) & 1 != 0
    }
}

/// The multiplier differs from that of [`rarity::hash`], so that groups with the same mark differ here.
#[inline(always)]
fn hash_of_group(group: u32) -> u16 {
    (group.wrapping_mul(0xc2b2_ae35) >> 16) as u16
}

#[inline(always)]
fn hash_of_eight(eight: u64) -> u16 {
    (eight.wrapping_mul(0x9fb2_1c65_1e98_df25) >> 48) as u16
}

/// The group at the start of `bytes`, which has four bytes or more.
#[inline]
fn group_at(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The multiplier differs from that of [`rarity::hash`], so that groups with the same mark are in different buckets.
#[inline]
fn bucket_of(group: u32) -> usize {
    (group.wrapping_mul(0x85eb_ca6b) >> 10) as usize
}
