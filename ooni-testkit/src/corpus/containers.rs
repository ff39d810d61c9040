//! Files of measurements of one format.
//!
//! | Format | Files | Content |
//! |---|---|---|
//! | `jsonl` | `corpus-NNNNN.jsonl` | [`Made::content`], one a line |
//! | `jsonl.gz` | `corpus-NNNNN.jsonl.gz` | the same, one gzip member a file |
//! | `postcan` | `corpus-NNNNN.tar.gz` | [`Made::post`], a member each, named after its spool path |
//! | `json.lz4` | `corpus-NNNNN.json.lz4` | lines, one LZ4 frame a file |
//! | `tar.lz4` | `corpus-NNNNN.tar.lz4` | a hundred lines a member |
//! | `yaml.lz4` | `corpus-NNNNN.yaml.lz4` | a YAML report of other measurements |
//!
//! An archive differs ([`super::archive`]): there, `{}` replaces a line that could not be parsed, and a can contains
//! one hour, country and test. Content that is not an object ends a can for its reader, so use
//! [`malformed`](Options::malformed) 0 for a postcan whose measurements are counted. Files are written while
//! measurements are generated, so they may be larger than memory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::calendar::TURN;
use super::error::Error;
use super::generate::Corpus;
use super::made::{Kind, Made};
use super::options::Options;
use super::packed::{Method, Packed, add_member};
use super::yaml::{Report, Reports};

/// The file format of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines.
    Jsonl,
    /// Lines, compressed.
    JsonlGz,
    /// POST bodies in a compressed tar.
    Postcan,
    /// Lines, compressed as in legacy cans.
    JsonLz4,
    /// Files of lines in a tar, compressed as in legacy cans.
    TarLz4,
    /// A YAML report, compressed as in legacy cans.
    YamlLz4,
}

impl Format {
    /// All formats, by the names that [`FromStr`] accepts.
    pub const ALL: [(&str, Self); 6] = [
        ("jsonl", Self::Jsonl),
        ("jsonl.gz", Self::JsonlGz),
        ("postcan", Self::Postcan),
        ("json.lz4", Self::JsonLz4),
        ("tar.lz4", Self::TarLz4),
        ("yaml.lz4", Self::YamlLz4),
    ];

    /// The extension of a file name, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::JsonlGz => "jsonl.gz",
            Self::Postcan => "tar.gz",
            Self::JsonLz4 => "json.lz4",
            Self::TarLz4 => "tar.lz4",
            Self::YamlLz4 => "yaml.lz4",
        }
    }

    const fn method(self, level: u32) -> Method {
        match self {
            Self::Jsonl => Method::Not,
            Self::JsonlGz | Self::Postcan => Method::Gzip(level),
            Self::JsonLz4 | Self::TarLz4 | Self::YamlLz4 => Method::Lz4,
        }
    }

    /// A key that the archive could have. The can contains all countries and tests nevertheless.
    fn key(self, number: usize) -> String {
        let extension = self.extension();
        match self {
            Self::Jsonl | Self::JsonlGz | Self::Postcan => {
                format!("raw/20240301/00/US/webconnectivity/2024030100_US_webconnectivity.n1.{number}.{extension}")
            }
            Self::TarLz4 => format!("canned/2020-10-20/web_connectivity.{number:02}.{extension}"),
            Self::JsonLz4 | Self::YamlLz4 => {
                let version = if self == Self::JsonLz4 { "0.2.0" } else { "0.1.0" };
                format!(
                    "canned/2020-10-20/20201020T000000Z-US-AS{}-web_connectivity-no_report_id-{version}-probe.{extension}",
                    number + 1
                )
            }
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, format)| *format)
            .ok_or_else(|| format!("expected one of {}", Self::ALL.map(|(name, _)| name).join(", ")))
    }
}

