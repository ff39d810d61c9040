//! The index of a text: where its quotes are, and how the strings between them are spelled.
//!
//! An entry is the position of an unescaped quote, times 32, plus the [`Spelling`] of the bytes between the quote before it
//! and itself. In a text without errors every second quote ends a string, so its entry has all there is to know about the
//! string. Escapes are checked here; what is outside of strings is not.
//!
//! The loop is compiled for AVX-512, for AVX2 and for any machine; which one runs is chosen at run time.

use crate::json::block::{self, BLOCK, Block, last_block};
use crate::json::scan::{Spelling, escaped, unicode_escape};
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The number of entries; what is behind them in the vector is not part of the index.
    pub(super) quotes: usize,
    /// No byte is 0x80 or more.
    pub(super) is_ascii: bool,
}

/// Makes the index of `text` in `entries`, which only grows. `None` if the text has a NUL, an invalid escape, or is too long.
pub(super) fn fill(text: &[u8], entries: &mut Vec<u32>) -> Option<Found> {
    if text.len() >= MAX_LENGTH {
        return None;
    }
    fill_any(text, entries)
}

#[multiversion(targets("x86_64+avx2+avx512f+avx512bw+bmi1+bmi2+lzcnt+popcnt", "x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn fill_any(text: &[u8], entries: &mut Vec<u32>) -> Option<Found> {
    multiversion::target::match_target! {
        "x86_64+avx2+avx512f+avx512bw+bmi1+bmi2+lzcnt+popcnt" => fill_with(
            text, entries, |block, byte| block::avx512::equal(block, byte), |block, byte| block::avx512::greater(block, byte)
        ),
        "x86_64+avx2+bmi1+bmi2+lzcnt+popcnt" => fill_with(
            text, entries, |block, byte| block::avx2::equal(block, byte), |block, byte| block::avx2::greater(block, byte)
        ),
        _ => fill_with(text, entries, block::equal, block::greater),
    }
}

/// The entries of a block that are written at once, needed or not.
const WRITTEN: usize = 4;

#[inline(always)]
fn fill_with(
    text: &[u8],
    entries: &mut Vec<u32>,
    equal: impl Fn(&Block, u8) -> u64,
    greater: impl Fn(&Block, u8) -> u64,
) -> Option<Found> {
    let mut index = Index { text, count: 0, spelling: Spelling::PLAIN, carry: false, high: 0 };
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let last = last_block(rest, 0, b' ');
    for (i, block) in blocks.iter().chain([&last]).enumerate() {
        // As many quotes as fit the block.
        let room = BLOCK + WRITTEN;
        if entries.len() < index.count + room {
            entries.resize((2 * index.count + room).max(text.len() / 16), 0);
        }
        let entries = &mut entries[index.count..index.count + room];
        let quotes = equal(block, b'"');
        let backslashes = equal(block, b'\\');
        let ascii = greater(block, 0);
        let start = (i * BLOCK) as u32;
        if backslashes | !ascii | u64::from(index.carry) == 0 {
            index.plain_block(start, quotes, entries);
        } else {
            index.block(start, block, quotes, backslashes, ascii, entries, &equal)?;
        }
    }
    Some(Found { quotes: index.count, is_ascii: index.high == 0 })
}

/// An index that is not finished.
struct Index<'a> {
    text: &'a [u8],
    count: usize,
    /// The spelling of what has been seen since the last quote.
    spelling: Spelling,
    /// The first byte of the next block is escaped.
    carry: bool,
    /// Not 0 if there are bytes of 0x80 or more.
    high: u64,
}

impl Index<'_> {
    /// A block in which everything is plain.
    #[inline(always)]
    fn plain_block(&mut self, start: u32, quotes: u64, entries: &mut [u32]) {
        if quotes == 0 {
            return;
        }
        let count = quotes.count_ones() as usize;
        let mut rest = quotes;
        for four in entries.as_chunks_mut::<WRITTEN>().0 {
            for entry in four {
                *entry = (start + rest.trailing_zeros()) << Spelling::BITS;
                rest &= rest.wrapping_sub(1);
            }
            if rest == 0 {
                break;
            }
        }
        entries[0] |= self.spelling.to_bits();
        self.spelling = Spelling::PLAIN;
        self.count += count;
    }

    /// Any block.
    #[inline(always)]
    fn block(
        &mut self,
        start: u32,
        block: &Block,
        quotes: u64,
        backslashes: u64,
        ascii: u64,
        entries: &mut [u32],
        equal: impl Fn(&Block, u8) -> u64,
    ) -> Option<()> {
        let mut high = 0;
        if ascii != u64::MAX {
            let nul = equal(block, 0);
            if nul != 0 {
                return None;
            }
            high = !ascii;
            self.high |= high;
        }
        let (escaped, carry) = escaped(backslashes, self.carry);
        self.carry = carry;
        let unicode = escaped & equal(block, b'u');
        let letters = b"/bfnrt".iter().fold(0, |all, &letter| all | equal(block, letter));
        if escaped & !(quotes | backslashes | letters | unicode) != 0 {
            return None;
        }
        let mut quotes = quotes & !escaped;
        // The bytes after the last quote.
        let mut inside = u64::MAX;
        for entry in entries {
            let end = quotes & quotes.wrapping_neg();
            let before = inside & end.wrapping_sub(1);
            self.add(start, backslashes & before, high & before, unicode & before)?;
            if end == 0 {
                break;
            }
            *entry = (start + end.trailing_zeros()) << Spelling::BITS | self.spelling.to_bits();
            self.count += 1;
            self.spelling = Spelling::PLAIN;
            quotes ^= end;
            inside &= !(end | end.wrapping_sub(1));
        }
        Some(())
    }

    /// Adds to the spelling what these backslashes, bytes outside ASCII and `\u` escapes mean.
    #[inline(always)]
    fn add(&mut self, start: u32, backslashes: u64, high: u64, mut unicode: u64) -> Option<()> {
        let mut spelling = self.spelling;
        if backslashes != 0 {
            spelling = spelling.with(Spelling::ESCAPED);
        }
        if high != 0 {
            spelling = spelling.with(Spelling::NON_ASCII);
        }
        while unicode != 0 {
            unicode_escape(self.text, (start + unicode.trailing_zeros()) as usize, &mut spelling).ok()?;
            unicode &= unicode - 1;
        }
        if spelling.has(Spelling::NON_ASCII) && spelling.has(Spelling::U_NON_ASCII) {
            spelling = spelling.with(Spelling::ODD);
        }
        self.spelling = spelling;
        Some(())
    }
}
