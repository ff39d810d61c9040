//! The expected frequency of groups of four bytes in text: HTML in JSON, and scripts.
//!
//! The table is measured; searches with the best estimate without it are three times slower. It is fixed, so that a list
//! is searched the same way everywhere. A wrong estimate costs time but never a match. `tests/fingerprints/rarity.rs`
//! rebuilds the table.

/// Bits of the hash of a group, here and in the scan: groups with the same hash have the same cost.
pub(super) const HASH_BITS: u32 = 17;

/// Four bits for each hash: 0 for at most once in 2^23 groups, and one more for each doubling.
static TABLE: &[u8; 1 << (HASH_BITS - 1)] = include_bytes!("rarity.bin");

/// The hash of a group of four bytes.
#[inline(always)]
pub(super) fn hash(group: u32) -> usize {
    (group.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// The cost of a group, proportional to its expected frequency; the minimum is 2.
pub(super) fn cost(group: u32) -> u32 {
    let hash = hash(group);
    2 << (TABLE[hash >> 1] >> ((hash & 1) * 4) & 15)
}

/// For each offset in `text` where four consecutive groups start, their total cost.
pub(super) fn windows(text: &[u8], cost: impl Fn(u32) -> u32) -> impl Iterator<Item = (usize, u32)> {
    let at =
        move |place: usize| cost(u32::from_le_bytes([text[place], text[place + 1], text[place + 2], text[place + 3]]));
    let mut last = [0; 4];
    (0..text.len().saturating_sub(3)).filter_map(move |place| {
        last.rotate_left(1);
        last[3] = at(place);
        Some((place.checked_sub(3)?, last.iter().sum()))
    })
}

/// The minimum cost of four consecutive groups of `text`. Six bytes have three groups, so their average stands for the
/// fourth one; shorter texts have no estimate.
pub(super) fn cost_of_text(text: &[u8]) -> u32 {
    if text.len() == 6 {
        let groups = text.windows(4).map(|four| cost(u32::from_le_bytes([four[0], four[1], four[2], four[3]])));
        return groups.sum::<u32>() / 3 * 4;
    }
    windows(text, cost).map(|(_, cost)| cost).min().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_text_costs_more() {
        assert!(cost_of_text(b"<title>") > 4 * cost_of_text(b"xQzJ#wK"));
        assert!(cost_of_text(b"\\u003cdiv") > 4 * cost_of_text(b"BlockPage_7"));
        assert!(cost_of_text(b"<title") > 4 * cost_of_text(b"xQzJ#w"));
        assert_eq!(cost_of_text(b"fives"), u32::MAX);
    }

    #[test]
    fn sums_of_four_groups() {
        let places: Vec<_> = windows(b"abcdefghi", |group| group & 0xff).collect();
        let sum = |from: u32| 4 * from + 6;
        assert_eq!(places, [(0, sum(97)), (1, sum(98)), (2, sum(99))]);
    }
}
