//! `fastpath store import`: imports a database of the reference, or a dump of one, into a store.
//!
//! Measurements that the store already has are kept, so a stopped import can be completed by repeating the command.

use super::copy;
use crate::command::result::{CommandResult, eprint_line};
use crate::sink::plain;
use ooni_store::{BlockingReference, BlockingStore, Loaded, is_url, load_dump, without_password};
use std::path::Path;

/// Imports a database, or a file that is a dump.
pub(super) fn run(from: &str, to: &str, after: Option<String>) -> CommandResult {
    if !is_url(from) {
        return match after {
            Some(_) => Err("--after is for databases; a dump is read from its beginning".to_owned()),
            None => dump(Path::new(from), to),
        };
    }
    let loader = format!("store import {}", without_password(from));
    let from = BlockingReference::open(from).map_err(|error| error.to_string())?;
    let to = BlockingStore::open(to).map_err(|error| error.to_string())?;
    let lists = from.test_lists().and_then(|lists| copy::lists(&to, lists)).map_err(|error| error.to_string())?;
    let mut target = copy::Target::of(to, &loader, false).map_err(|error| error.to_string())?;
    let (text, is_good) = copy::measurements(&mut target, from.measurements(after.clone()), after, "imported")?;
    Ok((format!("{text}{lists} entries of test lists\n"), is_good))
}

/// Maximum number of invalid lines that are reported one by one.
const REPORTED: u64 = 20;

/// Imports a dump.
fn dump(from: &Path, to: &str) -> CommandResult {
    if !from.is_file() {
        return Err(format!("{}: no such file", from.display()));
    }
    let to = BlockingStore::open(to).map_err(|error| error.to_string())?;
    let mut reported = 0;
    let loaded = load_dump(&to, from, |line, message| {
        reported += 1;
        if reported <= REPORTED {
            eprint_line(&format!("{}:{line}: {}", from.display(), plain(message)));
        }
    });
    let Loaded { inserted, already, bodies, listed, application, constants, bad } =
        loaded.map_err(|error| error.to_string())?;
    let mut text = format!(
        "{} measurements: {inserted} imported, {already} already there; {bodies} of them with a body\n{listed} entries of test lists\n",
        inserted + already
    );
    for (table, rows) in application {
        text += &format!("{rows} rows of {table}\n");
    }
    if constants > 0 {
        text += &format!("{constants} rows of test_groups skipped: they are constants\n");
    }
    if bad > 0 {
        text += &format!("invalid lines: {bad}\n");
    }
    Ok((text, bad == 0))
}
