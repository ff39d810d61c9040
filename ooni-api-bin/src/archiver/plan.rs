//! [`Plan`]: which measurements of a segment went into which can, in a file that is durable before the first put.
//!
//! The file is JSON Lines beside the cursor, with the steps of each can:
//!
//! | Step | |
//! | --- | --- |
//! | `planned` | a number, and the last measurement of the group that is in the can; again with another number if that one was taken |
//! | `putting` | the archive had nothing under the number, so that what is there from now on is of this can |
//! | `done` | the can is in the archive and its locations are in the store; with its counts |
//!
//! A line that was cut by a crash is ignored: nothing was done after it.

use super::Archived;
use super::groups::Group;
use ooni_core::time::DateTime;
use ooni_store::files::sync_folder;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

/// The plan of a segment.
#[derive(Debug)]
pub(super) struct Plan {
    path: PathBuf,
    file: File,
    cans: Vec<Planned>,
}

/// A can that has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) group: Group,
    pub(super) number: u32,
    /// Sequence number of its last measurement. It has those of the group that follow the can before it. A count would
    /// change its meaning when a measurement turns out to be damaged.
    pub(super) last: u64,
    pub(super) step: Step,
}

/// What has been done with a can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Planned,
    /// Some of its files may be in the archive.
    Putting,
    /// All of it.
    Done(Archived),
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    hour: i64,
    cc: String,
    testname: String,
    number: u32,
    #[serde(flatten)]
    step: LineStep,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
enum LineStep {
    Planned { last: u64 },
    Putting,
    Done(Archived),
}

impl Plan {
    /// Opens the plan of a segment, or begins one. What was read is durable.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(super) fn open(path: PathBuf) -> io::Result<Plan> {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(whole as u64)?;
        // The process may have been killed between the write and the sync of a line.
        file.sync_all()?;
        sync_folder(&path)?;
        let mut plan = Plan { path, file, cans: Vec::new() };
        for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = serde_json::from_slice(line).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            plan.apply(line);
        }
        Ok(plan)
    }

    /// The cans of a group, in the order of their measurements.
    pub(super) fn cans(&self, group: &Group) -> Vec<Planned> {
        self.cans.iter().filter(|can| can.group == *group).cloned().collect()
    }

    /// Gives a number to the next measurements of a group, up to `last`, or another number if they have one. Durable when
    /// it returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn add(&mut self, group: &Group, number: u32, last: u64) -> io::Result<()> {
        self.append(group, number, LineStep::Planned { last })
    }

    /// Records that files of a can will be put. Durable when it returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn putting(&mut self, group: &Group, number: u32) -> io::Result<()> {
        self.append(group, number, LineStep::Putting)
    }

    /// Records that a can is in the archive and the locations of its bodies are in the store. Durable when it returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn done(&mut self, group: &Group, number: u32, archived: Archived) -> io::Result<()> {
        self.append(group, number, LineStep::Done(archived))
    }

    /// Removes the file: the cursor has passed the segment.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    fn append(&mut self, group: &Group, number: u32, step: LineStep) -> io::Result<()> {
        let Group { hour, cc, testname } = group.clone();
        let line = Line { hour: hour.timestamp(), cc, testname, number, step };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.file.sync_data()?;
        self.apply(line);
        Ok(())
    }

    fn apply(&mut self, Line { hour, cc, testname, number, step }: Line) {
        let group = Group { hour: DateTime::from_timestamp(hour).unwrap_or(DateTime::MIN), cc, testname };
        let step = match step {
            LineStep::Planned { last } => {
                self.cans.retain(|can| can.group != group || can.last != last);
                return self.cans.push(Planned { group, number, last, step: Step::Planned });
            }
            LineStep::Putting => Step::Putting,
            LineStep::Done(archived) => Step::Done(archived),
        };
        for can in self.cans.iter_mut().filter(|can| can.group == group && can.number == number) {
            can.step = step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        Group { hour: DateTime::from_timestamp(7200).unwrap(), cc: "IT".into(), testname: "ndt".into() }
    }

    #[test]
    fn survives_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        let group = group();
        let archived = Archived { postcans: 4, quarantined: 1, cans: 2 };
        let mut plan = Plan::open(path.clone()).unwrap();
        plan.add(&group, 0, 5).unwrap();
        plan.putting(&group, 0).unwrap();
        plan.done(&group, 0, archived).unwrap();
        plan.add(&group, 1, 7).unwrap();
        let planned = plan.cans(&group);
        drop(plan);
        let whole = fs::read(&path).unwrap();
        let first = Planned { group: group.clone(), number: 0, last: 5, step: Step::Done(archived) };
        let second = Planned { number: 1, last: 7, step: Step::Planned, ..first.clone() };
        assert_eq!(planned, [first.clone(), second.clone()]);
        assert_eq!(Plan::open(path.clone()).unwrap().cans(&group), planned);
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let mut plan = Plan::open(path.clone()).unwrap();
        assert_eq!(plan.cans(&group), [first]);
        plan.add(&group, 1, 7).unwrap();
        drop(plan);
        assert_eq!(fs::read(&path).unwrap(), whole);
        Plan::open(path.clone()).unwrap().remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_can_gets_another_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        let mut plan = Plan::open(path.clone()).unwrap();
        plan.add(&group(), 0, 5).unwrap();
        plan.add(&group(), 3, 5).unwrap();
        plan.putting(&group(), 3).unwrap();
        drop(plan);
        let wanted = Planned { group: group(), number: 3, last: 5, step: Step::Putting };
        assert_eq!(Plan::open(path).unwrap().cans(&group()), [wanted]);
    }
}
