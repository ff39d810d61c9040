//! The arguments of `fastpath fetch`.

use super::archive::{ArchiveArguments, ENVIRONMENT, Sources};
use clap::Args;
use std::path::PathBuf;

/// Copy cans, the files of the archive, to a folder
///
/// Copies the cans that "rerun" would read, under the same keys, so the folder can be used as a --source. If a .tar.gz and
/// a .jsonl.gz of the same stem have the same measurements, only the .tar.gz is copied; --with-jsonl copies both.
/// Countries and tests are filtered by the key. A can whose key does not show them is copied.
///
/// First a table of the cans is printed on standard output. A file that already has the right content (same size and
/// checksum, or the same bytes if the source is a folder) is not copied again; any other file is replaced. Interrupted
/// downloads are resumed: to continue after Ctrl-C, repeat the command.
#[derive(Args, Debug)]
#[command(after_help = format!("{ENVIRONMENT}\n{EXIT_CODES}"))]
pub struct Fetch {
    /// Which cans.
    #[command(flatten)]
    pub selection: ArchiveArguments,

    /// Where they are.
    #[command(flatten)]
    pub sources: Sources,

    /// Folder to copy to
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,

    /// Only print the table
    #[arg(long)]
    pub dry_run: bool,

    /// Number of parallel downloads
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,

    /// Also copy the .jsonl.gz of the same stem, to which rows of the table jsonl refer
    #[arg(long)]
    pub with_jsonl: bool,
}

const EXIT_CODES: &str = "Exit code: 0 when all cans were copied or already there; 1 when nothing matched, or something \
                          could not be listed or copied; 2 for invalid arguments, and for unknown countries and tests \
                          under which nothing was found: then nothing is copied.";
