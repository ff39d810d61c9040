//! `ooni-api verify`.

mod check;
mod fetch;

use self::check::{Check, Verdict, checks};
use self::fetch::fetch;
use super::output::Failure;
use crate::cli::verify::Verify;
use ooni_archive::fingerprints::from_folder;
use serde::Serialize;
use std::io::{self, ErrorKind, Write};

/// Columns of the output, and those before the text of a line.
const WIDTH: usize = 80;
const INDENT: usize = 14;

/// What was found.
#[derive(Debug, Serialize)]
struct Report<'r> {
    measurement_uid: &'r str,
    url: &'r str,
    verdict: Verdict,
    checks: Vec<Check>,
}

pub(super) fn run(arguments: &Verify, out: &mut dyn Write) -> Result<(), Failure> {
    let Verify { uid, url, fingerprints, json } = arguments;
    let failed = |error| Failure::Usage(vec![format!("--fingerprints: {error}")]);
    let given = fingerprints.as_deref().map(from_folder).transpose().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Unchecked(format!("the runtime cannot start: {error}")))?;
    let fetched = runtime.block_on(fetch(url, uid, given)).map_err(|error| Failure::Unchecked(format!("{error:#}")));
    let checks = checks(uid, &fetched?);
    let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Unchecked);
    let report = Report { measurement_uid: uid, url, verdict, checks };
    let written = if *json { report.write_json(out) } else { report.write(out) };
    match (written.and_then(|()| out.flush()), verdict) {
        // A closed pipe does not change the exit code, and another error of the output is not 1, which means a difference.
        (Err(error), _) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Unchecked(format!("cannot write to standard output: {error}")))
        }
        (_, Verdict::Agrees) => Ok(()),
        (_, Verdict::Differs) => Err(Failure::Differs),
        (_, Verdict::Unchecked) => Err(Failure::NotAllChecked),
    }
}

impl Report<'_> {
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.measurement_uid)?;
        write_line(out, "server", self.url)?;
        for Check { name, verdict, sentence } in &self.checks {
            write_line(out, name, &format!("{}: {sentence}", verdict.name()))?;
        }
        let result = match self.verdict {
            Verdict::Agrees => "The row is what this program computes from the body.",
            Verdict::Unchecked => "Nothing differs, but not everything could be checked.",
            Verdict::Differs => "Something differs.",
        };
        write_line(out, "result", result)
    }
}

/// A name and a text, which is broken between words.
fn write_line(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    let text = text.replace(char::is_control, "\u{fffd}");
    let mut line = format!("{name:<INDENT$}");
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            (line, is_empty) = (" ".repeat(INDENT), true);
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(out, "{line}")
}
