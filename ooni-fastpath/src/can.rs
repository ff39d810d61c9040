//! Containers: from a file's name to its entries (formats spec §7).
//!
//! One module a form. All of them read through [`decompress::Input`], so that there is one place that decompresses and
//! one that bounds what comes out, and all write entries, good and broken ones, into a [`Batch`]. An error in one entry
//! costs that entry; an error of the file ends it, after all that was read before.

pub mod cases;
pub mod decompress;
mod lines;
mod postcan;
mod single;
mod tar;

pub use self::lines::Lines;
pub use self::postcan::Postcan;
pub use self::single::Single;

use self::decompress::{Broken, Input};
use crate::batch::{Batch, Kind as EntryKind};
use crate::limits::Limits;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `.json`, `.post`: one measurement or POST body.
    Single,
    /// `.jsonl`: a measurement a line.
    Lines,
    /// `.jsonl.gz`: the same, compressed.
    LinesGz,
    /// `.tar.gz`: POST bodies.
    Postcan,
    /// `.tar.lz4`, `.json.lz4`, `.yaml.lz4`: cans of the years up to 2020.
    Legacy,
    /// `index.json.gz`: nothing to read.
    Index,
    /// Lines of uid and measurement, see [`cases`]. No name says this.
    Cases,
    /// Lines, compressed or not: the first bytes tell. No name says this.
    Sniffed,
}

impl Form {
    /// The form that a file's name says, if any.
    pub fn of_name(name: &str) -> Option<Form> {
        const SUFFIXES: [(&str, Form); 8] = [
            (".tar.lz4", Form::Legacy),
            (".json.lz4", Form::Legacy),
            (".yaml.lz4", Form::Legacy),
            (".tar.gz", Form::Postcan),
            (".jsonl.gz", Form::LinesGz),
            (".jsonl", Form::Lines),
            (".json", Form::Single),
            (".post", Form::Single),
        ];
        if name == "index.json.gz" {
            return Some(Form::Index);
        }
        SUFFIXES.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, form)| form)
    }
}

/// A file that is being read.
#[derive(Debug)]
pub enum Can {
    /// Lines.
    Lines(Lines),
    /// One document.
    Single(Single),
    /// Members.
    Postcan(Postcan),
}

/// Whether there is more in a can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// The batch is full; the can may have more.
    More,
    /// The can is at its end.
    Done,
}

impl Can {
    /// A can of this form over its bytes; `None` for forms that are not read.
    pub fn open(form: Form, bytes: Box<dyn std::io::Read + Send>, limits: &Limits) -> Option<Can> {
        let plain = |bytes| Feed::new(Input::plain(bytes));
        let gzip = |bytes| Feed::new(Input::gzip(bytes, limits.ratio));
        let limit = limits.measurement_size;
        Some(match form {
            Form::Single => Can::Single(Single::new(plain(bytes), limit)),
            Form::Lines => Can::Lines(Lines::new(plain(bytes), limit, EntryKind::Line)),
            Form::LinesGz => Can::Lines(Lines::new(gzip(bytes), limit, EntryKind::Line)),
            Form::Postcan => Can::Postcan(Postcan::new(gzip(bytes), limit)),
            Form::Cases => {
                Can::Lines(Lines::new(Feed::new(Input::sniffed(bytes, limits.ratio)), limit, EntryKind::Case))
            }
            Form::Sniffed => {
                Can::Lines(Lines::new(Feed::new(Input::sniffed(bytes, limits.ratio)), limit, EntryKind::Line))
            }
            Form::Legacy | Form::Index => return None,
        })
    }

    /// Reads on, until the batch is full or the can at its end.
    pub fn fill(&mut self, batch: &mut Batch) -> Filled {
        match self {
            Can::Lines(can) => can.fill(batch),
            Can::Single(can) => can.fill(batch),
            Can::Postcan(can) => can.fill(batch),
        }
    }
}

/// What a can reads from: decompressed bytes, and those that did not make a whole entry in the last batch.
#[derive(Debug)]
pub struct Feed {
    input: Input,
    rest: Vec<u8>,
}

/// What came of reading on.
#[derive(Debug)]
enum Fed {
    /// There is more text in the batch.
    Text,
    /// The batch is full. What was pending has been put aside.
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

    /// Puts what was pending at the end of the last batch into this one; returns where it begins.
    fn resume(&mut self, batch: &mut Batch) -> usize {
        let start = batch.filled();
        batch.append(&self.rest);
        self.rest.clear();
        start
    }

    /// Puts what is pending, from `start` on, aside for the next batch.
    fn put_aside(&mut self, batch: &mut Batch, start: usize) {
        self.rest.extend_from_slice(batch.pending(start));
        batch.truncate(start);
    }

    /// Reads on. What is pending begins at `start`; it stays in one piece, but may be moved.
    fn more(&mut self, batch: &mut Batch, start: &mut usize) -> Fed {
        if batch.is_full() {
            self.put_aside(batch, *start);
            return Fed::Full;
        }
        if batch.entries().is_empty() {
            batch.forget_until(start);
        }
        match self.input.read(batch.room()) {
            Ok(0) => Fed::End,
            Ok(bytes) => {
                batch.advance(bytes);
                Fed::Text
            }
            Err(broken) => Fed::Broken(broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn names_say_the_form() {
        for (name, form) in [
            ("2021061400_JO_signal.n1.0.tar.gz", Some(Form::Postcan)),
            ("x.jsonl.gz", Some(Form::LinesGz)),
            ("x.jsonl", Some(Form::Lines)),
            ("x.json", Some(Form::Single)),
            ("20210208220710.181572_MA_ndt_7888edc7748936bf.post", Some(Form::Single)),
            ("ndt.0.tar.lz4", Some(Form::Legacy)),
            ("x-probe.yaml.lz4", Some(Form::Legacy)),
            ("x.json.lz4", Some(Form::Legacy)),
            ("index.json.gz", Some(Form::Index)),
            ("x.json.gz", None),
            ("x.post.tmp", None),
            ("README.md", None),
            ("", None),
        ] {
            assert_eq!(Form::of_name(name), form, "{name}");
        }
    }
}
