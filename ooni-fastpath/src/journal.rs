//! [`Journal`]: which cans of a run are finished, so that a run that was stopped can be resumed.
//!
//! A file of JSON lines. The first line identifies the run ([`Identity`]); each later line records what became durable
//! since the one before: cans, the length of the output, and the counts so far. A truncated last line was being written
//! when the run was killed, and is ignored. What the counts and lengths mean is up to the caller. The file names the
//! process that works on the run, which holds a lock on it.

use crate::lock::{self, Attempt, Process};
use crate::stats::Counts;
use ooni_archive::day::Day;
use ooni_store::files::{beside, sync_folder};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Maximum bytes of a line. A file with a longer one is not a journal.
const LONGEST_LINE: u64 = 256 << 20;

/// The arguments of a run, by name. A run can only be resumed with the same ones. Passwords are left out.
pub type Identity = BTreeMap<String, String>;

/// How far a run has come, at the end of a can.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes of the output.
    pub out: u64,
    /// What became of the measurements of all cans up to there.
    pub counts: Counts,
    /// Rows of these that were already in the store.
    pub already_there: u64,
    /// Rows of these that replaced others in the store.
    #[serde(default)]
    pub replaced: u64,
    /// Cans up to there.
    pub cans: u64,
    /// Bytes of these cans.
    pub bytes: u64,
}

/// A finished can, as a journal records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Its day.
    pub day: Day,
    /// Its key.
    pub key: String,
    /// The key of the file of the same stem that was read instead, because this one gave no entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    run: Identity,
    process: Process,
}

/// Any other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// What became durable since the last such line.
    Finished {
        cans: Vec<Finished>,
        /// Days with a can or a listing that could not be read; they are tried again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        incomplete: Vec<Day>,
        mark: Box<Mark>,
    },
    /// Everything before a day is done.
    Complete { end: Day },
    /// A process resumes the run.
    Resumed { process: Process },
}

/// The cans that are finished. Cans are read day by day, so for earlier days only the incomplete ones are remembered.
#[derive(Clone, Debug, Default)]
pub struct FinishedCans {
    /// The last day of a finished can; all days before it are done, except for incomplete ones.
    day: Option<Day>,
    /// Finished cans of that day and of incomplete days.
    cans: BTreeMap<Day, HashSet<String>>,
    incomplete: BTreeSet<Day>,
}

impl FinishedCans {
    fn add(&mut self, cans: Vec<Finished>, incomplete: Vec<Day>) {
        // A resumed run lists earlier days again. If a finished day cannot be listed then, nothing of it is missing. Its
        // cans are no longer remembered, so as an incomplete day they would be counted twice.
        let incomplete: Vec<_> = incomplete.into_iter().filter(|&day| !self.is_day_done(day)).collect();
        self.incomplete.extend(incomplete);
        for Finished { day, key, .. } in cans {
            if self.day.is_none_or(|last| last < day) {
                self.day = Some(day);
                let incomplete = &self.incomplete;
                self.cans.retain(|day, _| incomplete.contains(day));
            }
            self.cans.entry(day).or_default().insert(key);
        }
    }

    /// Whether all cans of a day are finished.
    pub fn is_day_done(&self, day: Day) -> bool {
        self.day.is_some_and(|last| day < last) && !self.incomplete.contains(&day)
    }

    /// Whether a can is finished.
    pub fn contains(&self, day: Day, key: &str) -> bool {
        self.is_day_done(day) || self.cans.get(&day).is_some_and(|cans| cans.contains(key))
    }
}

/// What a journal says about an earlier run.
#[derive(Debug, Default)]
pub struct JournalState {
    /// The cans that are finished.
    pub finished: FinishedCans,
    /// How far it came.
    pub mark: Mark,
    /// The day before which everything is done, if the run is complete.
    pub complete: Option<Day>,
}

/// The run that a journal belongs to.
#[derive(Debug)]
pub struct Earlier {
    /// Its arguments.
    pub identity: Identity,
    /// The process that last worked on it.
    pub process: Process,
    /// How far it came.
    pub state: JournalState,
    /// Bytes of the journal up to the end of the last complete line.
    length: u64,
}

impl Earlier {
    /// Describes the first argument in which this run differs from another.
    pub fn difference(&self, other: &Identity) -> Option<String> {
        difference(&self.identity, other)
    }
}

