//! Days of cans from before 2020-10-21: reports in LZ4, single or in tar archives.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::calendar::{Moment, SECOND};
use super::containers::Summary;
use super::error::Error;
use super::generate::Corpus;
use super::packed::{Method, Packed, add_member};
use super::rng::Rng;
use super::truth::{Entry, Expected, Place, Truth};
use super::yaml::Reports;

/// Maximum members of a tar archive.
const MOST_MEMBERS: u64 = 100;

/// Writes the cans of a day.
pub(super) struct Legacy {
    corpus: Corpus,
    reports: Reports,
    rng: Rng,
    /// Share of reports that are stored in two cans.
    duplicates: f64,
    folder: PathBuf,
    uids: HashSet<String>,
    tars: BTreeMap<String, Tar>,
}

/// A tar archive with reports of one test.
struct Tar {
    key: String,
    builder: tar::Builder<Packed>,
    members: u64,
}

/// A report as a file.
struct File {
    test: String,
    name: String,
    /// Seconds from 1970.
    time: u64,
    /// Its header, lines or frames, between which it may be split.
    pieces: Vec<Vec<u8>>,
    entries: Vec<Entry>,
}

impl Legacy {
    /// Creates a writer of both kinds of reports.
    pub(super) fn new(corpus: Corpus, reports: Reports, rng: Rng, duplicates: f64, folder: &Path) -> Self {
        let (uids, tars) = (HashSet::new(), BTreeMap::new());
        Self { corpus, reports, rng, duplicates, folder: folder.to_owned(), uids, tars }
    }

    /// Writes `n` measurements of a day.
    pub(super) fn day(&mut self, day: u64, n: u64, truth: &mut Truth, summary: &mut Summary) -> Result<(), Error> {
        let date = Moment::new(day).date();
        let folder = self.folder.join("canned").join(&date);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let mut numbers = BTreeMap::new();
        let mut left = n;
        while left > 0 {
            let file = if self.rng.chance(0.3) { self.yaml(day, left, summary) } else { self.json(day, left, summary) };
            left -= file.entries.len() as u64;
            let key = format!("canned/{date}/{}.lz4", file.name);
            let alone = self.rng.chance(if file.name.ends_with(".yaml") { 0.7 } else { 0.3 }) && !truth.has(&key);
            if alone {
                let path = self.folder.join(&key);
                self.write(&path, &file).map_err(Error::io(&path))?;
                summary.add(path)?;
                add_all(truth, &key, &file);
            }
            let again = alone && left >= file.entries.len() as u64 && self.rng.chance(self.duplicates);
            if !alone || again {
                if again {
                    left -= file.entries.len() as u64;
                    summary.measurements += file.entries.len() as u64;
                }
                self.put_in_tar(&date, &mut numbers, &file, truth, summary)?;
            }
        }
        for tar in std::mem::take(&mut self.tars).into_values() {
            self.close(tar, summary)?;
        }
        let index = folder.join("index.json.gz");
        write_index(&index, &date, n).map_err(Error::io(&index))?;
        truth.flush().map_err(Error::io(&self.folder))
    }

    /// A JSON report with at most `most` lines.
    fn json(&mut self, day: u64, most: u64, summary: &mut Summary) -> File {
        let report = self.corpus.report(day);
        let lines = if report.test == "web_connectivity" { self.rng.range(1, 14).min(most) } else { 1 };
        let (mut pieces, mut entries) = (Vec::new(), Vec::new());
        while (pieces.len() as u64) < lines {
            let made = self.corpus.make(report.start + 30 * SECOND * pieces.len() as u64, SECOND, Some(&report));
            let last = pieces.len() as u64 + 1 == lines;
            let mut line = made.content.clone();
            if !last || self.rng.chance(0.8) {
                line.push(b'\n');
            }
            let expected = Expected::of(made.stored());
            let uid = expected.uid(&line);
            // Some measurements with wrong types are just `{}`, but no two measurements may be equal.
            if uid.as_ref().is_some_and(|uid| !self.uids.insert(uid.clone())) {
                continue;
            }
            summary.count(made.kind.name(), &made.test_name, made.content.len());
            pieces.push(line);
            entries.push(Entry { uid, expected });
        }
        let start = Moment::new(report.start).report();
        let (cc, network, id) = (report.cc(), report.network, &report.id);
        let name = format!("{start}-{cc}-AS{network}-{}-{id}-0.2.0-probe.json", report.test);
        File { test: report.test, name, time: report.start / SECOND, pieces, entries }
    }