/// How to write a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Kind of file.
    pub format: Format,
    /// Measurements per file; the last file has the rest.
    pub per_file: u64,
    /// Stops after the measurement with which the files reach this many uncompressed bytes.
    pub bytes: u64,
    /// Compression level, 0 to 9. Ignored for LZ4.
    pub level: u32,
    /// Appends `measurement_uid` to each line that is a valid object. A postcan has no lines.
    pub uid_in_line: bool,
    /// Names files by keys as in the archive, instead of `corpus-NNNNN.*`.
    pub layout: bool,
}

impl Default for Packing {
    fn default() -> Self {
        Self { format: Format::JsonlGz, per_file: 5000, bytes: u64::MAX, level: 6, uid_in_line: false, layout: false }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Measurements.
    pub measurements: u64,
    /// Bytes of [`Made::content`], without envelopes, line endings and compression; for YAML the bytes of its entries.
    pub content_bytes: u64,
    /// Measurements with HTTP bodies. YAML measurements are not counted.
    pub with_bodies: u64,
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Their total size in bytes.
    pub file_bytes: u64,
    /// Measurements by [`Kind`].
    pub kinds: BTreeMap<&'static str, u64>,
    /// Measurements by test.
    pub tests: BTreeMap<String, u64>,
}

impl Summary {
    /// Counts a measurement.
    pub(super) fn count(&mut self, kind: &'static str, test: &str, bytes: usize) {
        self.measurements += 1;
        self.content_bytes += bytes as u64;
        *self.kinds.entry(kind).or_default() += 1;
        match self.tests.get_mut(test) {
            Some(count) => *count += 1,
            None => drop(self.tests.insert(test.to_owned(), 1)),
        }
    }

    /// Adds a finished file.
    pub(super) fn add(&mut self, path: PathBuf) -> Result<(), Error> {
        self.file_bytes += fs::metadata(&path).map_err(Error::io(&path))?.len();
        self.files.push(path);
        Ok(())
    }
}

/// Writes measurements to files in `folder`, which is created if it does not exist. Existing files with the same names
/// are replaced.
///
/// # Errors
/// The templates cannot be read or a file cannot be written; what was written before stays.
pub fn write(options: &Options, folder: &Path, packing: &Packing) -> Result<Summary, Error> {
    let mut corpus = Corpus::new(options)?;
    let mut reports = Reports::new(options.seed, options.malformed);
    let mut summary = Summary::default();
    let mut left = (options.n, packing.bytes);
    while left.0 > 0 && left.1 > 0 {
        let number = summary.files.len();
        let name = format!("corpus-{number:05}.{}", packing.format.extension());
        let path = folder.join(if packing.layout { packing.format.key(number) } else { name });
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        let mut can = Can::create(&path, packing, &mut reports).map_err(Error::io(&path))?;
        let mut room = packing.per_file.max(1).min(left.0);
        while room > 0 && can.written() < left.1 {
            let added = match can {
                Can::Yaml(_, _) => can.add_yaml(&mut reports, &mut summary),
                _ => corpus.next().map_or(Ok(()), |made| can.add(&made, packing, &mut summary)),
            };
            added.map_err(Error::io(&path))?;
            room -= 1;
            left.0 -= 1;
        }
        left.1 = left.1.saturating_sub(can.written());
        can.finish().map_err(Error::io(&path))?;
        summary.add(path)?;
    }
    Ok(summary)
}

enum Can {
    Lines(Packed),
    Postcan(Box<tar::Builder<Packed>>),
    /// An archive, and the lines of its next member.
    Reports(Box<tar::Builder<Packed>>, Vec<u8>, u64),
    Yaml(Packed, Box<Report>),
}

/// Lines per member of a `tar.lz4`.
const LINES: u64 = 100;

impl Can {
    fn create(path: &Path, packing: &Packing, reports: &mut Reports) -> io::Result<Self> {
        let mut out = Packed::create(path, packing.format.method(packing.level))?;
        Ok(match packing.format {
            Format::Jsonl | Format::JsonlGz | Format::JsonLz4 => Self::Lines(out),
            Format::Postcan => Self::Postcan(Box::new(tar::Builder::new(out))),
            Format::TarLz4 => Self::Reports(Box::new(tar::Builder::new(out)), Vec::new(), 0),
            Format::YamlLz4 => {
                let report = reports.begin(TURN);
                out.write_all(report.header.as_bytes())?;
                Self::Yaml(out, Box::new(report))
            }
        })
    }

