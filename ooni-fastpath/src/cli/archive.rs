//! Arguments of the commands that read the archive: which part of it, where it is, and where downloads are kept.

use super::names::{parse_country, parse_test};
use clap::Args;
use ooni_archive::limits::parse_disk_size;
use ooni_archive::source::archive::{Location, Options};
use ooni_archive::{Day, DayRange, Selection};
use ooni_store::{is_url, without_password};
use std::path::PathBuf;

/// Which part of the archive.
#[derive(Args, Debug)]
pub struct ArchiveArguments {
    /// First day, YYYY-MM-DD; days are those of upload, in UTC
    #[arg(long, value_name = "DAY")]
    pub start_day: Day,

    /// The day after the last, YYYY-MM-DD; today and later days are skipped, since they are not complete yet
    #[arg(long, value_name = "DAY")]
    pub end_day: Day,

    /// Country codes, separated by commas [default: all]
    #[arg(long, value_name = "CC,...", value_delimiter = ',', value_parser = parse_country)]
    pub ccs: Vec<String>,

    /// Tests, separated by commas, with or without underscores [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = parse_test)]
    pub testnames: Vec<String>,
}

impl ArchiveArguments {
    /// What to read, up to the day before `today`.
    pub fn wanted(&self, today: Day) -> Selection {
        Selection {
            days: DayRange { start: self.start_day, end: self.end_day }.before(today),
            ccs: self.ccs.iter().cloned().collect(),
            testnames: self.testnames.iter().cloned().collect(),
        }
    }

    /// What is wrong with arguments that are valid one by one.
    pub fn conflict(&self) -> Option<&'static str> {
        (self.start_day >= self.end_day).then_some(NO_DAYS)
    }
}

/// What is wrong with an empty range of days.
pub(super) const NO_DAYS: &str = "no days: --end-day, which is excluded, has to be after --start-day";

/// Where the archive is.
#[derive(Args, Debug)]
pub struct Sources {
    /// Folder or s3://BUCKET[/PREFIX] with raw/ or canned/ in it; may be repeated [default: OONI's public buckets]
    ///
    /// Credentials are taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the region from
    /// AWS_REGION or AWS_DEFAULT_REGION. Without credentials, and for OONI's buckets, requests are not signed.
    #[arg(long = "source", value_name = "PLACE")]
    pub sources: Vec<String>,

    /// Server for all s3:// sources instead of Amazon's, such as http://127.0.0.1:9000; addressed by path
    #[arg(long, value_name = "URL")]
    pub s3_endpoint: Option<String>,

    /// Do not compare downloads with the ETags of the server: for encrypted buckets (SSE-KMS, SSE-C), whose ETags are not
    /// MD5 sums. Sizes are always compared
    #[arg(long)]
    pub no_checksums: bool,
}

impl Sources {
    /// Where to look.
    ///
    /// # Errors
    /// A sentence, for a source that is invalid or a folder that does not exist.
    pub fn locations(&self) -> Result<Vec<Location>, String> {
        let endpoint = self.s3_endpoint.as_deref();
        if self.sources.is_empty() {
            return Ok(Location::ooni(endpoint));
        }
        let location = |source: &String| match Location::parse(source, endpoint) {
            Ok(Location::Directory(folder)) if !folder.exists() => Err(format!("{}: does not exist", folder.display())),
            // The message begins with the source, which may be a URL with a password.
            Err(why) if is_url(source) => Err(why.replace(&**source, &without_password(source))),
            location => location,
        };
        self.sources.iter().map(location).collect()
    }

    /// How the archive is read.
    pub fn options(&self) -> Options {
        Options { checksums: !self.no_checksums, ..Options::default() }
    }
}

/// Where downloads are kept.
#[derive(Args, Debug)]
pub struct Caching {
    /// Folder in which downloads stay for other runs [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Bytes of downloads at a time; a larger can is read when there is no other. Units: KiB, MiB, GiB
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = parse_disk_size)]
    pub cache_size: u64,
}

impl Caching {
    /// The options with these arguments.
    pub fn options(&self, options: Options) -> Options {
        Options { cache: self.cache.clone(), cache_size: self.cache_size, ..options }
    }
}
