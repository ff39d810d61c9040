//! Lists the tests that are scored.
//!
//! `cargo run --bin list_nettests`

#![forbid(unsafe_code)]

use anyhow::Result;
use ooni_core::nettest::NETTESTS;
use std::io::Write;

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    for nettest in NETTESTS {
        writeln!(out, "{}\n    {}\n    {}", nettest.name, nettest.about, nettest.spec)?;
    }
    Ok(())
}
