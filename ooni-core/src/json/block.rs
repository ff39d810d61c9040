//! Blocks of 64 bytes, and masks with a bit for each byte of a block that has some property.
//!
//! The functions here run on every machine. [`avx2`] and [`avx512`] do the same with the instructions of newer ones, for
//! functions that are compiled for these.

/// Bytes that are examined together.
pub(super) const BLOCK: usize = 64;

/// The bytes of a block.
pub(super) type Block = [u8; BLOCK];

/// The block at `start` of `text`, which is after its last whole block; bytes after the end of the text are `fill`.
pub(super) fn last_block(text: &[u8], start: usize, fill: u8) -> Block {
    let mut block = [fill; BLOCK];
    let rest = text.get(start..).unwrap_or_default();
    let length = rest.len().min(BLOCK);
    block[..length].copy_from_slice(&rest[..length]);
    block
}

/// The bytes that are `byte`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn equal(block: &Block, byte: u8) -> u64 {
    use safe_arch::{cmp_eq_mask_i8_m128i, set_splat_i8_m128i};
    sse2(block, |bytes| cmp_eq_mask_i8_m128i(bytes, set_splat_i8_m128i(byte as i8)))
}

/// The bytes that are greater than `byte`, all as signed numbers, so that bytes outside ASCII are less than any other.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn greater(block: &Block, byte: u8) -> u64 {
    use safe_arch::{cmp_gt_mask_i8_m128i, set_splat_i8_m128i};
    sse2(block, |bytes| cmp_gt_mask_i8_m128i(bytes, set_splat_i8_m128i(byte as i8)))
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn sse2(block: &Block, compare: impl Fn(safe_arch::m128i) -> safe_arch::m128i) -> u64 {
    let mask = |quarter: &[u8; 16]| {
        let found = compare(safe_arch::load_unaligned_m128i(quarter));
        u64::from(safe_arch::move_mask_i8_m128i(found) as u16)
    };
    let quarters = block.as_chunks::<16>().0;
    quarters.iter().rev().fold(0, |all, quarter| all << 16 | mask(quarter))
}

/// The bytes that are `byte`.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn equal(block: &Block, byte: u8) -> u64 {
    words(block, |word| {
        let different = word ^ splat(byte);
        !(((different & LOW7) + LOW7) | different | LOW7)
    })
}

/// The bytes that are greater than `byte`, all as signed numbers, so that bytes outside ASCII are less than any other.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn greater(block: &Block, byte: u8) -> u64 {
    words(block, |word| ((word & LOW7) + splat(0x7f - byte)) & !word & !LOW7)
}

#[cfg(not(target_arch = "x86_64"))]
const LOW7: u64 = splat(0x7f);

