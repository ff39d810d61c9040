//! Arguments of `ooni-api serve`.

use super::settings::{Settings, flag};
use crate::config::Flag;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Run the server
///
/// In an empty directory this is a complete backend: secrets, a SQLite store and an archive are created in the state
/// directory. The log says what is missing, and so does /health. SIGTERM and SIGINT stop the server after the requests
/// that it has accepted; a second signal ends it at once. SIGHUP reloads certificates and other files that have changed.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Serve {
    /// Address and port to listen on; port 0 chooses a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<OsString>,

    /// Submit the measurements in files and folders, as a probe would. Measurements that were imported before are skipped
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub import: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

const AFTER_HELP: &str = "\
Examples:
  ooni-api serve --import examples/data
      a backend with some data in ooni-data
  ooni-api serve --config /etc/ooni/ooni-api.toml --log-format json
      settings of a file, log lines of JSON
  ooni-api serve --db-uri postgres://localhost/ooni --archive s3://my-bucket
      rows on a server, measurements in a bucket

Exit code: 0 when it was stopped by a signal, 1 when it cannot start or fails, 2
for invalid arguments or settings, 130 or 143 after a second SIGINT or SIGTERM.";

impl Serve {
    /// The flags for settings that were given.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = self.settings.flags();
        flags.extend(flag("--listen", "server", "listen", &self.listen));
        flags
    }
}
