//! The index of a text: where its quotes are, and how the strings between them are spelled.
//!
//! An entry is the position of an unescaped quote, times 32, plus the [`Spelling`] of the bytes between the quote before it
//! and itself. In a text without errors every second quote ends a string, so its entry has all there is to know about the
//! string. Escapes are checked here; what is outside of strings is not.
//!
//! The loop is compiled for AVX-512, for AVX2 and for any machine; which one runs is chosen at run time.

use crate::json::block::{self, BLOCK, Block, last_block};
use crate::json::scan::{self, Spelling, unicode_escape};
use multiversion::multiversion;

/// Texts from this length on have positions that do not fit an entry.
const MAX_LENGTH: usize = 1 << (u32::BITS - Spelling::BITS);

/// The position of the quote of an entry.
#[inline(always)]
pub(super) const fn position(entry: u32) -> u32 {
    entry >> Spelling::BITS
}

/// The spelling of the string that ends with the quote of an entry.
#[inline(always)]
pub(super) const fn spelling(entry: u32) -> Spelling {
    Spelling::of_bits(entry)
}

/// What the index of a text says about all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of entries; what is behind them in the vector is not part of the index.
    pub(super) quotes: usize,
    /// No byte is 0x80 or more.
    pub(super) is_ascii: bool,
}

/// Makes the index of `text` in `entries`, which only grows. `None` if the text has a NUL, an invalid escape or more than
/// `max_quotes` quotes, or is too long.
pub(super) fn fill(text: &[u8], max_quotes: usize, entries: &mut Vec<u32>) -> Option<Found> {
    if text.len() >= MAX_LENGTH {
        return None;
    }
    fill_any(text, max_quotes, entries)
}

#[multiversion(targets("x86_64+avx2+avx512f+avx512bw+bmi1+bmi2+lzcnt+popcnt", "x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn fill_any(text: &[u8], max_quotes: usize, entries: &mut Vec<u32>) -> Option<Found> {
    multiversion::target::match_target! {
        "x86_64+avx2+avx512f+avx512bw+bmi1+bmi2+lzcnt+popcnt" => fill_with(
            text, max_quotes, entries, |block, byte| block::avx512::equal(block, byte), |block, byte| block::avx512::greater(block, byte)
        ),
        "x86_64+avx2+bmi1+bmi2+lzcnt+popcnt" => fill_with(
            text, max_quotes, entries, |block, byte| block::avx2::equal(block, byte), |block, byte| block::avx2::greater(block, byte)
        ),
        _ => fill_with(text, max_quotes, entries, block::equal, block::greater),
    }
}

/// The entries that are written at once, needed or not.
const WRITTEN: usize = 4;

/// Blocks between two checks that the vector has room for all their quotes.
const CHUNK: usize = 16;

#[inline(always)]
fn fill_with(
    text: &[u8],
    max_quotes: usize,
    entries: &mut Vec<u32>,
    equal: impl Fn(&Block, u8) -> u64,
    greater: impl Fn(&Block, u8) -> u64,
) -> Option<Found> {
    let mut index = Index { count: 0, spelling: Spelling::PLAIN };
    let mut seen = Seen { is_ascii: true, carry: false };
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let last = last_block(rest, 0, b' ');
    let mut start = 0;
    for chunk in blocks.chunks(CHUNK).chain([&[last][..]]) {
        let room = index.count + CHUNK * BLOCK + WRITTEN;
        if entries.len() < room {
            entries.resize((2 * room).min(max_quotes.saturating_add(CHUNK * BLOCK + WRITTEN)).max(room), 0);
        }
        for block in chunk {
            let quotes = equal(block, b'"');
            let backslashes = equal(block, b'\\');
            let high = !greater(block, 0);
            if backslashes | high | u64::from(seen.carry) == 0 {
                index.add_plain(start, quotes, entries);
            } else {
                let marks = seen.marks(block, quotes, backslashes, high, &equal, &greater)?;
                if marks.quotes | marks.rare == 0 {
                    index.spelling = index.spelling.with(marks.spelling(u64::MAX));
                } else {
                    index.add(text, start, marks, entries)?;
                }
            }
            start += BLOCK as u32;
        }
        if index.count > max_quotes {
            return None;
        }
    }
    Some(Found { quotes: index.count, is_ascii: seen.is_ascii })
}

/// What is known from the blocks before.
struct Seen {
    is_ascii: bool,
    /// The first byte of the next block is escaped.
    carry: bool,
}

