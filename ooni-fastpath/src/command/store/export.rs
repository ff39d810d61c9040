//! `fastpath store export`: writes rows to Parquet files, one per day and test.

use crate::cli::store::Days;
use crate::command::result::CommandResult;
use ooni_archive::{Day, DayRange};
use ooni_core::hex::hex;
use ooni_core::time::DateTime;
use ooni_store::BlockingStore;
use ooni_store::parquet::write_parquet;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::value::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// Writes the files of a range of days.
pub(super) fn run(days: &Days, folder: &Path, url: &str) -> CommandResult {
    let store = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    let at = |error: io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(at)?;
    let days = DayRange { start: days.start_day, end: days.end_day };
    let (mut names, mut rows) = (HashSet::new(), 0);
    for (day, test) in parts(&store, days)? {
        let name = file_name(&day, &test);
        let filter = Filter { test_names: vec![test], window: of_day(&day)?, ..Filter::default() };
        let slice = store.slice(filter).map(|row| row.map_err(io::Error::other));
        rows += write_parquet(&folder.join(&name), slice).map_err(|error| error.to_string())?;
        names.insert(name);
    }
    remove_others(folder, days, &names).map_err(at)?;
    Ok((format!("{rows} rows in {} files\n", names.len()), true))
}

/// The days and tests with measurements.
fn parts(store: &BlockingStore, days: DayRange) -> Result<Vec<(String, String)>, String> {
    let window = Window { from: Some(days.start.start()), to: Some(days.end.start()) };
    let filter = Filter { window, ..Filter::default() };
    let query = Aggregation { filter, axes: vec![Axis::MeasurementStart(Grain::Day), Axis::TestName] };
    let groups = store.wait(store.store.aggregate(&query)).map_err(|error| error.to_string())?;
    let part = |keys: &[Value<'_>]| match keys {
        [Value::Time(day), Value::Text(test)] => Some((day.date_text(), test.clone().into_owned())),
        _ => None,
    };
    Ok(groups.iter().filter_map(|group| part(&group.keys)).collect())
}

/// The window of a day.
fn of_day(day: &str) -> Result<Window, String> {
    let day: Day = day.parse()?;
    let to = day.next().map_or(DateTime::MAX, Day::start);
    Ok(Window { from: Some(day.start()), to: Some(to) })
}

/// Maximum bytes of a test's name in a file name; in longer ones, a hash replaces the rest.
const LONGEST_NAME: usize = 100;

/// The name of a file. Names of tests come from probes and may contain characters that are not safe in file names.
fn file_name(day: &str, test: &str) -> String {
    let mut name = String::new();
    for byte in test.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => name.push(char::from(byte)),
            _ => drop(write!(name, "%{byte:02X}")),
        }
    }
    if name.len() > LONGEST_NAME {
        name.truncate(LONGEST_NAME);
        let _ = write!(name, "-{}", hex(Sha256::digest(test)));
    }
    format!("{day}_{name}.parquet")
}

/// Removes files of these days left by earlier exports: those of tests without measurements, and unfinished ones.
fn remove_others(folder: &Path, days: DayRange, names: &HashSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !names.contains(*name)) else { continue };
        let is_ours = name.ends_with(".parquet") || name.ends_with(".parquet.partial");
        let day = name.split_once('_').and_then(|(day, _)| day.parse().ok());
        if is_ours && day.is_some_and(|day| days.contains(day)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names() {
        assert_eq!(file_name("2021-06-14", "web_connectivity"), "2021-06-14_web_connectivity.parquet");
        assert_eq!(file_name("2021-06-14", "../A é"), "2021-06-14_%2E%2E%2F%41%20%C3%A9.parquet");
        let [first, second] = ["1", "2"].map(|end| file_name("2021-06-14", &("x".repeat(5000) + end)));
        assert!(first.len() < 200 && first.starts_with("2021-06-14_xxx") && first != second);
    }
}
