//! How often four bytes are expected in HTML and JSON text.
pub(super) const MULTIPLIER: u32 = 0x9e37_79b1;
const TABLE_BITS: u32 = 17;
static TABLE: &[u8; 1 << (TABLE_BITS - 1)] = include_bytes!("rarity.bin");
pub(super) fn cost(group: u32) -> u32 {
    let place = (group.wrapping_mul(MULTIPLIER) >> (32 - TABLE_BITS)) as usize;
    2 << (TABLE[place >> 1] >> ((place & 1) * 4) & 15)
}

/// For each place in `text` where four consecutive groups start, what they cost together.
pub(super) fn windows(
    text: &[u8],
    cost: impl Fn(u32) -> u32,
) -> impl Iterator<Item = (usize, u32)> {
    let at = move |place: usize| {
        cost(u32::from_le_bytes([
            text[place],
            text[place + 1],
            text[place + 2],
            text[place + 3],
        ]))
    };
    let mut last = [0; 4];
    (0..text.len().saturating_sub(3)).filter_map(move |place| {
        last.rotate_left(1);
        last[3] = at(place);
        Some((place.checked_sub(3)?, last.iter().sum()))
    })
}

pub(super) fn cost_of_text(text: &[u8]) -> u32 {
    windows(text, cost)
        .map(|(_, cost)| cost)
        .min()
        .unwrap_or(u32::MAX)
}