impl fmt::Display for Earlier {
    /// `2024-01-02 03:04:05 UTC, --start-day 2020-01-01 --end-day 2020-02-01 …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} UTC,", self.process.since)?;
        // The other entries are not arguments, and would be long.
        let given = self.identity.iter().filter(|(name, value)| name.starts_with("--") && !value.is_empty());
        for (name, value) in given {
            match &**value {
                "false" => {}
                "true" => write!(f, " {name}")?,
                value => write!(f, " {name} {value}")?,
            }
        }
        Ok(())
    }
}

/// A journal that is locked by this process.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// The path of an output's journal, which is beside the output.
    pub fn path_of(output: &Path) -> PathBuf {
        beside(output, ".journal")
    }

    /// Opens and locks a journal; creates an empty file if there is none.
    ///
    /// # Errors
    /// A sentence: the file cannot be written, or another process uses it.
    pub fn open(path: &Path) -> Result<Journal, String> {
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        match lock::open(path).map_err(failed)? {
            Attempt::Locked(file) => Ok(Journal { file, path: path.to_owned() }),
            Attempt::InUse(file) => {
                let process = read(&file).ok().flatten().map(|earlier| earlier.process);
                Err(format!("{}: {}", path.display(), lock::in_use(&file, process.as_ref())))
            }
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run that the journal describes; `None` if it is empty, or if the run was killed while it wrote the first line.
    ///
    /// # Errors
    /// A sentence: the file cannot be read, or is not a journal.
    pub fn read(&self) -> Result<Option<Earlier>, String> {
        read(&self.file).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// Removes its content.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn clear(&mut self) -> io::Result<()> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.rewind()).and_then(|()| self.file.sync_all());
        cleared.and_then(|()| sync_folder(&self.path)).map_err(|error| self.named(&error))
    }

    /// Begins a run, in an empty file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(&mut self, identity: &Identity) -> io::Result<()> {
        self.append(&Header { run: identity.clone(), process: Process::this() })
    }

    /// Continues a run after the last complete line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn resume(&mut self, earlier: &Earlier) -> io::Result<()> {
        let length = earlier.length;
        let cut = self.file.set_len(length).and_then(|()| self.file.seek(SeekFrom::Start(length)));
        cut.map_err(|error| self.named(&error))?;
        self.append(&Line::Resumed { process: Process::this() })
    }

    /// Records what became durable.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finished(&mut self, cans: Vec<Finished>, incomplete: Vec<Day>, mark: &Mark) -> io::Result<()> {
        self.append(&Line::Finished { cans, incomplete, mark: Box::new(mark.clone()) })
    }

    /// Records that everything before the day `end` is done.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn complete(&mut self, end: Day) -> io::Result<()> {
        self.append(&Line::Complete { end })
    }

    /// Removes the file if it is empty, because no run has begun.
    pub fn discard_if_empty(self) {
        if self.file.metadata().is_ok_and(|file| file.len() == 0) {
            let _ = fs::remove_file(&self.path); // an empty journal does no harm
        }
    }

    fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        written.map_err(|error| self.named(&error))
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}