impl Seen {
    /// Examines a block that is not plain. `None` if it has a NUL or an invalid escape.
    #[inline(always)]
    fn marks(
        &mut self,
        block: &Block,
        quotes: u64,
        backslashes: u64,
        high: u64,
        equal: impl Fn(&Block, u8) -> u64,
        greater: impl Fn(&Block, u8) -> u64,
    ) -> Option<Marks> {
        if high != 0 {
            if equal(block, 0) != 0 {
                return None;
            }
            self.is_ascii = false;
        }
        let (escaped, carry) = scan::escaped(backslashes, self.carry);
        self.carry = carry;
        let unicode = escaped & equal(block, b'u');
        let unknown = escaped & !(quotes | backslashes | unicode | equal(block, b'n'));
        if unknown != 0 && unknown & !b"/bfrt".iter().fold(0, |all, &letter| all | equal(block, letter)) != 0 {
            return None;
        }
        let mut rare = 0;
        if unicode != 0 {
            let between = |first, last| greater(block, first - 1) & !greater(block, last);
            let hex = between(b'0', b'9') | between(b'a', b'f');
            let (zero, d) = (equal(block, b'0'), equal(block, b'd'));
            let common = hex >> 1 & hex >> 2 & hex >> 3 & hex >> 4 & !(zero >> 1 & zero >> 2) & !(d >> 1);
            rare = unicode & !common;
        }
        Some(Marks { quotes: quotes & !escaped, backslashes, high, unicode, rare })
    }
}

/// The bytes of a block with a meaning for strings: a bit for each.
struct Marks {
    /// Unescaped quotes.
    quotes: u64,
    backslashes: u64,
    /// Bytes of 0x80 or more.
    high: u64,
    /// Each `u` of a `\u` escape.
    unicode: u64,
    /// Those of an escape that is looked at by itself: it has upper-case letters, begins with `00` or `d`, is invalid, or is
    /// cut by the end of the block.
    rare: u64,
}

impl Marks {
    /// The spelling of some of the bytes, without their rare escapes.
    #[inline(always)]
    fn spelling(&self, some: u64) -> Spelling {
        let flag = |marks: u64, flag: Spelling| if marks & some == 0 { Spelling::PLAIN } else { flag };
        flag(self.backslashes, Spelling::ESCAPED)
            .with(flag(self.high, Spelling::NON_ASCII))
            .with(flag(self.unicode & !self.rare, Spelling::U_NON_ASCII))
    }
}

/// An index that is not finished.
struct Index {
    count: usize,
    /// The spelling of what has been seen since the last quote.
    spelling: Spelling,
}

impl Index {
    /// A block in which everything but quotes is plain.
    #[inline(always)]
    fn add_plain(&mut self, start: u32, quotes: u64, entries: &mut [u32]) {
        if quotes == 0 {
            return;
        }
        let (mut at, mut rest) = (self.count, quotes);
        while rest != 0
            && let Some(entries) = entries.get_mut(at..at + WRITTEN)
        {
            for entry in entries {
                *entry = (start + rest.trailing_zeros()) << Spelling::BITS;
                rest &= rest.wrapping_sub(1);
            }
            at += WRITTEN;
        }
        entries[self.count] |= self.take_spelling();
        self.count += quotes.count_ones() as usize;
    }

    /// The spelling of the string that ends here.
    #[inline(always)]
    fn take_spelling(&mut self) -> u32 {
        let mut spelling = std::mem::replace(&mut self.spelling, Spelling::PLAIN);
        if spelling.has(Spelling::NON_ASCII.with(Spelling::U_NON_ASCII)) {
            spelling = spelling.with(Spelling::ODD);
        }
        spelling.to_bits()
    }

    /// Any block.
    fn add(&mut self, text: &[u8], start: u32, marks: Marks, entries: &mut [u32]) -> Option<()> {
        let mut quotes = marks.quotes;
        // The bytes after the last quote.
        let mut inside = u64::MAX;
        for entry in &mut entries[self.count..] {
            let end = quotes & quotes.wrapping_neg();
            inside &= end.wrapping_sub(1);
            self.spelling = self.spelling.with(marks.spelling(inside));
            let mut rare = marks.rare & inside;
            while rare != 0 {
                unicode_escape(text, (start + rare.trailing_zeros()) as usize, &mut self.spelling).ok()?;
                rare &= rare - 1;
            }
            if end == 0 {
                break;
            }
            *entry = (start + end.trailing_zeros()) << Spelling::BITS | self.take_spelling();
            self.count += 1;
            quotes ^= end;
            inside = !(end | end.wrapping_sub(1));
        }
        Some(())
    }
}

/// The other versions of [`fill`], which this machine would not choose.
#[cfg(test)]
pub(super) mod versions {
    use super::*;

    pub(in super::super) fn of_any_machine(text: &[u8], max_quotes: usize, entries: &mut Vec<u32>) -> Option<Found> {
        fill_with(text, max_quotes, entries, block::equal, block::greater)
    }

    /// On a machine without AVX2, the same.
    #[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
    pub(in super::super) fn with_avx2(text: &[u8], max_quotes: usize, entries: &mut Vec<u32>) -> Option<Found> {
        multiversion::target::match_target! {
            "x86_64+avx2+bmi1+bmi2+lzcnt+popcnt" => fill_with(
                text, max_quotes, entries, |block, byte| block::avx2::equal(block, byte), |block, byte| block::avx2::greater(block, byte)
            ),
            _ => of_any_machine(text, max_quotes, entries),
        }
    }
}
