//! Opens the output, the store and the journal of a run. Output and journal are locked.

use super::ledger::Ledger;
use super::output::{Closed, FileFormat, Output};
use crate::cli::Rerun;
use crate::command::bulk::BulkLoad;
use crate::journal::{Earlier, FinishedCans, Identity, Journal, JournalState, Mark};
use crate::same_file;
use crate::sink::Sink;
use ooni_archive::Day;
use ooni_core::hex::hex;
use ooni_core::rules::Ruleset;
use ooni_store::failpoint::{Failpoint, reach};
use ooni_store::files::beside;
use ooni_store::{BlockingStore, OnExisting, is_url, local_path, sqlite_path, without_password};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What was opened.
pub(super) struct Opened {
    pub(super) ledger: Ledger,
    /// The cans that an earlier run finished.
    pub(super) finished: FinishedCans,
    /// Whether the earlier run is complete and there are no further days.
    pub(super) was_complete: bool,
    /// The journal of a run that cannot be resumed. It is empty; its lock keeps other processes away from the output.
    pub(super) placeholder: Option<Journal>,
    /// Whether standard output was closed by its reader.
    pub(super) closed: Closed,
}

/// Checks that all files of a run are distinct.
///
/// # Errors
/// A sentence that names two arguments.
pub(super) fn check_files(arguments: &Rerun) -> Result<(), String> {
    let is_file = |path: &&PathBuf| path.as_os_str() != "-";
    let mut files: Vec<(&str, PathBuf)> = Vec::new();
    if let Some(out) = arguments.out.as_ref().filter(is_file) {
        files.push(("--out", out.clone()));
        if FileFormat::of(out) == Some(FileFormat::Parquet) {
            files.push(("the spool of --out", beside(out, ".spool")));
            files.push(("the unfinished file of --out", beside(out, ".partial")));
        }
    }
    files.extend(journal_path(arguments)?);
    if let Some(report) = arguments.report.as_ref().filter(is_file) {
        files.push(("--report", report.clone()));
    }
    if !arguments.no_write_to_db
        && let Ok(store) = sqlite_path(&arguments.db_uri)
    {
        files.push(("--db-uri", store.to_owned()));
        for suffix in ["-wal", "-shm"] {
            files.push(("a file of --db-uri", beside(store, suffix)));
        }
    }
    if arguments.write_to_disk {
        files.push(("--spool-dir", arguments.spool_dir.clone()));
    }
    same_file::refuse(&files)
}

/// Opens journal, store and output, for a new run or at the point that an earlier one reached. The days end before `end`.
///
/// # Errors
/// A sentence. An unfinished earlier run is an error unless the arguments say what to do with it.
pub(super) fn open(
    arguments: &Rerun,
    ruleset: &Ruleset,
    end: Day,
    sink: &dyn Fn() -> Box<dyn Sink>,
) -> Result<Opened, String> {
    let mut journal = match journal_path(arguments)? {
        Some((_, path)) => Some(open_journal(arguments, &path)?),
        None => None,
    };
    let opened = open_all(arguments, ruleset, end, sink, &mut journal);
    if opened.is_err()
        && let Some(journal) = journal
    {
        journal.discard_if_empty();
    }
    opened
}

