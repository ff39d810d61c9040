//! The input: lines in memory and folders of files, all from the same generator.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ooni_archive::can::input::Input;
use ooni_archive::limits::Limits;
use serde::Serialize;

use ooni_testkit::corpus::containers::{Format, Packing, write};
use ooni_testkit::corpus::{Options, generate};

/// Size classes of measurements: name and maximum size.
pub const SIZES: [(&str, usize); 5] =
    [("≤ 2 kB", 2_000), ("2–8 kB", 8_000), ("8–32 kB", 32_000), ("32–128 kB", 128_000), ("> 128 kB", usize::MAX)];

/// Index in [`SIZES`] of a measurement with this many bytes.
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
    /// Generates the measurements.
    ///
    /// # Errors
    /// Templates or fingerprints cannot be read.
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

/// Lines that contain their uid.
pub const WITH_UID: &str = "jsonl.gz with uids";
/// Lines that do not.
pub const WITHOUT_UID: &str = "jsonl.gz without uids";
/// Postcans.
pub const POSTCANS: &str = "postcans";
/// Lines from the years up to 2020, which never contain uids.
pub const JSON_LZ4: &str = "json.lz4";
/// Archives of such lines.
pub const TAR_LZ4: &str = "tar.lz4";
/// YAML reports.
pub const YAML_LZ4: &str = "yaml.lz4";

/// A kind of input files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// Its name in reports.
    pub name: &'static str,
    #[serde(skip)]
    format: Format,
    #[serde(skip)]
    uid_in_line: bool,
}

/// All formats of the archive, and lines both with and without uids.
pub const KINDS: [Kind; 6] = [
    Kind { name: WITH_UID, format: Format::JsonlGz, uid_in_line: true },
    Kind { name: WITHOUT_UID, format: Format::JsonlGz, uid_in_line: false },
    Kind { name: POSTCANS, format: Format::Postcan, uid_in_line: false },
    Kind { name: JSON_LZ4, format: Format::JsonLz4, uid_in_line: false },
    Kind { name: TAR_LZ4, format: Format::TarLz4, uid_in_line: false },
    Kind { name: YAML_LZ4, format: Format::YamlLz4, uid_in_line: false },
];

impl Kind {
    /// Whether its files are LZ4; otherwise they are gzip.
    #[must_use]
    pub const fn is_lz4(self) -> bool {
        matches!(self.format, Format::JsonLz4 | Format::TarLz4 | Format::YamlLz4)
    }

    /// Reads the decompressed content of a file.
    #[must_use]
    pub fn input(self, file: File) -> Input {
        let (bytes, ratio) = (Box::new(file), Limits::default().ratio);
        if self.is_lz4() { Input::lz4(bytes, ratio) } else { Input::gzip(bytes, ratio) }
    }

    /// The day that the generator stores such files under, and the next day.
    #[must_use]
    pub const fn days(self) -> [&'static str; 2] {
        if self.is_lz4() { ["2020-10-20", "2020-10-21"] } else { ["2024-03-01", "2024-03-02"] }
    }
}

/// A folder of files, named by keys as in the archive.
#[derive(Clone, Debug, Serialize)]
pub struct Files {
    /// Their kind.
    #[serde(flatten)]
    pub kind: Kind,
    /// Its path.
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
    /// Number of measurements by alteration.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Number of cans in a folder of many.
const CANS: u64 = 40;
/// The compression level of the files.
const LEVEL: u32 = 6;

/// Generates a folder of many cans.
///
/// # Errors
/// Templates cannot be read or a file cannot be written.
pub fn many(kind: Kind, options: &Options, folder: &Path) -> anyhow::Result<Files> {
    // The reference stops reading a can at content that is not an object, and a report at an invalid entry, so these
    // files have none.
    let whole = matches!(kind.format, Format::Postcan | Format::YamlLz4);
    let malformed = if whole { 0.0 } else { options.malformed };
    written(kind, &Options { malformed, ..options.clone() }, folder, options.n.div_ceil(CANS))
}

/// Generates a folder with one can of one gzip member or LZ4 frame, without invalid or odd entries, because some peers stop
/// there.
///
/// # Errors
/// Templates cannot be read or the file cannot be written.
pub fn big(kind: Kind, options: &Options, folder: &Path) -> anyhow::Result<Files> {
    written(kind, &Options { malformed: 0.0, odd: 0.0, ..options.clone() }, folder, u64::MAX)
}

fn written(kind: Kind, options: &Options, folder: &Path, per_file: u64) -> anyhow::Result<Files> {
    let Kind { format, uid_in_line, .. } = kind;
    let packing = Packing { format, per_file, level: LEVEL, uid_in_line, layout: true, ..Packing::default() };
    let summary = write(options, folder, &packing)?;
    let mut bytes = 0;
    for path in &summary.files {
        bytes += unpacked(kind, path).with_context(|| path.display().to_string())?;
    }
    Ok(Files {
        kind,
        folder: folder.to_owned(),
        count: summary.files.len(),
        files: summary.files,
        measurements: summary.measurements,
        compressed: summary.file_bytes,
        bytes,
        kinds: summary.kinds,
    })
}

/// The size after decompression. Reading the file also loads it into the page cache.
fn unpacked(kind: Kind, path: &Path) -> anyhow::Result<u64> {
    let mut input = kind.input(File::open(path)?);
    let (mut buffer, mut bytes) = (vec![0; 1 << 18], 0);
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(more) => bytes += more as u64,
            Err(broken) => bail!("{} at byte {}", broken.error, broken.offset),
        }
    }
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
    fn cells_have_every_line_once() {
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
        let options = Options { n: 80, ..Options::default() };
        for kind in KINDS {
            let cans = many(kind, &options, &inside.path().join("many").join(kind.name)).unwrap();
            assert_eq!((cans.count, cans.measurements), (40, 80), "{kind:?}");
            assert!(cans.bytes > cans.compressed);
            let big = big(kind, &options, &inside.path().join("big").join(kind.name)).unwrap();
            assert_eq!((big.count, big.measurements), (1, 80), "{kind:?}");
            let lines = Lines::generate(&options).unwrap().text.len() as u64;
            assert!(kind.name != WITHOUT_UID || cans.bytes == lines, "{} {lines}", cans.bytes);
        }
    }
}
