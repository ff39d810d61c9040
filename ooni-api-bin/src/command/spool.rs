//! `ooni-api spool`.

mod import;

use super::output::{Failure, eprint_line, settings};
use crate::cli::StateSettings;
use crate::cli::spool::{ListFormat, SpoolCommand};
use crate::config::Config;
use crate::intake::spool::Export;
use crate::intake::{Cursor, Position, Reader, Record, Snapshot};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;
use tokio::runtime::{Builder, Runtime};

pub(super) fn run(command: &SpoolCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    match command {
        SpoolCommand::Ls { limit, format, state } => list(&runtime, &of(state)?, *limit, *format, out),
        SpoolCommand::Show { uid, record, state } => show(&runtime, &of(state)?, uid, *record, out),
        SpoolCommand::Export { folder, state } => export(&runtime, &of(state)?, folder, out),
        SpoolCommand::Import { folder, settings: given } => {
            let config = settings(given.state.config.as_deref(), &given.flags())?;
            runtime.block_on(import::run(&config, folder, out))
        }
    }
}

fn of(state: &StateSettings) -> Result<Config, Failure> {
    settings(state.config.as_deref(), &state.flags())
}

/// The intake log as it is now.
fn snapshot(config: &Config) -> Result<Snapshot, Failure> {
    let directory = config.intake_directory();
    if !directory.is_dir() {
        let state = config.state_dir.display();
        return Err(Failure::Failed(format!(
            "the state directory {state} has no intake log; choose another one with --state-dir"
        )));
    }
    let snapshot = Snapshot::open(&directory).map_err(failed)?;
    for damaged in &snapshot.recovery().damaged {
        eprint_line(&format!("{}: {} records are damaged", damaged.path.display(), damaged.records));
    }
    Ok(snapshot)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// The next record of a snapshot.
fn next(runtime: &Runtime, reader: &mut Reader) -> Result<Option<Record>, Failure> {
    Ok(runtime.block_on(reader.next()).map_err(failed)?.map(|(record, _)| record))
}

fn list(
    runtime: &Runtime,
    config: &Config,
    limit: Option<usize>,
    format: ListFormat,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let position =
        |name| Cursor::<Value>::open(&config.intake_directory(), name).map(|cursor| cursor.position().sequence);
    let (scored, archived) = (position("score").map_err(failed)?, position("archive").map_err(failed)?);
    let mut reader = snapshot(config)?.reader(Position::default());
    for _ in 0..limit.unwrap_or(usize::MAX) {
        let Some(record) = next(runtime, &mut reader)? else { break };
        let state = match (record.sequence <= scored, record.sequence <= archived) {
            (false, false) => "pending",
            (true, false) => "scored",
            (false, true) => "archived",
            (true, true) => "done",
        };
        let size = record.body.length();
        let written = match format {
            ListFormat::Table => writeln!(out, "{:<60} {size:>9} {state}", record.uid),
            ListFormat::Jsonl => {
                writeln!(out, "{}", json!({"measurement_uid": record.uid, "bytes": size, "state": state}))
            }
        };
        written.map_err(Failure::Output)?;
    }
    Ok(())
}

fn show(runtime: &Runtime, config: &Config, uid: &str, as_record: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let found = runtime.block_on(snapshot(config)?.find(uid)).map_err(failed)?;
    let record = found.ok_or_else(|| Failure::Failed(format!("the intake log does not have {uid}")))?;
    if as_record {
        return writeln!(out, "{:#}", described(&record)).map_err(Failure::Output);
    }
    // Errors of the output are kept apart from errors of the segment, which have other messages.
    let mut output = Ok(());
    let read = record.body.for_each_piece(|piece| {
        output = out.write_all(piece);
        if output.is_ok() { Ok(()) } else { Err(io::Error::other("standard output")) }
    });
    output.map_err(Failure::Output)?;
    read.map_err(failed)
}

fn described(record: &Record) -> Value {
    let digest: String = record.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "measurement_uid": record.uid,
        "sequence": record.sequence,
        "received": record.received.iso_text(),
        "route": record.route,
        "report_id": record.key_report_id,
        "probe_cc": record.probe_cc,
        "test_name": record.test_name,
        "headers": record.headers.iter().cloned().map(|(name, value)| (name, Value::String(value))).collect::<serde_json::Map<_, _>>(),
        "side": record.side,
        "bytes": record.body.length(),
        "sha512": digest,
    })
}

fn export(runtime: &Runtime, config: &Config, folder: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let mut reader = snapshot(config)?.reader(Position::default());
    let spool = Export::new(folder).map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))?;
    let (mut written, mut refused) = (0_u64, 0_u64);
    while let Some(record) = next(runtime, &mut reader)? {
        match spool.write(&record) {
            Ok(_) => written += 1,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                eprint_line(&error.to_string());
                refused += 1;
            }
            Err(error) => return Err(Failure::Failed(format!("{}: {error}", folder.display()))),
        }
    }
    writeln!(out, "{written} measurements exported").map_err(Failure::Output)?;
    match refused {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{refused} measurements were not exported"))),
    }
}
