//! How often four bytes are expected in HTML and JSON text.
pub(super) const MULTIPLIER: u32 = 0x9e37_79b1;
pub(super) fn cost(group: u32) -> u32 {
    let b = group.to_le_bytes();
    b.iter()
        .map(|&c| match c {
            b'a'..=b'z' | b' ' => 4,
            b'A'..=b'Z' | b'0'..=b'9' => 2,
            b'\\' => 6,
            _ => 1,
        })
        .product()
}

pub(super) fn cost_of_text(text: &[u8]) -> u32 {
    let costs: Vec<u32> = text
        .windows(4)
        .map(|four| cost(u32::from_le_bytes([four[0], four[1], four[2], four[3]])))
        .collect();
    costs
        .windows(4)
        .map(|four| {
            four.iter()
                .fold(0u32, |sum, &cost| sum.saturating_add(cost))
        })
        .min()
        .unwrap_or(u32::MAX)
}
