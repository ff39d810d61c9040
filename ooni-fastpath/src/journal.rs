//! [`Journal`]: which cans of a run are finished, so that a run that was stopped can go on.
//!
//! A file of JSON lines. The first says what the run is ([`Identity`]), each further one what came to be durable since the
//! last: cans, how long the output is, what was counted up to there. A line that is not whole was being written when the
//! run was killed, and does not count. What the counts and lengths mean is the caller's.

use crate::stats::Counts;
use ooni_archive::day::Day;
use ooni_store::files::{beside, sync_folder};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What a run is, by the names of its arguments. Another run cannot go on with it.
pub type Identity = BTreeMap<String, String>;

/// How far a run has come, at the end of a can.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes of the output.
    pub out: u64,
    /// What became of the measurements of all cans up to there.
    pub counts: Counts,
    /// Rows of these that the store had already.
    pub already_there: u64,
    /// Cans up to there.
    pub cans: u64,
    /// Bytes of these cans.
    pub bytes: u64,
}

/// A can, as a journal names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Its day.
    pub day: Day,
    /// Its key.
    pub key: String,
}

/// A line but for the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// What is durable since the last such line.
    Finished {
        cans: Vec<Finished>,
        /// Days of which a can, or a listing, could not be had: they are gone through again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wanting: Vec<Day>,
        mark: Box<Mark>,
    },
    /// All is done, up to a day.
    Complete { end: Day },
}

/// The cans that are finished. Cans come day by day, so of days that are over only what is wanting has to be known.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The last day of a can that is finished; all before are over.
    day: Option<Day>,
    /// Finished cans of that day, and of days with something wanting.
    cans: BTreeMap<Day, HashSet<String>>,
    wanting: BTreeSet<Day>,
}

impl Past {
    fn add(&mut self, cans: Vec<Finished>, wanting: Vec<Day>) {
        self.wanting.extend(wanting);
        for Finished { day, key } in cans {
            if self.day.is_none_or(|last| last < day) {
                self.day = Some(day);
                let wanting = &self.wanting;
                self.cans.retain(|day, _| wanting.contains(day));
            }
            self.cans.entry(day).or_default().insert(key);
        }
    }

    /// Whether a can is finished.
    pub fn has(&self, day: Day, key: &str) -> bool {
        let over = self.day.is_some_and(|last| day < last) && !self.wanting.contains(&day);
        over || self.cans.get(&day).is_some_and(|cans| cans.contains(key))
    }
}

/// What a journal says of the run before.
#[derive(Debug, Default)]
pub struct Read {
    /// The cans that are finished.
    pub past: Past,
    /// How far it came.
    pub mark: Mark,
    /// The day up to which all is done, if it is.
    pub complete: Option<Day>,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Position the journal of an output is: beside it.
    pub fn path_of(output: &Path) -> PathBuf {
        beside(output, ".journal")
    }

    /// Begins anew, without what is there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(path: &Path, identity: &Identity) -> io::Result<Journal> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(path)?;
        let mut journal = Journal { file, path: path.to_owned() };
        journal.append(identity)?;
        sync_folder(path)?;
        Ok(journal)
    }

    /// Goes on with what is there; `None` when nothing is.
    ///
    /// # Errors
    /// The file cannot be read, or is that of another run; a sentence.
    pub fn resume(path: &Path, identity: &Identity) -> Result<Option<(Journal, Read)>, String> {
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let mut lines = BufReader::new(&file);
        let (mut text, mut whole) = (Vec::new(), 0u64);
        let mut next = |text: &mut Vec<u8>| -> io::Result<bool> {
            text.clear();
            lines.read_until(b'\n', text)?;
            Ok(text.ends_with(b"\n"))
        };
        if !next(&mut text).map_err(failed)? {
            return Ok(None); // killed when it was begun
        }
        let damaged = |_| format!("{}: no journal, or a damaged one", path.display());
        let theirs: Identity = serde_json::from_slice(&text).map_err(damaged)?;
        if let Some(difference) = difference(&theirs, identity) {
            return Err(format!("{}: the journal of another run: {difference}", path.display()));
        }
        whole += text.len() as u64;
        let mut read = Read::default();
        while next(&mut text).map_err(failed)? {
            match serde_json::from_slice(&text).map_err(damaged)? {
                Line::Complete { end } => read.complete = Some(end),
                Line::Finished { cans, wanting, mark } => {
                    read.complete = None; // it went on
                    read.past.add(cans, wanting);
                    read.mark = *mark;
                }
            }
            whole += text.len() as u64;
        }
        let mut journal = Journal { file, path: path.to_owned() };
        journal.file.set_len(whole).and_then(|()| journal.file.seek(SeekFrom::Start(whole))).map_err(failed)?;
        Ok(Some((journal, read)))
    }

    /// Notes what is durable.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finished(&mut self, cans: Vec<Finished>, wanting: Vec<Day>, mark: &Mark) -> io::Result<()> {
        self.append(&Line::Finished { cans, wanting, mark: Box::new(mark.clone()) })
    }

    /// Notes that all is done, up to the day `end`, which is left out.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn complete(&mut self, end: Day) -> io::Result<()> {
        self.append(&Line::Complete { end })
    }

    fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))
    }
}

