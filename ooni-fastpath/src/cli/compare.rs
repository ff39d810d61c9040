//! Arguments of `fastpath compare`.

use super::{RulesName, Shape};
use clap::Args;
use std::path::PathBuf;

/// Compare the rows of two runs, or two sets of rules on the same measurements
///
/// Rows are read from .jsonl and .csv as score writes them, from .parquet and from stores (sqlite:PATH, postgres://…,
/// clickhouse://…), in any mix, and matched by measurement_uid. They are compared with the precision of the less precise
/// of the two; update_time is ignored, and so is what was discarded or rejected. With --rules, the arguments are files
/// and folders of measurements.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit code: 0 when nothing differs; 1 when something does; 2 when something cannot be read or nothing is found."
)]
pub struct Compare {
    /// Two files or stores; with --rules, files and folders of measurements
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Two sets of rules, such as compat,fixed, to show what the second changes
    #[arg(long, value_name = "RULES,RULES", value_enum, value_delimiter = ',', num_args = 1)]
    pub rules: Vec<RulesName>,

    /// Folder with fingerprints_dns.csv and fingerprints_http.csv [default: the built-in lists]
    #[arg(long, value_name = "DIR", requires = "rules")]
    pub fingerprints: Option<PathBuf>,

    /// Number of threads that score [default: one for each processor]
    #[arg(short, long, value_name = "N", requires = "rules", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub jobs: Option<u16>,

    /// Number of examples of each difference
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=1000))]
    pub examples: u16,

    /// Format of the output
    #[arg(long, value_enum, default_value = "table")]
    pub format: Shape,
}