    /// Bytes before compression, without those of an incomplete member.
    fn written(&self) -> u64 {
        match self {
            Self::Lines(out) | Self::Yaml(out, _) => out.written,
            Self::Postcan(tar) => tar.get_ref().written,
            Self::Reports(tar, pending, _) => tar.get_ref().written + pending.len() as u64,
        }
    }

    fn add(&mut self, made: &Made, packing: &Packing, summary: &mut Summary) -> io::Result<()> {
        summary.count(made.kind.name(), &made.test_name, made.content.len());
        summary.with_bodies += u64::from(made.has_body);
        match self {
            Self::Lines(out) => write_line(out, made, packing.uid_in_line),
            Self::Postcan(tar) => add_member(tar, &member_path(made), 0, &made.post),
            Self::Reports(_, pending, lines) => {
                write_line(pending, made, packing.uid_in_line)?;
                *lines += 1;
                if *lines % LINES == 0 { self.end_member() } else { Ok(()) }
            }
            Self::Yaml(..) => Ok(()),
        }
    }

    fn end_member(&mut self) -> io::Result<()> {
        if let Self::Reports(tar, pending, lines) = self
            && !pending.is_empty()
        {
            let name = format!("2020-10-20/report-{:05}.json", (*lines - 1) / LINES);
            add_member(tar, &name, 0, pending)?;
            pending.clear();
        }
        Ok(())
    }

    fn add_yaml(&mut self, reports: &mut Reports, summary: &mut Summary) -> io::Result<()> {
        let Self::Yaml(out, report) = self else { return Ok(()) };
        let (bytes, entry) = reports.entry(report);
        summary.count(entry.kind(), report.test(), bytes.len());
        out.write_all(&bytes)
    }

