//! Files of measurements.
//!
//! | Format | Files | Content |
//! |---|---|---|
//! | `jsonl` | `corpus-NNNNN.jsonl` | [`Made::content`], one a line |
//! | `jsonl.gz` | `corpus-NNNNN.jsonl.gz` | the same, one gzip member a file |
//! | `postcan` | `corpus-NNNNN.tar.gz` | [`Made::post`], a member each, named after its spool path |
//!
//! An archive differs: there `{}` stands for a line that could not be parsed, and a can holds one
//! hour, country and test. A content that is no object ends a can for its reader, so a postcan whose
//! measurements are to be counted is better made with [`malformed`](super::Options::malformed) 0.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::{Error, Kind, Made};

/// How measurements are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines.
    Jsonl,
    /// Lines, compressed.
    JsonlGz,
    /// POST bodies in a compressed tar.
    Postcan,
}

impl Format {
    const ALL: [(&str, Self); 3] = [("jsonl", Self::Jsonl), ("jsonl.gz", Self::JsonlGz), ("postcan", Self::Postcan)];

    /// The ending of a file's name, without its dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::JsonlGz => "jsonl.gz",
            Self::Postcan => "tar.gz",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format).ok_or_else(|| "one of jsonl, jsonl.gz, postcan".into())
    }
}

/// How to write a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Kind of file.
    pub format: Format,
    /// Measurements a file; the last one has what is left.
    pub per_file: u64,
    /// Compression, 0 to 9.
    pub level: u32,
    /// Adds `measurement_uid` to the end of each line that is a whole object. A postcan has no lines.
    pub uid_in_line: bool,
}

impl Default for Packing {
    fn default() -> Self {
        Self { format: Format::JsonlGz, per_file: 5000, level: 6, uid_in_line: false }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Measurements.
    pub measurements: u64,
    /// Bytes of [`Made::content`], without envelopes, line ends and compression.
    pub content_bytes: u64,
    /// Measurements with HTTP bodies.
    pub with_bodies: u64,
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Their bytes.
    pub file_bytes: u64,
    /// Measurements by what was done to them.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Measurements by test.
    pub tests: BTreeMap<String, u64>,
}

/// Writes measurements to files in `folder`, which is made if it is not there. Files of the same
/// names are replaced.
///
/// # Errors
/// When a file cannot be written; what was written before stays.
pub fn write(corpus: impl IntoIterator<Item = Made>, folder: &Path, packing: &Packing) -> Result<Summary, Error> {
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut summary = Summary::default();
    let mut corpus = corpus.into_iter().peekable();
    while corpus.peek().is_some() {
        let name = format!("corpus-{:05}.{}", summary.files.len(), packing.format.extension());
        let path = folder.join(name);
        let chunk = corpus.by_ref().take(usize::try_from(packing.per_file.max(1)).unwrap_or(usize::MAX));
        summary.file_bytes += write_file(chunk, &path, packing, &mut summary).map_err(Error::io(&path))?;
        summary.files.push(path);
    }
    Ok(summary)
}

/// One file; returns its size.
fn write_file(
    corpus: impl Iterator<Item = Made>,
    path: &Path,
    packing: &Packing,
    summary: &mut Summary,
) -> io::Result<u64> {
    let mut can = Can::create(path, packing)?;
    for made in corpus {
        summary.measurements += 1;
        summary.content_bytes += made.content.len() as u64;
        summary.with_bodies += u64::from(made.has_body);
        *summary.kinds.entry(made.kind.name()).or_default() += 1;
        can.add(&made, packing.uid_in_line)?;
        *summary.tests.entry(made.test_name).or_default() += 1;
    }
    can.finish()?;
    Ok(fs::metadata(path)?.len())
}

enum Can {
    Jsonl(BufWriter<File>),
    JsonlGz(Box<GzEncoder<BufWriter<File>>>),
    Postcan(Box<tar::Builder<GzEncoder<BufWriter<File>>>>),
}

impl Can {
    fn create(path: &Path, packing: &Packing) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let level = Compression::new(packing.level.min(9));
        Ok(match packing.format {
            Format::Jsonl => Self::Jsonl(file),
            Format::JsonlGz => Self::JsonlGz(Box::new(GzEncoder::new(file, level))),
            Format::Postcan => Self::Postcan(Box::new(tar::Builder::new(GzEncoder::new(file, level)))),
        })
    }

    fn add(&mut self, made: &Made, uid_in_line: bool) -> io::Result<()> {
        match self {
            Self::Jsonl(out) => write_line(out, made, uid_in_line),
            Self::JsonlGz(out) => write_line(out, made, uid_in_line),
            Self::Postcan(tar) => {
                let mut header = tar::Header::new_ustar();
                header.set_path(member_path(made))?;
                header.set_size(made.post.len() as u64);
                header.set_mode(0o644);
                header.set_mtime(0);
                header.set_cksum();
                tar.append(&header, made.post.as_slice())
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Self::Jsonl(file) => file,
            Self::JsonlGz(gz) => gz.finish()?,
            Self::Postcan(tar) => tar.into_inner()?.finish()?,
        };
        file.flush()
    }
}

/// Where a collector had the file, without the leading slash.
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
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::super::{Options, generate};
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
        let gz = write(generate(&OPTIONS()).unwrap(), packed.path(), &packing).unwrap();
        let packing = Packing { format: Format::Jsonl, ..packing };
        let jsonl = write(generate(&OPTIONS()).unwrap(), plain.path(), &packing).unwrap();
        assert_eq!((gz.measurements, gz.files.len()), (250, 3));
        assert_eq!(gz.files[2], packed.path().join("corpus-00002.jsonl.gz"));
        assert_eq!(jsonl.file_bytes, jsonl.content_bytes + 250);
        for (packed, plain) in gz.files.iter().zip(&jsonl.files) {
            assert!(unpack(packed) == fs::read(plain).unwrap());
        }
        let again = tempfile::tempdir().unwrap();
        let packing = Packing { per_file: 100, ..Packing::default() };
        let second = write(generate(&OPTIONS()).unwrap(), again.path(), &packing).unwrap();
        for (first, second) in gz.files.iter().zip(&second.files) {
            assert!(fs::read(first).unwrap() == fs::read(second).unwrap());
        }
    }

    #[test]
    fn uid_is_the_last_key() {
        let folder = tempfile::tempdir().unwrap();
        let packing = Packing { format: Format::Jsonl, uid_in_line: true, ..Packing::default() };
        let options = Options { malformed: 0.2, ..OPTIONS() };
        let summary = write(generate(&options).unwrap(), folder.path(), &packing).unwrap();
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
        let summary = write(generate(&OPTIONS()).unwrap(), folder.path(), &packing).unwrap();
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
}
