//! Containers: from the bytes of a file to the entries in it. One file a form.
//!
//! The name of a file says its form ([`Format::of_name`]). A [`Can`] fills [`Chunk`]es; what is wrong with an entry costs
//! that entry, what is wrong with the file ends it, after all that was read before.

pub mod cases;
pub mod decompress;
mod lines;
mod members;
mod postcan;
mod reports;
mod single;
mod tar;
mod yaml;

pub use self::lines::Lines;
pub use self::postcan::Postcan;
pub use self::reports::Reports;
pub use self::single::Single;
pub use self::yaml::Yaml;

use self::decompress::{Broken, Input};
use crate::chunk::{Chunk, Kind, Position};
use crate::limits::Limits;
use ooni_core::error::Error;
use std::path::Path;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.json`, `.post`: one measurement or POST body.
    Single,
    /// `.jsonl`: a measurement a line.
    Lines,
    /// `.jsonl.gz`: the same, compressed.
    LinesGz,
    /// `.json.lz4`: the same in a can of the years up to 2020.
    LinesLz4,
    /// `.tar.gz`: POST bodies.
    Postcan,
    /// `.tar.lz4`: reports, of the years up to 2020.
    Reports,
    /// `.yaml.lz4`: a report of the years up to 2016.
    Yaml,
    /// `index.json.gz`: nothing to read.
    Index,
    /// Lines of uid and measurement, see [`cases`]. No name says this.
    Cases,
    /// Lines, compressed or not: the first bytes tell. No name says this.
    Sniffed,
}

impl Format {
    /// The form that a file's name says, if any.
    pub fn of_name(name: &str) -> Option<Format> {
        const SUFFIXES: [(&str, Format); 8] = [
            (".tar.lz4", Format::Reports),
            (".json.lz4", Format::LinesLz4),
            (".yaml.lz4", Format::Yaml),
            (".tar.gz", Format::Postcan),
            (".jsonl.gz", Format::LinesGz),
            (".jsonl", Format::Lines),
            (".json", Format::Single),
            (".post", Format::Single),
        ];
        if name == "index.json.gz" {
            return Some(Format::Index);
        }
        SUFFIXES.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, format)| format)
    }
}

/// What the reports of a can are told of its name: a YAML report says it of itself (formats spec §7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The folder of the can, which is named after the day on which it was made.
    pub bucket_date: String,
    /// Folder and name of the can.
    pub file: String,
}

impl Report {
    /// Of a can at this path.
    pub fn of_path(path: &Path) -> Report {
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let bucket_date = part(path.parent().and_then(Path::file_name));
        let file = format!("{bucket_date}/{}", part(path.file_name()));
        Report { bucket_date, file }
    }
}

/// A file that is being read.
#[derive(Debug)]
pub enum Can {
    /// Lines.
    Lines(Lines),
    /// One document.
    Single(Single),
    /// POST bodies.
    Postcan(Postcan),
    /// Reports.
    Reports(Reports),
    /// One YAML report.
    Yaml(Yaml),
    /// Nothing but why it cannot be read; none once that was said.
    Refused(Option<Error>),
}

/// Whether there is more in a can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// The chunk is full; the can may have more.
    More,
    /// The can is at its end.
    Done,
}

impl Can {
    /// A can that cannot be read.
    pub fn refused(why: Error) -> Can {
        Can::Refused(Some(why))
    }

    /// A can of this form over its bytes; `None` for an index, which has nothing to read.
    pub fn open(format: Format, bytes: Box<dyn std::io::Read + Send>, report: &Report, limits: &Limits) -> Option<Can> {
        let plain = |bytes| Feed::new(Input::plain(bytes));
        let gzip = |bytes| Feed::new(Input::gzip(bytes, limits.ratio));
        let lz4 = |bytes| Feed::new(Input::lz4(bytes, limits.ratio));
        let sniffed = |bytes| Feed::new(Input::sniffed(bytes, limits.ratio));
        let limit = limits.measurement_size;
        Some(match format {
            Format::Single => Can::Single(Single::new(plain(bytes), limit)),
            Format::Lines => Can::Lines(Lines::new(plain(bytes), limit, Kind::Line)),
            Format::LinesGz => Can::Lines(Lines::new(gzip(bytes), limit, Kind::Line)),
            Format::LinesLz4 => Can::Lines(Lines::new(lz4(bytes), limit, Kind::OldLine)),
            Format::Postcan => Can::Postcan(Postcan::new(gzip(bytes), limit)),
            Format::Reports => Can::Reports(Reports::new(lz4(bytes), report, limits)),
            Format::Yaml => Can::Yaml(Yaml::new(lz4(bytes), report, limits)),
            Format::Cases => Can::Lines(Lines::new(sniffed(bytes), limit, Kind::Case)),
            Format::Sniffed => Can::Lines(Lines::new(sniffed(bytes), limit, Kind::Line)),
            Format::Index => return None,
        })
    }

    /// Reads on, until the chunk is full or [cramped](Chunk::is_cramped), or the can at its end.
    pub fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        match self {
            Can::Lines(can) => can.fill(chunk),
            Can::Single(can) => can.fill(chunk),
            Can::Postcan(can) => can.fill(chunk),
            Can::Reports(can) => can.fill(chunk),
            Can::Yaml(can) => can.fill(chunk),
            Can::Refused(why) => {
                if let Some(why) = why.take() {
                    chunk.push_trouble(Kind::Whole, Position::default(), why);
                }
                Filled::Done
            }
        }
    }
}

/// What a can reads from: decompressed bytes, and those that did not make a whole entry in the last chunk.
#[derive(Debug)]
pub struct Feed {
    input: Input,
    rest: Vec<u8>,
}

/// What came of reading on.
#[derive(Debug)]
enum Fed {
    /// There is more text in the chunk.
    Text,
    /// The chunk is full. What was pending has been put aside.
    Full,
    /// The file is at its end.
    End,
    /// The file is broken here.
    Broken(Broken),
}

impl Feed {
    fn new(input: Input) -> Feed {
        Feed { input, rest: Vec::new() }
    }

    /// Puts what was pending at the end of the last chunk into this one; returns where it begins.
    fn resume(&mut self, chunk: &mut Chunk) -> usize {
        let start = chunk.filled();
        chunk.append(&self.rest);
        self.rest.clear();
        self.rest.shrink_to(crate::chunk::TARGET);
        start
    }

    /// Puts what is pending, from `start` on, aside for the next chunk.
    fn put_aside(&mut self, chunk: &mut Chunk, start: usize) {
        self.rest.extend_from_slice(chunk.pending(start));
        chunk.truncate(start);
    }

    /// Reads on. What is pending begins at `start`; it stays in one piece, but may be moved.
    fn more(&mut self, chunk: &mut Chunk, start: &mut usize) -> Fed {
        if chunk.entries().is_empty() {
            chunk.forget_until(start);
        }
        if chunk.is_full() || chunk.cramp() {
            self.put_aside(chunk, *start);
            return Fed::Full;
        }
        match self.input.read(chunk.room()) {
            Ok(0) => Fed::End,
            Ok(bytes) => {
                chunk.advance(bytes);
                Fed::Text
            }
            Err(broken) => Fed::Broken(broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Report};
    use std::path::Path;

    #[test]
    fn names_say_the_form() {
        for (name, format) in [
            ("2021061400_JO_signal.n1.0.tar.gz", Some(Format::Postcan)),
            ("x.jsonl.gz", Some(Format::LinesGz)),
            ("x.jsonl", Some(Format::Lines)),
            ("x.json", Some(Format::Single)),
            ("20210208220710.181572_MA_ndt_7888edc7748936bf.post", Some(Format::Single)),
            ("ndt.0.tar.lz4", Some(Format::Reports)),
            ("x-probe.yaml.lz4", Some(Format::Yaml)),
            ("x.json.lz4", Some(Format::LinesLz4)),
            ("index.json.gz", Some(Format::Index)),
            ("x.json.gz", None),
            ("x.post.tmp", None),
            ("README.md", None),
            ("", None),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
    }

    #[test]
    fn reports_are_named_after_their_can() {
        let of = |path| {
            let Report { bucket_date, file } = Report::of_path(Path::new(path));
            (bucket_date, file)
        };
        let expected = ("2014-02-20".to_owned(), "2014-02-20/f.yaml.lz4".to_owned());
        assert_eq!(of("canned/2014-02-20/f.yaml.lz4"), expected);
        assert_eq!(of("f.yaml.lz4"), (String::new(), "/f.yaml.lz4".to_owned()));
    }
}
