//! Arguments of the commands that read the archive: what to read, where it is, and where downloads are kept.

use super::names::{parse_country, parse_test};
use clap::Args;
use ooni_archive::limits::parse_disk_size;
use ooni_archive::source::archive::{Location, Options};
use ooni_archive::{Day, DayRange, Selection};
use ooni_store::{is_url, without_password};
use std::path::PathBuf;

/// What the environment configures.
pub(super) const ENVIRONMENT: &str = "Environment: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (also in lower \
                                      case) choose proxies (http, https, socks5, socks5h); AWS_CA_BUNDLE, SSL_CERT_FILE \
                                      and SSL_CERT_DIR choose certificate authorities.";

/// Which part of the archive.
#[derive(Args, Debug)]
pub struct ArchiveArguments {
    /// First day of upload, YYYY-MM-DD, in UTC
    #[arg(long, value_name = "DAY")]
    pub start_day: Day,

    /// Day after the last one, YYYY-MM-DD. Today and later days are skipped, since they are not complete yet
    #[arg(long, value_name = "DAY")]
    pub end_day: Day,

    /// Country codes, separated by commas [default: all]. Nothing found under an unknown code is an error
    #[arg(long, value_name = "CC,...", value_delimiter = ',', value_parser = parse_country)]
    pub ccs: Vec<String>,

    /// Tests, separated by commas, with or without underscores [default: all]. Nothing found under an unknown name is an
    /// error
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = parse_test)]
    pub testnames: Vec<String>,
}

impl ArchiveArguments {
    /// The selection, up to the day before `today`.
    pub fn wanted(&self, today: Day) -> Selection {
        Selection {
            days: DayRange { start: self.start_day, end: self.end_day }.before(today),
            ccs: self.ccs.iter().cloned().collect(),
            testnames: self.testnames.iter().cloned().collect(),
        }
    }

    /// What is wrong with a combination of arguments.
    pub fn conflict(&self) -> Option<&'static str> {
        (self.start_day >= self.end_day).then_some(NO_DAYS)
    }
}

/// The error for an empty range of days.
pub(super) const NO_DAYS: &str = "no days selected: --end-day is exclusive and must be after --start-day";

/// Where the archive is.
#[derive(Args, Debug)]
pub struct Sources {
    /// Folder or s3://BUCKET[/PREFIX] that contains raw/ or canned/; can be repeated [default: OONI's public buckets]
    ///
    /// Credentials are taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the region from
    /// AWS_REGION or AWS_DEFAULT_REGION. Without credentials, and for OONI's buckets, requests are not signed.
    #[arg(long = "source", value_name = "PLACE")]
    pub sources: Vec<String>,

    /// S3 server to use instead of Amazon's, such as http://127.0.0.1:9000; path-style addressing
    #[arg(long, value_name = "URL")]
    pub s3_endpoint: Option<String>,

    /// Do not verify downloads against ETags, for encrypted buckets (SSE-KMS, SSE-C), whose ETags are not MD5 sums. Sizes
    /// are always verified
    #[arg(long)]
    pub no_checksums: bool,
}

impl Sources {
    /// The places to read from.
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
    /// Folder that keeps downloads for later runs [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Maximum size of the downloads on disk, in bytes or with KiB, MiB or GiB. A can that is larger is downloaded alone
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = parse_disk_size)]
    pub cache_size: u64,
}

impl Caching {
    /// Adds these arguments to the options.
    pub fn options(&self, options: Options) -> Options {
        Options { cache: self.cache.clone(), cache_size: self.cache_size, ..options }
    }
}
