//! The arguments of `fastpath fetch`.

use super::archive::{ArchiveArguments, Sources};
use clap::Args;
use std::path::PathBuf;

/// Copy cans of the archive to a folder.
///
/// It copies the cans that a run over the archive reads, under the same keys, so that the folder can itself be a --source.
/// Where a .tar.gz and a .jsonl.gz of one stem hold the same measurements, it copies the .tar.gz; with --with-jsonl both.
/// Filters apply where the key shows country and test; cans that only their content could rule out are copied.
///
/// A table of the cans comes first, on standard output. A file with the right content (size and checksum, or every byte
/// when the source is a folder) is not copied again, any other is replaced. An interrupted download is resumed: to
/// continue after Ctrl-C, repeat the command.
#[derive(Args, Debug)]
#[command(after_help = NOTES)]
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

    /// Only show the table
    #[arg(long)]
    pub dry_run: bool,

    /// Downloads at once
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,

    /// Also copy the .jsonl.gz beside a .tar.gz, which rows of the table jsonl name
    #[arg(long)]
    pub with_jsonl: bool,
}

const NOTES: &str = "Environment: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (also in lower case) choose proxies; \
                     AWS_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR choose certificate authorities.\n\
                     Exit code: 0 when all cans were copied or present, 1 when nothing matched or something could not be \
                     listed or copied, 2 for wrong arguments.";