#[cfg(not(target_arch = "x86_64"))]
const fn splat(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// `high_bits` sets the high bits of the bytes that are wanted, and no others.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn words(block: &Block, high_bits: impl Fn(u64) -> u64) -> u64 {
    let gathered =
        |word: &[u8; 8]| (high_bits(u64::from_le_bytes(*word)) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let words = block.as_chunks::<8>().0;
    words.iter().rev().fold(0, |all, word| all << 8 | gathered(word))
}

/// With 32 bytes at a time.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use super::Block;
    use safe_arch::load_unaligned_m128i;
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_movemask_epi8, _mm256_set_m128i, _mm256_set1_epi8,
    };

    /// See [`super::equal`].
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in crate::json) fn equal(block: &Block, byte: u8) -> u64 {
        let [low, high] = halves(block);
        let wanted = _mm256_set1_epi8(byte as i8);
        mask(_mm256_cmpeq_epi8(low, wanted), _mm256_cmpeq_epi8(high, wanted))
    }

    /// See [`super::greater`].
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in crate::json) fn greater(block: &Block, byte: u8) -> u64 {
        let [low, high] = halves(block);
        let limit = _mm256_set1_epi8(byte as i8);
        mask(_mm256_cmpgt_epi8(low, limit), _mm256_cmpgt_epi8(high, limit))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn halves(block: &Block) -> [__m256i; 2] {
        let [a, b, c, d] = super::quarters(block).map(|quarter| load_unaligned_m128i(quarter).0);
        [_mm256_set_m128i(b, a), _mm256_set_m128i(d, c)] // each is one load
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask(low: __m256i, high: __m256i) -> u64 {
        u64::from(_mm256_movemask_epi8(low) as u32) | u64::from(_mm256_movemask_epi8(high) as u32) << 32
    }
}

/// With all 64 bytes at once.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    use super::Block;
    use super::avx2::halves;
    use std::arch::x86_64::{
        __m512i, _mm512_castsi256_si512, _mm512_cmpeq_epi8_mask, _mm512_cmpgt_epi8_mask, _mm512_inserti64x4,
        _mm512_set1_epi8,
    };

    /// See [`super::equal`].
    #[inline]
    #[target_feature(enable = "avx2,avx512f,avx512bw")]
    pub(in crate::json) fn equal(block: &Block, byte: u8) -> u64 {
        _mm512_cmpeq_epi8_mask(whole(block), _mm512_set1_epi8(byte as i8))
    }

    /// See [`super::greater`].
    #[inline]
    #[target_feature(enable = "avx2,avx512f,avx512bw")]
    pub(in crate::json) fn greater(block: &Block, byte: u8) -> u64 {
        _mm512_cmpgt_epi8_mask(whole(block), _mm512_set1_epi8(byte as i8))
    }

    #[inline]
    #[target_feature(enable = "avx2,avx512f,avx512bw")]
    fn whole(block: &Block) -> __m512i {
        let [low, high] = halves(block);
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high) // one load
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn quarters(block: &Block) -> [&[u8; 16]; 4] {
    let quarters = block.as_chunks::<16>().0;
    [&quarters[0], &quarters[1], &quarters[2], &quarters[3]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use multiversion::{multiversion, target::match_target};

    #[multiversion(targets("x86_64+avx2"))]
    fn with_avx2(block: &Block, byte: u8) -> [u64; 2] {
        match_target! {
            "x86_64+avx2" => [avx2::equal(block, byte), avx2::greater(block, byte)],
            _ => [equal(block, byte), greater(block, byte)],
        }
    }

    #[multiversion(targets("x86_64+avx2+avx512f+avx512bw"))]
    fn with_avx512(block: &Block, byte: u8) -> [u64; 2] {
        match_target! {
            "x86_64+avx2+avx512f+avx512bw" => [avx512::equal(block, byte), avx512::greater(block, byte)],
            _ => [equal(block, byte), greater(block, byte)],
        }
    }

    /// With the vectors that this machine has.
    #[test]
    fn masks_have_a_bit_for_each_byte() {
        let bytes = [0, 1, b' ', b'"', b'#', b'/', b'0', b'9', b':', b'\\', b']', b'u', 0x7f, 0x80, 0xa2, 0xdc, 0xff];
        for at in 0..BLOCK {
            for fill in bytes {
                for found in bytes {
                    let mut block = [fill; BLOCK];
                    block[at] = found;
                    let naive = |is: &dyn Fn(u8) -> bool| {
                        (0..BLOCK).filter(|&i| is(block[i])).fold(0u64, |mask, i| mask | 1 << i)
                    };
                    for wanted in bytes {
                        let equals = naive(&|byte| byte == wanted);
                        assert_eq!(equal(&block, wanted), equals);
                        assert_eq!(with_avx2(&block, wanted)[0], equals);
                        assert_eq!(with_avx512(&block, wanted)[0], equals);
                        if wanted < 0x80 {
                            let is_greater = naive(&|byte| byte as i8 > wanted as i8);
                            assert_eq!(greater(&block, wanted), is_greater);
                            assert_eq!(with_avx2(&block, wanted)[1], is_greater);
                            assert_eq!(with_avx512(&block, wanted)[1], is_greater);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_block_is_filled() {
        for length in 0..BLOCK {
            let text = [b'x'; BLOCK * 2].get(..BLOCK + length).unwrap().to_vec();
            let block = last_block(&text, BLOCK, b'-');
            assert!(
                block[..length].iter().all(|&byte| byte == b'x') && block[length..].iter().all(|&byte| byte == b'-')
            );
        }
        assert_eq!(last_block(b"", 64, 7), [7; BLOCK]);
    }
}
