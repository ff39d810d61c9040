//! The style sheet, and its version.

/// The style sheet.
pub const STYLE: &str = include_str!("style.css");

/// Changes whenever the style sheet does: FNV-1a of its bytes, computed by the compiler.
pub const VERSION: u64 = {
    let bytes = STYLE.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
};
