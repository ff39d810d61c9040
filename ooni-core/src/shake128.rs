//! SHAKE-128 (FIPS 202), with which a UID is derived from the bytes of a measurement.
//!
//! Most cans before 2020 have no UIDs, so each of their lines is hashed, which takes longer than to score it. The permutation
//! is compiled for BMI too: its rotations and `!a & b` are one instruction there, which saves a third of the time.

use multiversion::multiversion;

/// The number of bytes of the output that are computed.
pub(crate) const OUTPUT: usize = 16;
/// Bytes that are absorbed before each permutation.
const RATE: usize = 168;

/// Five rows of five lanes.
type State = [u64; 25];

/// The first bytes of SHAKE-128 of `text`.
pub(crate) fn shake128(text: &[u8]) -> [u8; OUTPUT] {
    let mut state = [0; 25];
    let (blocks, rest) = text.as_chunks();
    absorb(&mut state, blocks);
    let mut last = [0; RATE];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x1f;
    last[RATE - 1] |= 0x80;
    absorb(&mut state, &[last]);
    let mut output = [0; OUTPUT];
    for (bytes, lane) in output.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = lane.to_le_bytes();
    }
    output
}

#[multiversion(targets("x86_64+bmi1+bmi2"))]
fn absorb(state: &mut State, blocks: &[[u8; RATE]]) {
    for block in blocks {
        for (lane, bytes) in state.iter_mut().zip(block.as_chunks().0) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
        *state = permute(*state);
    }
}

#[inline(always)]
fn permute(mut state: State) -> State {
    // Two rounds at a time, so that the lanes stay where they are.
    for [first, second] in ROUND_CONSTANTS.as_chunks().0 {
        state = round(round(state, *first), *second);
    }
    state
}

#[inline(always)]
fn round(a: State, constant: u64) -> State {
    let column = |x: usize| a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    let c = [column(0), column(1), column(2), column(3), column(4)];
    let d = [
        c[4] ^ c[1].rotate_left(1),
        c[0] ^ c[2].rotate_left(1),
        c[1] ^ c[3].rotate_left(1),
        c[2] ^ c[4].rotate_left(1),
        c[3] ^ c[0].rotate_left(1),
    ];
    let row = |lanes: [(usize, u32); 5]| {
        let b = lanes.map(|(lane, by)| (a[lane] ^ d[lane % 5]).rotate_left(by));
        [
            b[0] ^ (!b[1] & b[2]),
            b[1] ^ (!b[2] & b[3]),
            b[2] ^ (!b[3] & b[4]),
            b[3] ^ (!b[4] & b[0]),
            b[4] ^ (!b[0] & b[1]),
        ]
    };
    let mut rows = [
        row([(0, 0), (6, 44), (12, 43), (18, 21), (24, 14)]),
        row([(3, 28), (9, 20), (10, 3), (16, 45), (22, 61)]),
        row([(1, 1), (7, 6), (13, 25), (19, 8), (20, 18)]),
        row([(4, 27), (5, 36), (11, 10), (17, 15), (23, 56)]),
        row([(2, 62), (8, 55), (14, 39), (15, 41), (21, 2)]),
    ];
    rows[0][0] ^= constant;
    let mut state = [0; 25];
    state.copy_from_slice(rows.as_flattened());
    state
}

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

#[cfg(test)]
mod tests {
    use super::*;
    use sha3::digest::{ExtendableOutput, Update, XofReader};

    #[test]
    fn it_is_the_shake128_of_another_crate() {
        let text: Vec<u8> = (0..1000u32).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 13) as u8).collect();
        for len in 0..text.len() {
            let mut hasher = sha3::Shake128::default();
            hasher.update(&text[..len]);
            let mut expected = [0; OUTPUT];
            hasher.finalize_xof().read(&mut expected);
            assert_eq!(shake128(&text[..len]), expected, "{len} bytes");
        }
    }

    #[test]
    fn vector_of_the_standard() {
        let expected = [0x7f, 0x9c, 0x2b, 0xa4, 0xe8, 0x8f, 0x82, 0x7d, 0x61, 0x60, 0x45, 0x50, 0x76, 0x05, 0x85, 0x3e];
        assert_eq!(shake128(b""), expected);
    }
}