fn open_all(
    arguments: &Rerun,
    ruleset: &Ruleset,
    end: Day,
    sink: &dyn Fn() -> Box<dyn Sink>,
    journal: &mut Option<Journal>,
) -> Result<Opened, String> {
    let identity = identity(arguments, ruleset);
    let earlier = match journal {
        Some(journal) => earlier(arguments, journal, &identity)?,
        None => None,
    };
    let store = match arguments.no_write_to_db {
        true => None,
        false => Some(BlockingStore::open(&arguments.db_uri).map_err(|error| error.to_string())?),
    };
    let bulk = match &store {
        Some(store) if arguments.bulk => {
            let loader = loader(&identity, journal.as_ref());
            Some(BulkLoad::begin(store, &loader).map_err(|error| error.to_string())?)
        }
        _ => None,
    };
    let mut header = Vec::new();
    sink().begin(&mut header);
    let out = arguments.out.as_deref();
    let failed = |error: io::Error| error.to_string();
    let closed = Closed::new(store.is_some());
    let JournalState { finished, mark, complete } = match earlier {
        Some(earlier) => {
            check_store(store.as_ref(), arguments, &earlier.state.mark)?;
            if let Some(journal) = journal.as_mut()
                && earlier.state.complete.is_none_or(|before| before < end)
            {
                journal.resume(&earlier).map_err(failed)?;
            }
            earlier.state
        }
        None => {
            // In this order: a journal never describes an output that does not exist.
            journal.as_mut().map_or(Ok(()), Journal::clear).map_err(failed)?;
            reach(Failpoint::Begun);
            let output = Output::open(out, None, &header, &closed).map_err(failed)?;
            reach(Failpoint::OutputBegun);
            let resumable = arguments.stop_after.is_none();
            if let Some(journal) = journal.as_mut().filter(|_| resumable) {
                journal.begin(&identity).map_err(failed)?;
            }
            reach(Failpoint::JournalBegun);
            let journal = journal.take();
            let (journal, placeholder) = if resumable { (journal, None) } else { (None, journal) };
            let mut ledger = Ledger::new(store, on_existing(arguments), output, journal, Mark::default());
            ledger.bulk = bulk;
            return Ok(Opened { ledger, finished: FinishedCans::default(), was_complete: false, placeholder, closed });
        }
    };
    let was_complete = complete.is_some_and(|before| end <= before);
    let output = match complete {
        Some(_) if was_complete => Output::Nothing,
        Some(day) if out.and_then(FileFormat::of) == Some(FileFormat::Parquet) => {
            return Err(format!("--out is complete up to {day}; for later days name another file"));
        }
        _ => Output::open(out, Some(mark.out), &header, &closed).map_err(failed)?,
    };
    let mut ledger = Ledger::new(store, on_existing(arguments), output, journal.take(), mark);
    ledger.bulk = bulk;
    Ok(Opened { ledger, finished, was_complete, placeholder: None, closed })
}

fn on_existing(arguments: &Rerun) -> OnExisting {
    if arguments.update { OnExisting::Replace } else { OnExisting::Keep }
}

/// The name of the run as a loader of a bulk load. A resumed run has the same one.
fn loader(identity: &Identity, journal: Option<&Journal>) -> String {
    let journal = journal.map(|journal| fs::canonicalize(journal.path()).unwrap_or_else(|_| journal.path().to_owned()));
    let process = if journal.is_none() { std::process::id() } else { 0 };
    hex(Sha256::digest(format!("{identity:?} {journal:?} {process}")))
}

/// The earlier run to resume; `None` for a new run.
fn earlier(arguments: &Rerun, journal: &Journal, identity: &Identity) -> Result<Option<Earlier>, String> {
    if arguments.restart {
        return Ok(None);
    }
    let path = journal.path().display();
    let earlier = journal.read().map_err(|why| format!("{why}; --restart overwrites it"))?;
    let Some(earlier) = earlier else { return Ok(None) };
    let difference = earlier.difference(identity);
    match (arguments.resume, difference) {
        (true, None) => Ok(Some(earlier)),
        (true, Some(difference)) => {
            Err(format!("{path}: the journal of another run: {difference}; that run started {earlier}"))
        }
        (false, _) if earlier.state.complete.is_some() => Ok(None),
        (false, difference) => {
            let how = match (arguments.stop_after, difference) {
                (Some(_), _) => "--restart discards it".to_owned(),
                (None, None) => "--resume continues it, --restart starts again".to_owned(),
                (None, Some(difference)) => format!(
                    "it differs from this run ({difference}): --resume with its arguments continues it, --restart \
                     discards it"
                ),
            };
            let cans = earlier.state.mark.cans;
            Err(format!("{path}: an earlier run has not finished, {cans} cans are done; {how}; it started {earlier}"))
        }
    }
}

