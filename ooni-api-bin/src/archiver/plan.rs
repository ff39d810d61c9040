//! [`Plan`]: which measurements of a segment went into which can, in a file that is durable before the first put.
//!
//! The file is JSON Lines beside the cursor. A line says which consecutive measurements of a group a number was given to;
//! another says that the can is done. A line that was cut by a crash is ignored: nothing was done after it.

use super::groups::Group;
use ooni_core::time::DateTime;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

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
    /// How many measurements of the group, after those of the cans before it.
    pub(super) count: usize,
    pub(super) is_done: bool,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
enum Line {
    Planned { hour: i64, cc: String, testname: String, number: u32, count: usize },
    Done { hour: i64, cc: String, testname: String, number: u32 },
}

impl Plan {
    /// Opens the plan of a segment, or begins one.
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
        let mut cans: Vec<Planned> = Vec::new();
        for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = serde_json::from_slice(line).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            match line {
                Line::Planned { hour, cc, testname, number, count } => {
                    cans.push(Planned { group: group(hour, cc, testname), number, count, is_done: false });
                }
                Line::Done { hour, cc, testname, number } => {
                    let done = group(hour, cc, testname);
                    for can in &mut cans {
                        can.is_done |= can.group == done && can.number == number;
                    }
                }
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(whole as u64)?;
        sync_parent(&path)?;
        Ok(Plan { path, file, cans })
    }

    /// The cans of a group, in the order of their measurements.
    pub(super) fn cans(&self, group: &Group) -> Vec<Planned> {
        self.cans.iter().filter(|can| can.group == *group).cloned().collect()
    }

    /// Gives a number to the next measurements of a group. Durable when it returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn add(&mut self, group: &Group, number: u32, count: usize) -> io::Result<()> {
        let Group { hour, cc, testname } = group.clone();
        self.append(&Line::Planned { hour: hour.timestamp(), cc, testname, number, count })?;
        self.cans.push(Planned { group: group.clone(), number, count, is_done: false });
        Ok(())
    }

    /// Records that a can is in the archive and the locations of its bodies are in the store. Durable when it returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn done(&mut self, group: &Group, number: u32) -> io::Result<()> {
        let Group { hour, cc, testname } = group.clone();
        self.append(&Line::Done { hour: hour.timestamp(), cc, testname, number })
    }

    /// Removes the file: the cursor has passed the segment.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.file.sync_data()
    }
}

fn group(hour: i64, cc: String, testname: String) -> Group {
    Group { hour: DateTime::from_timestamp(hour).unwrap_or(DateTime::MIN), cc, testname }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        let group = Group { hour: DateTime::from_timestamp(7200).unwrap(), cc: "IT".into(), testname: "ndt".into() };
        let mut plan = Plan::open(path.clone()).unwrap();
        plan.add(&group, 0, 5).unwrap();
        plan.done(&group, 0).unwrap();
        plan.add(&group, 1, 2).unwrap();
        drop(plan);
        let whole = fs::read(&path).unwrap();
        let first = Planned { group: group.clone(), number: 0, count: 5, is_done: true };
        let second = Planned { number: 1, count: 2, is_done: false, ..first.clone() };
        assert_eq!(Plan::open(path.clone()).unwrap().cans(&group), [first.clone(), second]);
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let mut plan = Plan::open(path.clone()).unwrap();
        assert_eq!(plan.cans(&group), [first]);
        plan.add(&group, 1, 2).unwrap();
        drop(plan);
        assert_eq!(fs::read(&path).unwrap(), whole);
        Plan::open(path.clone()).unwrap().remove().unwrap();
        assert!(!path.exists());
    }
}