    /// A YAML report with at most `most` frames after the header.
    fn yaml(&mut self, day: u64, most: u64, summary: &mut Summary) -> File {
        let mut report = self.reports.begin(day);
        let (mut pieces, mut entries) = (vec![report.header.clone().into_bytes()], Vec::new());
        for _ in 0..self.rng.range(1, 20).min(most) {
            let (bytes, entry) = self.reports.entry(&mut report);
            summary.count(entry.kind(), report.test(), bytes.len());
            pieces.push(bytes);
            entries.push(entry);
        }
        File { test: report.test().into(), name: report.file_name(), time: report.start / SECOND, pieces, entries }
    }

    /// Writes a single report; one in ten has two LZ4 frames.
    fn write(&mut self, path: &Path, file: &File) -> io::Result<()> {
        let mut out = Packed::create(path, Method::Lz4)?;
        let cut = self.rng.chance(0.1).then(|| self.rng.index(file.pieces.len()));
        for (i, piece) in file.pieces.iter().enumerate() {
            out.write_all(piece)?;
            if cut == Some(i) {
                out.cut()?;
            }
        }
        out.finish()
    }

    fn put_in_tar(
        &mut self,
        date: &str,
        numbers: &mut BTreeMap<String, u64>,
        file: &File,
        truth: &mut Truth,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        let mut tar = match self.tars.remove(&file.test) {
            Some(tar) => tar,
            None => {
                let number = numbers.entry(file.test.clone()).or_default();
                let digits = if file.test == "web_connectivity" { 2 } else { 1 };
                let key = format!("canned/{date}/{}.{number:0digits$}.tar.lz4", file.test);
                *number += 1;
                let path = self.folder.join(&key);
                let packed = Packed::create(&path, Method::Lz4).map_err(Error::io(&path))?;
                Tar { key, builder: tar::Builder::new(packed), members: 0 }
            }
        };
        let cut = self.rng.chance(0.02);
        let added = add_member(&mut tar.builder, &format!("{date}/{}", file.name), file.time, &file.pieces.concat())
            .and_then(|()| if cut { tar.builder.get_mut().cut() } else { Ok(()) });
        added.map_err(Error::io(&self.folder.join(&tar.key)))?;
        add_all(truth, &tar.key, file);
        tar.members += 1;
        if tar.members < MOST_MEMBERS {
            self.tars.insert(file.test.clone(), tar);
            return Ok(());
        }
        self.close(tar, summary)
    }

    fn close(&self, tar: Tar, summary: &mut Summary) -> Result<(), Error> {
        let path = self.folder.join(&tar.key);
        tar.builder.into_inner().and_then(Packed::finish).map_err(Error::io(&path))?;
        summary.add(path)
    }
}

fn add_all(truth: &mut Truth, key: &str, file: &File) {
    file.entries.iter().for_each(|entry| truth.add(&Place::own(key), entry));
}

/// Writes the index file that the archive has beside its cans; it contains no measurements.
fn write_index(path: &Path, date: &str, n: u64) -> io::Result<()> {
    let mut out = Packed::create(path, Method::Gzip(6))?;
    writeln!(out, "{{\"type\":\"/\",\"bucket\":\"{date}\",\"measurements\":{n}}}")?;
    out.finish()
}
