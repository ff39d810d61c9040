//! Limits, as arguments of the commands that read measurements.

use clap::Args;
use ooni_archive::limits::{Limits, parse_size};

/// Sizes beyond which input is refused.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArguments {
    /// Bytes of one measurement; more is rejected. Units: KiB, MiB, GiB
    #[arg(long, value_name = "SIZE", default_value = "200MiB", value_parser = parse_size)]
    pub max_measurement_size: usize,

    /// Levels of nesting in a measurement; more is rejected
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_depth: u16,

    /// JSON values in a measurement, each 16 bytes of memory; more is rejected
    #[arg(long, value_name = "N", default_value_t = Limits::default().values)]
    pub max_values: usize,

    /// Ratio of decompressed to compressed size, checked beyond 64 MiB; the rest of the file is not read
    #[arg(long, value_name = "N", default_value_t = Limits::default().ratio, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_ratio: u64,
}

impl LimitArguments {
    /// The limits that were asked for.
    pub fn limits(&self) -> Limits {
        Limits {
            measurement_size: self.max_measurement_size,
            depth: usize::from(self.max_depth),
            values: self.max_values,
            ratio: self.max_ratio,
        }
    }
}
