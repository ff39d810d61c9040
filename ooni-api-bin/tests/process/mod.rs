//! The program as a process, probes that submit to it, and a comparison of what was acknowledged with what is kept.

#![allow(dead_code, unreachable_pub)] // no test program uses all of it

pub mod archive;
pub mod check;
pub mod load;
pub mod server;

/// How often the program is killed at random: ten times, or as `OONI_KILLS` says.
pub fn kills() -> u64 {
    std::env::var("OONI_KILLS").map_or(10, |text| text.parse().unwrap())
}