/// Removes a journal, so that what comes next can begin anew.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(path),
    }
}

/// The first argument in which two runs differ.
fn difference(theirs: &Identity, ours: &Identity) -> Option<String> {
    ours.keys().chain(theirs.keys()).find_map(|name| {
        let [theirs, ours] = [theirs, ours].map(|identity| match identity.get(name) {
            Some(value) if !value.is_empty() => value,
            _ => "nothing",
        });
        (theirs != ours).then(|| format!("{name} was {theirs} and is {ours}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can(day: &str, key: &str) -> Finished {
        Finished { day: day.parse().unwrap(), key: key.to_owned() }
    }

    fn identity(rules: &str) -> Identity {
        Identity::from([("--rules".to_owned(), rules.to_owned())])
    }

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        assert!(Journal::resume(&path, &identity("fixed")).unwrap().is_none());
        let mut journal = Journal::begin(&path, &identity("fixed")).unwrap();
        let mark = |out| Mark { out, ..Mark::default() };
        let [first, second, third] = ["2020-01-01", "2020-01-02", "2020-01-03"];
        journal.finished(vec![can(first, "a"), can(first, "b")], vec![], &mark(7)).unwrap();
        journal.finished(vec![can(second, "c")], vec![second.parse().unwrap()], &mark(8)).unwrap();
        journal.finished(vec![can(third, "e")], vec![], &mark(9)).unwrap();
        let whole = fs::metadata(&path).unwrap().len();
        journal.finished(vec![can(third, "f")], vec![], &mark(10)).unwrap();
        drop(journal);
        // Killed in the middle of the last line, at any byte.
        let text = fs::read(&path).unwrap();
        for length in usize::try_from(whole).unwrap()..text.len() {
            fs::write(&path, &text[..length]).unwrap();
            let (mut journal, read) = Journal::resume(&path, &identity("fixed")).unwrap().unwrap();
            assert_eq!((read.mark.out, read.complete), (9, None));
            let has = |day: &str, key| read.past.has(day.parse().unwrap(), key);
            assert!(has(first, "a") && has(first, "anything of a day that is over"));
            assert!(has(second, "c") && !has(second, "d"), "something of this day is wanting");
            assert!(has(third, "e") && !has(third, "f") && !has("2020-01-04", "g"));
            let end = "2020-01-05".parse().unwrap();
            journal.complete(end).unwrap();
            let (mut journal, read) = Journal::resume(&path, &identity("fixed")).unwrap().unwrap();
            assert_eq!(read.complete, Some(end));
            // There may be more days by now.
            journal.finished(vec![can("2020-01-05", "g")], vec![], &mark(11)).unwrap();
            let (_, read) = Journal::resume(&path, &identity("fixed")).unwrap().unwrap();
            assert_eq!(read.complete, None);
        }
        // Killed in the middle of the first line, there is no journal yet.
        fs::write(&path, &text[..5]).unwrap();
        assert!(Journal::resume(&path, &identity("fixed")).unwrap().is_none());
    }

    #[test]
    fn another_run_cannot_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::begin(&path, &identity("fixed")).unwrap();
        let why = Journal::resume(&path, &identity("compat")).unwrap_err();
        assert!(why.ends_with("the journal of another run: --rules was fixed and is compat"), "{why}");
        fs::write(&path, "something else\n").unwrap();
        assert!(Journal::resume(&path, &identity("fixed")).unwrap_err().ends_with("no journal, or a damaged one"));
    }
}
