//! Cans from untrusted bytes: what is read of one does not depend on how it comes, nor on who reads it.
//!
//! Not a part of the library beside it, which the tests of `ooni-core` include: this one knows `ooni-fastpath`.

use flate2::Compression;
use flate2::write::GzEncoder;
use lz4_flex::frame::FrameEncoder;
use ooni_archive::can::{Can, Filled, Format, Report};
use ooni_archive::chunk::{Chunk, Entry};
use ooni_archive::limits::Limits;
use ooni_archive::source::{InputFile, Origin, Source};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::rules::{Rules, Ruleset};
use ooni_fastpath::pipeline::{Plan, run as rerun};
use ooni_fastpath::sink::Jsonl;
use ooni_fastpath::worker::Scoring;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The input: `p` for a postcan, `t` for an archive of reports, `j` and `g` for lines with LZ4 and gzip, `y` for a YAML
/// report; then what is in it. As a capital letter: what follows is the file as it is. Nothing else is a can.
pub fn run(data: &[u8]) {
    let Some((letter, content)) = data.split_first() else { return };
    let format = match letter.to_ascii_lowercase() {
        b'p' => Format::Postcan,
        b't' => Format::Reports,
        b'j' => Format::LinesLz4,
        b'g' => Format::LinesGz,
        b'y' => Format::Yaml,
        _ => return,
    };
    let file = match letter.is_ascii_uppercase() {
        true => content.to_vec(),
        false if matches!(format, Format::Postcan | Format::LinesGz) => {
            packed(GzEncoder::new(Vec::new(), Compression::fast()), content, GzEncoder::finish)
        }
        false => packed(FrameEncoder::new(Vec::new()), content, FrameEncoder::finish),
    };
    let limits = Limits { measurement_size: 1 << 16, ..Limits::default() };
    let whole = seen(format, Box::new(Cursor::new(file.clone())), &limits, 1 << 16);
    // One byte at a time, and so that nothing ends where something else does.
    for chop in [1, 7, 509] {
        let chopped = Chopped { bytes: Cursor::new(file.clone()), chop };
        assert_eq!(seen(format, Box::new(chopped), &limits, 1 << 16), whole, "{chop} bytes at a time");
    }
    assert_eq!(seen(format, Box::new(Cursor::new(file.clone())), &limits, 1 << 9), whole, "small chunks");
    check_order(&whole);

    let path = tempfile::NamedTempFile::new().and_then(|mut temporary| {
        temporary.write_all(&file)?;
        Ok(temporary.into_temp_path())
    });
    let Ok(path) = path else { return };
    for strict in [false, true] {
        let [one, three] = [1, 3].map(|jobs| outcomes(format, &path, limits, jobs, strict));
        assert!(one == three, "other outcomes with three threads:\n{one}\nand\n{three}");
        if !strict && format != Format::Yaml {
            assert_eq!(one.lines().count(), whole.len(), "a line for each entry");
        }
    }
}

fn packed<W: Write, E>(mut encoder: W, content: &[u8], finish: impl FnOnce(W) -> Result<Vec<u8>, E>) -> Vec<u8> {
    encoder.write_all(content).ok().and_then(|()| finish(encoder).ok()).unwrap_or_default()
}

/// An entry, or what is in its place.
#[derive(Debug, PartialEq)]
struct Seen {
    kind: String,
    text: Vec<u8>,
    member: Option<Vec<u8>>,
    number: u64,
    place: u64,
    at: Option<u64>,
    trouble: Option<String>,
    gives_up: bool,
}

fn seen(format: Format, bytes: Box<dyn Read + Send>, limits: &Limits, target: usize) -> Vec<Seen> {
    let report = Report::of_path(Path::new("canned/2020-01-02/x.lz4"));
    let mut all = Vec::new();
    let Some(mut can) = Can::open(format, bytes, &report, limits) else { return all };
    let mut chunk = Chunk::new(target);
    loop {
        let filled = can.fill(&mut chunk);
        if chunk.is_cramped() {
            chunk.let_grow();
            continue;
        }
        all.extend(chunk.entries().iter().map(|entry| {
            let Entry { kind, at, trouble, gives_up, .. } = entry;
            Seen {
                kind: format!("{kind:?}"),
                text: chunk.text(entry).to_vec(),
                member: chunk.member(entry).map(<[u8]>::to_vec),
                number: at.number,
                place: at.place,
                at: at.at,
                trouble: trouble.as_ref().map(ToString::to_string),
                gives_up: *gives_up,
            }
        }));
        chunk.clear();
        if filled == Filled::Done {
            return all;
        }
    }
}

/// Entries come in the order of their places, each once; what is wrong with the file comes at its end.
fn check_order(all: &[Seen]) {
    for (place, seen) in (0..).zip(all.iter().filter(|seen| seen.kind != "Whole")) {
        assert_eq!(seen.place, place, "{seen:?}");
        assert!(seen.trouble.is_none() || seen.text.is_empty());
    }
}

/// What is written of a file, and its counts.
fn outcomes(format: Format, path: &Path, limits: Limits, jobs: usize, strict: bool) -> String {
    let lists = Fingerprints::empty();
    let scoring = Scoring { limits, strict, ..Scoring::new(&lists, Rules::Fixed) };
    let ruleset = Ruleset::new(Rules::Fixed, "");
    let sink = move || Box::new(Jsonl::new(&ruleset)) as _;
    let (stop, read) = (AtomicBool::new(false), Arc::default());
    let plan = Plan { scoring: &scoring, jobs, sink: &sink, stop: &stop, read: &read };
    let source = Arc::new(Source { name: "can".to_owned(), ..Source::default() });
    let report = Report::of_path(Path::new("canned/2020-01-02/x.lz4"));
    let found =
        InputFile { source, origin: Origin::File(path.to_owned()), format: Some(format), report, trouble: None };
    let (mut out, mut accepted) = (Vec::new(), 0);
    let ran = rerun(&plan, Box::new(std::iter::once(found)), &mut |piece| {
        out.extend_from_slice(&piece.done.out);
        assert!(piece.done.counts.adds_up());
        accepted += piece.done.counts.all().accepted;
        Ok(())
    });
    assert!(ran.is_ok());
    let out = String::from_utf8_lossy(&out).into_owned();
    assert_eq!(out.lines().count() as u64, accepted);
    out
}

/// Gives so many bytes at a time.
struct Chopped {
    bytes: Cursor<Vec<u8>>,
    chop: usize,
}

impl Read for Chopped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.chop);
        self.bytes.read(&mut into[..most])
    }
}
