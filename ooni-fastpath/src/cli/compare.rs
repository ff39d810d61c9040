//! Arguments of `fastpath compare`.

use super::values::{RulesName, SummaryFormat};
use clap::Args;
use std::path::PathBuf;

/// Compare the rows of two runs, or two sets of rules on the same measurements
///
/// Rows are read from .jsonl and .csv files as "score" writes them, from .parquet files and from stores (sqlite:PATH,
/// postgres://…, clickhouse://…), in any combination, and matched by measurement_uid. Values are compared with the lower
/// precision of the two inputs. The column update_time and entries that were discarded or rejected are ignored. With
/// --rules, the arguments are files and folders of measurements.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit code: 0 when nothing differs; 1 when something differs; 2 when an input cannot be read or nothing is found."
)]
pub struct Compare {
    /// Two files or stores; with --rules, files and folders of measurements
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Two sets of rules, such as compat,fixed: show what the second one changes
    #[arg(long, value_name = "RULES,RULES", value_enum, value_delimiter = ',', num_args = 1)]
    pub rules: Vec<RulesName>,

    /// Folder with fingerprints_dns.csv and fingerprints_http.csv [default: the built-in lists]
    #[arg(long, value_name = "DIR", requires = "rules")]
    pub fingerprints: Option<PathBuf>,

    /// Number of scoring threads [default: number of processors]
    #[arg(short, long, value_name = "N", requires = "rules", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub jobs: Option<u16>,

    /// Maximum number of examples of each difference
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=1000))]
    pub examples: u16,

    /// Format of the output
    #[arg(long, value_enum, default_value = "table")]
    pub format: SummaryFormat,
}
