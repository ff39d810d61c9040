//! Rebuilds `src/fingerprint/rarity.bin`: the frequency of groups of four bytes in the searched texts.
//!
//! `RARITY_TEXTS=FOLDER cargo test -p ooni-core --test fingerprints rarity -- --ignored` reads each file of
//! the folder as the inside of JSON strings, one body a line; each file has the same weight. The table in the
//! repository was built from five: the response bodies of `tests/fixtures/measurements`, and the HTML,
//! scripts, style sheets and Markdown of the manuals of common packages, both spelled as the collector does
//! (`\/`, `\uXXXX`) and as Go does (`\u003c`, UTF-8); and generated pages in other scripts than Latin.

/// As in `rarity.rs`: the two must agree.
const HASH_BITS: u32 = 17;
const RAREST: f64 = 23.0;

fn hash(four: &[u8]) -> usize {
    (u32::from_le_bytes(four.try_into().unwrap()).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

#[test]
#[ignore = "writes into the source folder"]
fn make_table() {
    let mut frequencies = vec![0.0; 1 << HASH_BITS];
    let mut files: Vec<_> =
        std::fs::read_dir(std::env::var("RARITY_TEXTS").unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        let text = std::fs::read(file).unwrap();
        let mut counts = vec![0u64; 1 << HASH_BITS];
        for four in text.windows(4).filter(|four| !four.contains(&b'\n')) {
            counts[hash(four)] += 1;
        }
        let total = counts.iter().sum::<u64>() as f64 * files.len() as f64;
        for (frequency, count) in frequencies.iter_mut().zip(counts) {
            *frequency += count as f64 / total;
        }
    }
    let level = |frequency: &f64| (frequency.log2() + RAREST).round().clamp(0.0, 15.0) as u8;
    let table: Vec<u8> = frequencies.chunks(2).map(|pair| level(&pair[0]) | level(&pair[1]) << 4).collect();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/fingerprint/rarity.bin"), table).unwrap();
}