    fn finish(mut self) -> io::Result<()> {
        self.end_member()?;
        match self {
            Self::Lines(out) | Self::Yaml(out, _) => out.finish(),
            Self::Postcan(tar) | Self::Reports(tar, ..) => tar.into_inner()?.finish(),
        }
    }
}

/// The path of the file on a collector, without the leading slash.
fn member_path(made: &Made) -> String {
    let (hour, cc, test, uid) = (&made.hour, made.cc, made.path_name(), &made.uid);
    format!("var/lib/ooniapi/measurements/incoming/{hour}_{cc}_{test}/{uid}.post")
}

fn write_line(out: &mut impl Write, made: &Made, uid_in_line: bool) -> io::Result<()> {
    match made.content.as_slice() {
        [b'{', inside @ .., b'}'] if uid_in_line && made.kind != Kind::Truncated => {
            out.write_all(b"{")?;
            out.write_all(inside)?;
            let comma = if inside.is_empty() { "" } else { "," };
            writeln!(out, "{comma}\"measurement_uid\":\"{}\"}}", made.uid)
        }
        content => {
            out.write_all(content)?;
            out.write_all(b"\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use flate2::read::GzDecoder;
    use lz4_flex::frame::FrameDecoder;

    use super::super::generate;
    use super::*;

    const OPTIONS: fn() -> Options = || Options { n: 250, seed: 9, ..Options::default() };

    fn unpack(path: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn lines_packed_or_not() {
        let (plain, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let packing = Packing { per_file: 100, ..Packing::default() };
        let gz = write(&OPTIONS(), packed.path(), &packing).unwrap();
        let packing = Packing { format: Format::Jsonl, ..packing };
        let jsonl = write(&OPTIONS(), plain.path(), &packing).unwrap();
        assert_eq!((gz.measurements, gz.files.len()), (250, 3));
        assert_eq!(gz.files[2], packed.path().join("corpus-00002.jsonl.gz"));
        assert_eq!(jsonl.file_bytes, jsonl.content_bytes + 250);
        for (packed, plain) in gz.files.iter().zip(&jsonl.files) {
            assert!(unpack(packed) == fs::read(plain).unwrap());
        }
        let again = tempfile::tempdir().unwrap();
        let packing = Packing { per_file: 100, ..Packing::default() };
        let second = write(&OPTIONS(), again.path(), &packing).unwrap();
        for (first, second) in gz.files.iter().zip(&second.files) {
            assert!(fs::read(first).unwrap() == fs::read(second).unwrap());
        }
    }

    #[test]
    fn uid_is_the_last_key() {
        let folder = tempfile::tempdir().unwrap();
        let packing = Packing { format: Format::Jsonl, uid_in_line: true, ..Packing::default() };
        let options = Options { malformed: 0.2, ..OPTIONS() };
        let summary = write(&options, folder.path(), &packing).unwrap();
        let bytes = fs::read(&summary.files[0]).unwrap();
        for (line, made) in bytes.split(|&b| b == b'\n').zip(generate(&options).unwrap()) {
            if matches!(made.kind, Kind::Plain | Kind::Fingerprint) {
                let msm: serde_json::Value = serde_json::from_slice(line).unwrap();
                assert_eq!(msm["measurement_uid"], *made.uid);
            }
            let wanted = format!(",\"measurement_uid\":\"{}\"}}", made.uid);
            let whole = !matches!(made.kind, Kind::Truncated | Kind::WrongType);
            assert!(line == made.content || line.ends_with(wanted.as_bytes()) || line.len() == wanted.len());
            assert!(!whole || line.ends_with(wanted.as_bytes()));
        }
    }

    #[test]
    fn postcan_members() {
        let folder = tempfile::tempdir().unwrap();
        let packing = Packing { format: Format::Postcan, ..Packing::default() };
        let summary = write(&OPTIONS(), folder.path(), &packing).unwrap();
        let bytes = unpack(&summary.files[0]);
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut members = archive.entries().unwrap();
        for made in generate(&OPTIONS()).unwrap() {
            let mut member = members.next().unwrap().unwrap();
            let mut body = Vec::new();
            member.read_to_end(&mut body).unwrap();
            assert_eq!(member.path().unwrap().to_str().unwrap(), member_path(&made));
            assert!(body == made.post);
        }
        assert!(members.next().is_none());
    }

    #[test]
    fn legacy_formats_in_their_layout() {
        let unlz4 = |path: &Path| {
            let mut bytes = Vec::new();
            FrameDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
            bytes
        };
        let folder = tempfile::tempdir().unwrap();
        let made = |format| {
            let packing = Packing { format, layout: true, ..Packing::default() };
            write(&OPTIONS(), folder.path(), &packing).unwrap().files.remove(0)
        };
        let lines: Vec<u8> =
            generate(&OPTIONS()).unwrap().flat_map(|made| [made.content, b"\n".to_vec()].concat()).collect();
        let json = made(Format::JsonLz4);
        assert!(json.starts_with(folder.path().join("canned/2020-10-20")));
        assert!(unlz4(&json) == lines);
        let bytes = unlz4(&made(Format::TarLz4));
        let (mut sizes, mut content) = (Vec::new(), Vec::new());
        for member in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            sizes.push(member.unwrap().read_to_end(&mut content).unwrap());
        }
        assert!(content == lines && sizes.len() == 3);
        let yaml = String::from_utf8_lossy(&unlz4(&made(Format::YamlLz4))).into_owned();
        assert_eq!(yaml.lines().filter(|line| *line == "---").count(), 251);
    }

    #[test]
    fn ends_at_a_number_of_bytes() {
        for (_, format) in Format::ALL {
            let folder = tempfile::tempdir().unwrap();
            let options = Options { n: u64::MAX, ..OPTIONS() };
            let packing = Packing { format, bytes: 2_000_000, per_file: u64::MAX, ..Packing::default() };
            let summary = write(&options, folder.path(), &packing).unwrap();
            assert_eq!(summary.files.len(), 1);
            assert!((1_800_000..2_400_000).contains(&summary.content_bytes), "{format:?} {}", summary.content_bytes);
        }
    }
}