/// Checks that the store has rows if the journal says so. If the store was deleted and its journal was not, a resumed run
/// would never write the rows that the journal counts as done.
fn check_store(store: Option<&BlockingStore>, arguments: &Rerun, mark: &Mark) -> Result<(), String> {
    let Some(store) = store.filter(|_| mark.counts.all().stored > 0) else { return Ok(()) };
    match store.wait(store.store.unfinished_months()) {
        // It has rows of a bulk load.
        Ok(months) if !months.is_empty() => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(error.to_string()),
    }
    match store.wait(store.store.page(None, 1)) {
        Ok(rows) if rows.is_empty() => Err(format!(
            "{} has no rows, but the journal says that it has; --restart starts again",
            without_password(&arguments.db_uri)
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The journal is at --journal, or else beside the output file, or beside the store if there is no file. A run with
/// `--stop-after` that writes to a store alone has no journal: it cannot be resumed, and it overwrites nothing.
///
/// Also returns how messages call it.
fn journal_path(arguments: &Rerun) -> Result<Option<(&'static str, PathBuf)>, String> {
    Ok(match (&arguments.journal, &arguments.out) {
        (Some(journal), _) => Some(("--journal", journal.clone())),
        (None, Some(out)) if out.as_os_str() == "-" => None,
        (None, Some(out)) => Some(("the journal of --out", Journal::path_of(out))),
        (None, None) if arguments.no_write_to_db || arguments.stop_after.is_some() => None,
        (None, None) => {
            let store = local_path(&arguments.db_uri).map_err(|error| error.to_string())?;
            Some(("the journal of --db-uri", Journal::path_of(&store)))
        }
    })
}

/// Opens the journal. The folder of a store is created, that of an output must exist.
fn open_journal(arguments: &Rerun, path: &Path) -> Result<Journal, String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (&arguments.journal, &arguments.out) {
        (Some(_), _) => {}
        (None, Some(out)) => {
            fs::metadata(folder).map_err(|error| format!("{}: {error}", out.display()))?;
        }
        (None, None) => fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?,
    }
    Journal::open(path)
}

/// The arguments that must be the same for a run to be resumed.
fn identity(arguments: &Rerun, ruleset: &Ruleset) -> Identity {
    let Rerun { selection, sources, scoring, .. } = arguments;
    let named = |name: &str, value: String| (name.to_owned(), value);
    let store = if arguments.no_write_to_db { "none".to_owned() } else { without_password(&arguments.db_uri) };
    let source = |source: &String| if is_url(source) { without_password(source) } else { source.clone() };
    let mut identity = Identity::from([
        named("--start-day", selection.start_day.to_string()),
        named("--end-day", selection.end_day.to_string()),
        named("--ccs", selection.ccs.join(",")),
        named("--testnames", selection.testnames.join(",")),
        named("--source", sources.sources.iter().map(source).collect::<Vec<_>>().join(" ")),
        named("--db-uri", store),
        named("--update", arguments.update.to_string()),
        named("--strict-cans", scoring.strict_cans.to_string()),
        named("--input-format", scoring.input_format.named()),
        named("the limits", format!("{:?}", scoring.limits.limits())),
        named("the ruleset", format!("{} {} {}", ruleset.rules, ruleset.version, ruleset.fingerprints)),
    ]);
    if arguments.bulk {
        identity.extend([named("--bulk", "true".to_owned())]); // journals of earlier versions do not have it
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;
    use ooni_core::rules::Rules;

    /// What a journal says about the arguments.
    fn identity_of(arguments: &[&str]) -> String {
        let days = ["fastpath", "rerun", "--start-day", "2024-01-01", "--end-day", "2024-01-02"];
        let cli = Cli::try_parse_from([&days[..], arguments].concat()).unwrap();
        let Command::Rerun(arguments) = cli.command else { panic!("{cli:?}") };
        format!("{:?}", identity(&arguments, &Ruleset::new(Rules::Fixed, "")))
    }

    #[test]
    fn a_journal_has_no_password() {
        for url in
            ["postgres://me:PLANTED@host/db", "clickhouse://me:PLANTED@host:8123/db", "mysql://me:PLANTED@host/db"]
        {
            let text = identity_of(&["--db-uri", url]);
            assert!(text.contains("@host") && !text.contains("PLANTED"), "{text}");
            let text = identity_of(&["--source", url, "--source", "folder"]);
            assert!(text.contains("folder") && !text.contains("PLANTED"), "{text}");
        }
        assert!(!identity_of(&["--s3-endpoint", "http://me:PLANTED@host:9000"]).contains("PLANTED"));
        assert!(identity_of(&["--ccs", "it,ir", "--db-uri", "sqlite:a@b.db"]).contains("sqlite:a@b.db"));
    }
}
