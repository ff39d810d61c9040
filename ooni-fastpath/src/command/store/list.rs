//! `fastpath store removed` and `rejected`: lists that are written while they are read.

use crate::cli::store::{List, ListFormat};
use crate::command::result::CommandResult;
use crate::sink::plain;
use ooni_store::{BlockingStore, Error, Rejection, Removal};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use unicode_width::UnicodeWidthChar;

/// Maximum columns of a line in the human-readable format.
const WIDTH: usize = 80;

/// An entry of a list.
trait Entry {
    /// Names of the fields, in order.
    const FIELDS: &'static [&'static str];

    /// Its fields.
    fn fields(&self) -> impl Serialize;

    /// Human-readable lines; `before` is the entry before this one.
    fn lines(&self, before: Option<&Self>) -> Vec<String>;
}

/// Lists removals.
pub(super) fn removed(list: &List, url: &str) -> CommandResult {
    let store = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    write(store.removals(), list)
}

/// Lists rejections, optionally of one can or with one error code.
pub(super) fn rejected(can: Option<&str>, code: Option<&str>, list: &List, url: &str) -> CommandResult {
    let store = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    write(store.rejections(can.map(str::to_owned), code.map(str::to_owned)), list)
}

/// Writes a list to standard output.
fn write<E: Entry>(entries: impl Iterator<Item = Result<E, Error>>, list: &List) -> CommandResult {
    let entries = entries.take(list.limit.unwrap_or(usize::MAX));
    let mut failure = None;
    // An error of the store ends the list.
    let entries = entries.map_while(|entry| entry.map_err(|error| failure = Some(error.to_string())).ok());
    let out = BufWriter::new(io::stdout().lock());
    let written = match list.format {
        ListFormat::Table => write_lines(entries, out),
        ListFormat::Jsonl => write_jsonl(entries, out),
        ListFormat::Csv => write_csv(entries, out),
    };
    match written {
        // The reader closed the pipe: it has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("cannot write the output: {error}")),
        _ => failure.map_or_else(|| Ok((String::new(), true)), Err),
    }
}

fn write_lines<E: Entry>(entries: impl Iterator<Item = E>, mut out: impl Write) -> io::Result<()> {
    let mut before = None;
    for entry in entries {
        for line in entry.lines(before.as_ref()) {
            writeln!(out, "{}", cut(&plain(&line)))?;
        }
        before = Some(entry);
    }
    if before.is_none() {
        writeln!(out, "none")?;
    }
    out.flush()
}

fn write_jsonl<E: Entry>(entries: impl Iterator<Item = E>, mut out: impl Write) -> io::Result<()> {
    for entry in entries {
        serde_json::to_writer(&mut out, &entry.fields())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn write_csv<E: Entry>(entries: impl Iterator<Item = E>, out: impl Write) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    csv.write_record(E::FIELDS)?;
    for entry in entries {
        csv.serialize(entry.fields())?;
    }
    csv.flush()
}

impl Entry for Removal {
    const FIELDS: &'static [&'static str] = &["measurement_uid", "time", "reason"];

    fn fields(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Fields<'r> {
            measurement_uid: &'r str,
            time: &'r str,
            reason: &'r str,
        }
        Fields { measurement_uid: &self.uid, time: &self.time, reason: &self.reason }
    }

    fn lines(&self, _: Option<&Removal>) -> Vec<String> {
        vec![format!("{}  {}", self.time, self.uid), format!("  {}", self.reason)]
    }
}

impl Entry for Rejection {
    const FIELDS: &'static [&'static str] = &["can", "position", "measurement_uid", "code", "path", "message"];

    fn fields(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Fields<'r> {
            can: &'r str,
            position: Option<i64>,
            measurement_uid: Option<&'r str>,
            code: &'r str,
            path: &'r str,
            message: &'r str,
        }
        Fields {
            can: &self.can,
            position: Some(self.position).filter(|position| *position >= 0),
            measurement_uid: self.uid.as_deref(),
            code: &self.code,
            path: &self.path,
            message: &self.message,
        }
    }

    /// The can, if it is another one than before, then two lines.
    fn lines(&self, before: Option<&Rejection>) -> Vec<String> {
        let Rejection { can, position, uid, code, path, message } = self;
        let heading = if before.is_some_and(|before| before.can == *can) { None } else { Some(can.to_string()) };
        let position = if *position >= 0 { position.to_string() } else { "-".to_owned() };
        let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
        let first = format!("{position:>8}  {code:<8}  {}", uid.as_deref().unwrap_or("-"));
        heading.into_iter().chain([first, format!("          {at}{message}")]).collect()
    }
}

/// Truncates a line to [`WIDTH`] columns.
fn cut(line: &str) -> String {
    let width = |c: char| c.width().unwrap_or(0);
    if line.chars().map(width).sum::<usize>() <= WIDTH {
        return line.to_owned();
    }
    let mut used = 1; // the ellipsis
    let fits = |c: &char| {
        used += width(*c);
        used <= WIDTH
    };
    line.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit() {
        assert_eq!(cut(&"x".repeat(80)).chars().count(), 80);
        assert_eq!(cut(&"x".repeat(81)), "x".repeat(79) + "…");
        assert_eq!(cut(&"日".repeat(41)), "日".repeat(39) + "…");
    }
}
