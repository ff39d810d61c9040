//! Limits: arguments of the commands that read measurements.

use clap::Args;
use ooni_archive::limits::{Limits, parse_size};

/// Limits beyond which input is rejected.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArguments {
    /// Maximum size of a measurement, in bytes or with KiB, MiB or GiB; a larger one is rejected
    #[arg(long, value_name = "SIZE", default_value = "200MiB", value_parser = parse_size)]
    pub max_measurement_size: usize,

    /// Maximum nesting depth of a measurement; a deeper one is rejected
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_depth: u16,

    /// Maximum number of JSON values in a measurement, which take 16 bytes of memory each; one with more is rejected
    #[arg(long, value_name = "N", default_value_t = Limits::default().values)]
    pub max_values: usize,

    /// Maximum ratio of decompressed to compressed size, checked beyond the maximum size of a measurement; the rest of the file is not read
    #[arg(long, value_name = "N", default_value_t = Limits::default().ratio, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_ratio: u64,
}

impl LimitArguments {
    /// The limits.
    pub fn limits(&self) -> Limits {
        Limits {
            measurement_size: self.max_measurement_size,
            depth: usize::from(self.max_depth),
            values: self.max_values,
            ratio: self.max_ratio,
        }
    }
}
