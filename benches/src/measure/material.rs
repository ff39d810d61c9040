//! What is measured on: lines in memory and folders of files, all out of the same generator.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use serde::Serialize;

use crate::corpus::containers::{Format, Packing, write};
use crate::corpus::{Options, generate};

/// Classes of sizes of a measurement, by their names and largest sizes.
pub const SIZES: [(&str, usize); 5] =
    [("≤ 2 kB", 2_000), ("2–8 kB", 8_000), ("8–32 kB", 32_000), ("32–128 kB", 128_000), ("> 128 kB", usize::MAX)];

/// Place in [`SIZES`] of a measurement of so many bytes.
#[must_use]
pub fn size_class(bytes: usize) -> usize {
    SIZES.iter().position(|&(_, largest)| bytes <= largest).unwrap_or(SIZES.len() - 1)
}

/// A measurement among [`Lines`].
#[derive(Clone, Debug)]
pub struct Line {
    place: Range<usize>,
    /// Its uid.
    pub uid: String,
    /// Its test.
    pub test: String,
}

/// Measurements in memory, one after another as in a file of lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    text: Vec<u8>,
    lines: Vec<Line>,
}

impl Lines {
    /// Makes the measurements.
    ///
    /// # Errors
    /// When templates or fingerprints cannot be read.
    pub fn generate(options: &Options) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for made in generate(options)? {
            let start = all.text.len();
            all.text.extend_from_slice(&made.content);
            all.lines.push(Line { place: start..all.text.len(), uid: made.uid, test: made.test_name });
            all.text.push(b'\n');
        }
        Ok(all)
    }

    /// The measurements in order.
    #[must_use]
    pub fn all(&self) -> &[Line] {
        &self.lines
    }

    /// The bytes of one.
    #[must_use]
    pub fn bytes(&self, line: &Line) -> &[u8] {
        &self.text[line.place.clone()]
    }

    /// The measurements by test and size class.
    #[must_use]
    pub fn cells(&self) -> BTreeMap<(&str, usize), Vec<&Line>> {
        let mut cells: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in &self.lines {
            cells.entry((line.test.as_str(), size_class(line.place.len()))).or_default().push(line);
        }
        cells
    }
}

/// A folder of files that commands are run on.
#[derive(Clone, Debug, Serialize)]
pub struct Files {
    /// What they are.
    pub name: &'static str,
    /// Where they are.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The files.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// How many.
    pub count: usize,
    /// Measurements in them.
    pub measurements: u64,
    /// Their bytes.
    pub compressed: u64,
    /// Their bytes after decompression.
    pub bytes: u64,
    /// Measurements by what was done to them.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Lines that carry their uid.
pub const WITH_UID: &str = "jsonl.gz, uid in each line";
/// Lines that do not.
pub const WITHOUT_UID: &str = "jsonl.gz, no uids";
/// Postcans.
pub const POSTCANS: &str = "postcans";

/// Makes the three folders of files.
///
/// # Errors
/// When templates cannot be read or files not be written.
pub fn folders(options: &Options, inside: &Path, level: u32) -> anyhow::Result<[Files; 3]> {
    let lines = Packing { format: Format::JsonlGz, level, ..Packing::default() };
    // What is no object ends a can for the reference, so cans have none.
    let whole = Options { malformed: 0.0, ..options.clone() };
    Ok([
        folder(WITH_UID, options, &inside.join("with-uid"), &Packing { uid_in_line: true, ..lines.clone() })?,
        folder(WITHOUT_UID, options, &inside.join("without-uid"), &lines)?,
        folder(POSTCANS, &whole, &inside.join("postcans"), &Packing { format: Format::Postcan, ..lines })?,
    ])
}

fn folder(name: &'static str, options: &Options, folder: &Path, packing: &Packing) -> anyhow::Result<Files> {
    let summary = write(options, folder, packing)?;
    let mut bytes = 0;
    for path in &summary.files {
        bytes += unpacked(path).with_context(|| path.display().to_string())?;
    }
    Ok(Files {
        name,
        folder: folder.to_owned(),
        count: summary.files.len(),
        files: summary.files,
        measurements: summary.measurements,
        compressed: summary.file_bytes,
        bytes,
        kinds: summary.kinds,
    })
}

/// Size after decompression. Reading the file also puts it in the system's cache.
#[expect(clippy::disallowed_methods, reason = "the file is our own")]
fn unpacked(path: &Path) -> io::Result<u64> {
    io::copy(&mut MultiGzDecoder::new(File::open(path)?), &mut io::sink())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let name = |bytes| SIZES[size_class(bytes)].0;
        assert_eq!([name(0), name(2_000), name(2_001)], ["≤ 2 kB", "≤ 2 kB", "2–8 kB"]);
        assert_eq!([name(128_000), name(128_001)], ["32–128 kB", "> 128 kB"]);
    }

    #[test]
    fn cells_hold_every_line_once() {
        let lines = Lines::generate(&Options { n: 60, ..Options::default() }).unwrap();
        assert_eq!(lines.all().len(), 60);
        assert_eq!(lines.cells().values().map(Vec::len).sum::<usize>(), 60);
        for ((test, size), cell) in lines.cells() {
            assert!(cell.iter().all(|line| line.test == test && size_class(lines.bytes(line).len()) == size));
        }
        assert!(lines.all().iter().all(|line| !lines.bytes(line).contains(&b'\n')));
    }

    #[test]
    fn folders_of_the_same_measurements() {
        let inside = tempfile::tempdir().unwrap();
        let options = Options { n: 40, ..Options::default() };
        let [with, without, cans] = folders(&options, inside.path(), 1).unwrap();
        assert_eq!([with.measurements, without.measurements, cans.measurements], [40; 3]);
        assert!(with.bytes > without.bytes && without.bytes > without.compressed);
        assert_eq!(without.bytes, Lines::generate(&options).unwrap().text.len() as u64);
    }
}