/// Reads a journal from its beginning.
fn read(file: &File) -> io::Result<Option<Earlier>> {
    let mut lines = BufReader::new(file);
    lines.rewind()?;
    let mut text = Vec::new();
    let mut next = |text: &mut Vec<u8>| -> io::Result<bool> {
        text.clear();
        lines.by_ref().take(LONGEST_LINE).read_until(b'\n', text)?;
        Ok(text.ends_with(b"\n"))
    };
    let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "not a journal, or a damaged one");
    if !next(&mut text)? {
        // Killed while it wrote the first line. A file that does not begin like a journal never was one.
        let is_beginning = text.iter().zip(b"{\"run\":").all(|(ours, journal)| ours == journal);
        return if is_beginning { Ok(None) } else { Err(damaged(())) };
    }
    let damaged_line = |_: serde_json::Error| damaged(());
    let Header { run: identity, mut process } = serde_json::from_slice(&text).map_err(damaged_line)?;
    let mut length = text.len() as u64;
    let mut state = JournalState::default();
    while next(&mut text)? {
        match serde_json::from_slice(&text).map_err(damaged_line)? {
            Line::Resumed { process: later } => process = later,
            Line::Complete { end } => state.complete = Some(end),
            Line::Finished { cans, incomplete, mark } => {
                state.complete = None; // the run went on
                state.finished.add(cans, incomplete);
                state.mark = *mark;
            }
        }
        length += text.len() as u64;
    }
    Ok(Some(Earlier { identity, process, state, length }))
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
        Finished { day: day.parse().unwrap(), key: key.to_owned(), instead: None }
    }

    #[test]
    fn a_finished_day_does_not_become_incomplete() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let mut finished = FinishedCans::default();
        finished.add(vec![can("2020-01-01", "a"), can("2020-01-02", "b")], vec![]);
        finished.add(vec![can("2020-01-02", "c")], vec![day("2020-01-01"), day("2020-01-02")]);
        assert!(finished.is_day_done(day("2020-01-01")) && finished.contains(day("2020-01-01"), "a"));
        assert!(!finished.is_day_done(day("2020-01-02")));
        finished.add(vec![can("2020-01-03", "d")], vec![]);
        let day = day("2020-01-02");
        assert!(finished.contains(day, "b") && !finished.contains(day, "e"), "the day is incomplete");
    }

    fn identity(rules: &str) -> Identity {
        Identity::from([("--rules".to_owned(), rules.to_owned())])
    }

    fn open(path: &Path) -> Journal {
        Journal::open(path).unwrap()
    }

    #[test]
    fn a_journal_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = open(&path);
        assert!(journal.read().unwrap().is_none());
        journal.begin(&identity("fixed")).unwrap();
        let mark = |out| Mark { out, ..Mark::default() };
        let [first, second, third] = ["2020-01-01", "2020-01-02", "2020-01-03"];
        journal.finished(vec![can(first, "a"), can(first, "b")], vec![], &mark(7)).unwrap();
        journal.finished(vec![can(second, "c")], vec![second.parse().unwrap()], &mark(8)).unwrap();
        journal.finished(vec![can(third, "e")], vec![], &mark(9)).unwrap();
        let whole = fs::metadata(&path).unwrap().len();
        journal.finished(vec![can(third, "f")], vec![], &mark(10)).unwrap();
        drop(journal);
        // Killed while it wrote the last line, at any byte.
        let text = fs::read(&path).unwrap();
        for length in usize::try_from(whole).unwrap()..text.len() {
            fs::write(&path, &text[..length]).unwrap();
            let mut journal = open(&path);
            let earlier = journal.read().unwrap().unwrap();
            assert_eq!((earlier.state.mark.out, earlier.state.complete), (9, None));
            let has = |day: &str, key| earlier.state.finished.contains(day.parse().unwrap(), key);
            assert!(has(first, "a") && has(first, "anything of an earlier day"));
            assert!(has(second, "c") && !has(second, "d"), "this day is incomplete");
            assert!(has(third, "e") && !has(third, "f") && !has("2020-01-04", "g"));
            let end = "2020-01-05".parse().unwrap();
            journal.resume(&earlier).unwrap();
            journal.complete(end).unwrap();
            let earlier = journal.read().unwrap().unwrap();
            assert_eq!(earlier.state.complete, Some(end));
            // By now there may be more days.
            journal.resume(&earlier).unwrap();
            journal.finished(vec![can("2020-01-05", "g")], vec![], &mark(11)).unwrap();
            assert_eq!(journal.read().unwrap().unwrap().state.complete, None);
        }
        // A run that was killed while it wrote the first line has no journal yet.
        fs::write(&path, &text[..5]).unwrap();
        let mut journal = open(&path);
        assert!(journal.read().unwrap().is_none());
        journal.clear().unwrap();
        journal.begin(&identity("compat")).unwrap();
        assert_eq!(journal.read().unwrap().unwrap().identity, identity("compat"));
    }

    #[test]
    fn a_journal_identifies_its_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = open(&path);
        journal.begin(&identity("fixed")).unwrap();
        let in_use = Journal::open(&path).unwrap_err();
        assert!(in_use.contains(&format!("in use by process {}", std::process::id())), "{in_use}");
        drop(journal);
        let earlier = open(&path).read().unwrap().unwrap();
        assert_eq!(earlier.difference(&identity("compat")).unwrap(), "--rules was fixed and is compat");
        assert_eq!(earlier.difference(&identity("fixed")), None);
        assert!(earlier.to_string().ends_with(" UTC, --rules fixed"), "{earlier}");
        for other in ["something else\n", "something"] {
            fs::write(&path, other).unwrap();
            assert!(open(&path).read().unwrap_err().ends_with("not a journal, or a damaged one"));
        }
    }
}
