//! Arguments of `ooni-api verify`.

use clap::Args;
use std::path::PathBuf;

/// Check the row of a measurement by scoring its body again
///
/// Gets the body of a measurement, its row and its explanation from a server, scores the body with the rules and fingerprint
/// lists of this program, and says whether row, ruleset, fingerprint lists, SHA-256 of the body and explanation agree. If
/// the server has no explanations, as api.ooni.org, only the row can be checked.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Verify {
    /// Id of the measurement
    #[arg(value_name = "UID", value_parser = uid)]
    pub uid: String,

    /// URL of the server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = url)]
    pub url: String,

    /// Folder with fingerprints_dns.csv and fingerprints_http.csv [default: the built-in lists, or those of the server if the
    /// row was made with them]
    #[arg(long, value_name = "DIR")]
    pub fingerprints: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

const EXIT_CODES: &str = "Exit code: 0 when everything agrees, 1 when something differs, 2 when something could not be \
                          checked, or for invalid arguments.";

fn uid(text: &str) -> Result<String, &'static str> {
    match crate::handler::measurement::by_uid::is_uid(text) {
        true => Ok(text.to_owned()),
        false => Err("expected 10 to 100 letters, digits, '.', '_' and '-'"),
    }
}

fn url(text: &str) -> Result<String, &'static str> {
    match text.starts_with("http://") || text.starts_with("https://") {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err("expected a URL that begins with http:// or https://"),
    }
}
