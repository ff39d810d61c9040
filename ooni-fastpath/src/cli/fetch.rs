//! The arguments of `fastpath fetch`.

use super::archive::{ArchiveArguments, Sources};
use clap::Args;
use std::path::PathBuf;

/// Copy cans of the archive to a folder.
///
/// What is copied are the cans that a run over the archive reads, under the same keys, so that the folder can be a
/// --source itself. Position a .tar.gz and a .jsonl.gz of one stem hold the same measurements that is the .tar.gz alone; with
/// --with-jsonl both. Filters apply where the key tells country and test; what only the content could tell is copied.
///
/// A table of what there is comes first, on standard output. Files of the right size and MD5 are not copied again, and a
/// download that was broken off, by whatever, is taken up where it ended: to go on after Ctrl-C, give the command again.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Fetch {
    /// What to copy.
    #[command(flatten)]
    pub selection: ArchiveArguments,

    /// From where.
    #[command(flatten)]
    pub sources: Sources,

    /// Folder to copy to
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,

    /// Only say what there is
    #[arg(long)]
    pub dry_run: bool,

    /// Downloads at once
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,

    /// Also the .jsonl.gz beside a .tar.gz, whose name stands in rows of the table jsonl
    #[arg(long)]
    pub with_jsonl: bool,
}

const EXIT_CODES: &str = "Exit code: 0 when all is there, 1 when something could not be listed or copied, 2 for wrong \
                          arguments.";
