//! [`Sorter`]: sorts any number of records by their first field, in bounded memory (external merge sort).
//!
//! The sort is stable: records with the same key keep their order.

use super::record::Record;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

/// Maximum bytes of records that are sorted in memory.
const MEMORY: usize = 64 << 20;

/// Size of the read buffer of each sorted run.
const BUFFER: usize = 64 << 10;

/// Takes records in any order.
pub(super) struct Sorter {
    records: Vec<Record>,
    bytes: usize,
    memory: usize,
    /// The sorted runs, one after another.
    file: Option<BufWriter<File>>,
    written: u64,
    runs: Vec<(u64, u64)>,
}

impl Sorter {
    pub(super) fn new() -> Sorter {
        Sorter::with_memory(MEMORY)
    }

    fn with_memory(memory: usize) -> Sorter {
        Sorter { records: Vec::new(), bytes: 0, memory, file: None, written: 0, runs: Vec::new() }
    }

    pub(super) fn push(&mut self, record: Record) -> io::Result<()> {
        self.bytes += record.size() + size_of::<Record>();
        self.records.push(record);
        if self.bytes > self.memory { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.records.sort_by(|a, b| a.field(0).cmp(b.field(0)));
        if self.file.is_none() {
            self.file = Some(BufWriter::new(tempfile::tempfile()?));
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let from = self.written;
        for record in self.records.drain(..) {
            record.write(file)?;
            self.written += 8 + record.size() as u64;
        }
        self.runs.push((from, self.written));
        self.bytes = 0;
        Ok(())
    }

    /// The records in order.
    pub(super) fn sorted(mut self) -> io::Result<Sorted> {
        let mut runs: Vec<Run> = Vec::new();
        if let Some(mut file) = self.file.take() {
            file.flush()?;
            let file = Rc::new(file.into_inner().map_err(io::IntoInnerError::into_error)?);
            for (at, end) in self.runs {
                let part = Part { file: Rc::clone(&file), at, end };
                runs.push(Run::Disk(BufReader::with_capacity(BUFFER, part)));
            }
        }
        self.records.sort_by(|a, b| a.field(0).cmp(b.field(0)));
        runs.push(Run::Memory(self.records.into_iter()));
        let mut sorted = Sorted { runs, heads: BinaryHeap::new(), next: Vec::new() };
        for run in 0..sorted.runs.len() {
            sorted.next.push(None);
            sorted.refill(run)?;
        }
        Ok(sorted)
    }
}

/// A part of a shared file.
struct Part {
    file: Rc<File>,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(into.len());
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.at))?;
        let bytes = file.read(&mut into[..most])?;
        self.at += bytes as u64;
        Ok(bytes)
    }
}

enum Run {
    Memory(std::vec::IntoIter<Record>),
    Disk(BufReader<Part>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<Record>> {
        match self {
            Run::Memory(records) => Ok(records.next()),
            Run::Disk(file) => Record::read(file),
        }
    }
}

/// Records in the order of their first field.
pub(super) struct Sorted {
    runs: Vec<Run>,
    /// Key of the next record and number of each run that has one, smallest first.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    /// The next record of each run.
    next: Vec<Option<Record>>,
}

impl Sorted {
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let Some(Reverse((_, run))) = self.heads.pop() else { return Ok(None) };
        let record = self.next[run].take();
        self.refill(run)?;
        Ok(record)
    }

    fn refill(&mut self, run: usize) -> io::Result<()> {
        if let Some(record) = self.runs[run].next()? {
            self.heads.push(Reverse((record.field(0).to_vec(), run)));
            self.next[run] = Some(record);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_are_sorted(keys in prop::collection::vec("[ab]{0,3}", 0..60), memory in 1..1000_usize) {
            let mut sorter = Sorter::with_memory(memory);
            for (number, key) in keys.iter().enumerate() {
                let mut record = Record::default();
                record.push(|out| out.extend_from_slice(key.as_bytes()));
                record.push(|out| out.extend_from_slice(number.to_string().as_bytes()));
                sorter.push(record).unwrap();
            }
            let mut sorted = sorter.sorted().unwrap();
            let mut found = Vec::new();
            while let Some(record) = sorted.next().unwrap() {
                let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
                found.push((text(record.field(0)), text(record.field(1)).parse::<usize>().unwrap()));
            }
            let mut expected: Vec<_> = keys.into_iter().enumerate().map(|(number, key)| (key, number)).collect();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
