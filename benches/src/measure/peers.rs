//! Alternatives for extracting three fields from a jsonl.gz: `jq`, and Python libraries by `peers/peer.py`.

use std::path::Path;

use super::choice::{Choice, PEERS};
use super::commands::IGZIP;
use super::material::Files;
use super::run::{Command, Ran, run};
use super::sample::{Group, Sample};

/// After `igzip -dc`, as jq cannot read gzip.
pub const JQ: &str = "jq";
/// The exit code with which the pipeline reports that one of its programs is missing.
const JQ_SCRIPT: &str = "for program in igzip jq; do command -v $program > /dev/null || exit 127; done
igzip -dc \"$0\" | jq -c '[.probe_cc, .test_name, (.test_keys | objects | .blocking)]'";

/// Python libraries.
const LIBRARIES: [&str; 4] = ["orjson", "duckdb", "polars", "chdb"];
/// The exit code for a missing library.
const NO_LIBRARY: i32 = 3;

/// The names of all peers.
pub fn names() -> impl Iterator<Item = &'static str> {
    [JQ].into_iter().chain(LIBRARIES)
}

/// Runs one repetition of the chosen peers, and of `igzip`, on a file of lines. Returns the peers that are missing on
/// this machine or failed, with the reason.
///
/// # Errors
/// `igzip` fails.
pub fn repetition(
    python: &Path,
    files: &Files,
    choice: &Choice,
    repetition: u32,
    samples: &mut Vec<Sample>,
) -> anyhow::Result<Vec<String>> {
    let Some(file) = files.files.first() else { return Ok(Vec::new()) };
    let mut missing = Vec::new();
    let mut igzip = Command::new(Path::new("igzip"), &["-dc"]);
    igzip.is_piped = false;
    igzip.args.push(file.into());
    match run(&igzip)? {
        Some(ran) => samples.push(ran.sample(Group::Peers, files, IGZIP, repetition)),
        None => missing.push(IGZIP.to_owned()),
    }
    for name in names().filter(|name| choice.has(&format!("{PEERS}/{name}"))) {
        let mut command = if name == JQ {
            Command { lacks: Some(127), ..Command::new(Path::new("sh"), &["-c", JQ_SCRIPT]) }
        } else {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/peer.py");
            let mut command = Command { lacks: Some(NO_LIBRARY), ..Command::new(python, &[]) };
            command.args = vec![script.into(), name.into()];
            command
        };
        command.args.push(file.into());
        match run(&command) {
            Ok(Some(ran)) => samples.push(sample(&ran, files, name, repetition)),
            Ok(None) => missing.push(name.to_owned()),
            // The failure of a peer does not end the run.
            Err(error) => missing.push(format!("{name} (it failed: {})", last_line(&error.to_string()))),
        }
    }
    Ok(missing)
}

fn sample(ran: &Ran, files: &Files, name: &str, repetition: u32) -> Sample {
    let sample = ran.sample(Group::Peers, files, name, repetition);
    if name == JQ {
        // The memory would be that of the shell.
        return Sample { peak: None, ..sample };
    }
    let (rows, query) = parse_output(&ran.last);
    Sample { lines_out: rows, query, ..sample }
}

/// The script's output: the number of rows, and the time without imports.
fn parse_output(text: &[u8]) -> (Option<u64>, Option<f64>) {
    let text = String::from_utf8_lossy(text);
    let mut words = text.split_whitespace();
    let mut next = || words.next().unwrap_or_default();
    (next().parse().ok(), next().parse().ok())
}

fn last_line(text: &str) -> &str {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::material::{KINDS, big};
    use ooni_testkit::corpus::Options;

    #[test]
    fn what_is_there_gets_all_rows_and_what_is_not_is_named() {
        let inside = tempfile::tempdir().unwrap();
        let options = Options { n: 30, ..Options::default() };
        let files = big(KINDS[0], &options, inside.path()).unwrap();
        let choice = super::super::catalog::choose(&[], true).unwrap();
        let mut samples = Vec::new();
        let missing = repetition(Path::new("python3"), &files, &choice, 0, &mut samples).unwrap();
        assert_eq!(samples.len() + missing.len(), 6, "{missing:?}");
        for sample in samples.iter().filter(|sample| sample.what != IGZIP) {
            assert_eq!(sample.lines_out, Some(30), "{sample:?}");
        }
        let missing = repetition(Path::new("no-such-python"), &files, &choice, 0, &mut samples).unwrap();
        assert!(LIBRARIES.iter().all(|name| missing.iter().any(|missing| missing == name)), "{missing:?}");
    }

    #[test]
    fn what_the_script_says() {
        assert_eq!(parse_output(b"30 0.25\n"), (Some(30), Some(0.25)));
        assert_eq!(parse_output(b""), (None, None));
    }
}
