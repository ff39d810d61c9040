//! Cans from untrusted bytes: the result depends neither on the size of reads nor on the number of threads.
//!
//! Not part of the library, which the tests of `ooni-core` include, because this target depends on `ooni-fastpath`.

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use lz4_flex::frame::FrameEncoder;
use ooni_archive::can::{Can, CanName, Compression, Expected, Format};
use ooni_archive::chunk::{Chunk, Entry, ReadStatus};
use ooni_archive::limits::Limits;
use ooni_archive::source::{InputFile, Origin, Source};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::measurement::SideRecord;
use ooni_core::rules::{Rules, Ruleset};
use ooni_fastpath::pipeline::{Plan, run as rerun};
use ooni_fastpath::sink::Jsonl;
use ooni_fastpath::worker::Scoring;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The input: a letter for the format, then the content of the file, which is compressed accordingly. `p` is a postcan,
/// `t` an archive of reports, `j` and `g` are lines with LZ4 and gzip, `y` is a YAML report, `d` a single document, `x`
/// unknown. With a capital letter, the file follows unchanged.
pub fn run(data: &[u8]) {
    let Some((letter, content)) = data.split_first() else { return };
    let (format, compression) = match letter.to_ascii_lowercase() {
        b'p' => (Some(Format::Postcan), Compression::Gzip),
        b't' => (Some(Format::Reports), Compression::Lz4),
        b'j' => (Some(Format::LegacyLines), Compression::Lz4),
        b'g' => (Some(Format::Lines), Compression::Gzip),
        b'y' => (Some(Format::Yaml), Compression::Lz4),
        b'd' => (Some(Format::Document), Compression::None),
        b'x' => (None, Compression::None),
        _ => return,
    };
    let expected = format.map_or(Expected::Unknown, |format| Expected::Named(format, compression));
    let file = match compression {
        Compression::Gzip if letter.is_ascii_lowercase() => {
            packed(GzEncoder::new(Vec::new(), Level::fast()), content, GzEncoder::finish)
        }
        Compression::Lz4 if letter.is_ascii_lowercase() => {
            packed(FrameEncoder::new(Vec::new()), content, FrameEncoder::finish)
        }
        _ => content.to_vec(),
    };
    let limits = Limits { measurement_size: 1 << 16, ..Limits::default() };
    let whole = seen(expected, Box::new(Cursor::new(file.clone())), &limits, 1 << 16);
    // Sizes from one byte up are odd numbers, so that reads and entries end at different positions.
    for chop in [1, 7, 509] {
        let chopped = Chopped { bytes: Cursor::new(file.clone()), chop };
        assert_eq!(seen(expected, Box::new(chopped), &limits, 1 << 16), whole, "{chop} bytes at a time");
    }
    assert_eq!(seen(expected, Box::new(Cursor::new(file.clone())), &limits, 1 << 9), whole, "small chunks");
    check_order(&whole);

    let path = tempfile::NamedTempFile::new().and_then(|mut temporary| {
        temporary.write_all(&file)?;
        Ok(temporary.into_temp_path())
    });
    let Ok(path) = path else { return };
    for strict in [false, true] {
        let [one, three] = [1, 3].map(|jobs| outcomes(expected, &path, limits, jobs, strict));
        assert!(one == three, "different outcomes with three threads:\n{one}\nand\n{three}");
        // YAML entries that normalize to nothing, and lines without a measurement, have no outcome.
        if !strict && whole.iter().all(|seen| seen.kind != "Yaml") {
            assert_eq!(one.lines().count(), whole.len(), "a line for each entry");
        }
    }
}

fn packed<W: Write, E>(mut encoder: W, content: &[u8], finish: impl FnOnce(W) -> Result<Vec<u8>, E>) -> Vec<u8> {
    encoder.write_all(content).ok().and_then(|()| finish(encoder).ok()).unwrap_or_default()
}

/// An entry, or the error in its place.
#[derive(Debug, PartialEq)]
struct Seen {
    kind: String,
    text: Vec<u8>,
    member: Option<Vec<u8>>,
    number: u64,
    index: u64,
    offset: Option<u64>,
    error: Option<String>,
    aborts_can: bool,
    side: SideRecord<'static>,
}

fn seen(expected: Expected, bytes: Box<dyn Read + Send>, limits: &Limits, target: usize) -> Vec<Seen> {
    let name = CanName::of_path(Path::new("canned/2020-01-02/x.lz4"));
    let mut all = Vec::new();
    let mut can = Can::open(expected, bytes, &name, limits);
    let mut chunk = Chunk::new(target);
    loop {
        let filled = can.fill(&mut chunk);
        if chunk.needs_growth() {
            chunk.allow_growth();
            continue;
        }
        all.extend(chunk.entries().iter().map(|entry| {
            let Entry { kind, position, error, aborts_can, .. } = entry;
            Seen {
                kind: format!("{kind:?}"),
                text: chunk.text(entry).to_vec(),
                member: chunk.member(entry).map(<[u8]>::to_vec),
                number: position.number,
                index: position.index,
                offset: position.offset,
                error: error.as_ref().map(ToString::to_string),
                aborts_can: *aborts_can,
                side: entry.side().clone(),
            }
        }));
        chunk.clear();
        if filled == ReadStatus::End {
            return all;
        }
    }
}

/// Entries are in the order of their indexes, each once; a file error comes last.
fn check_order(all: &[Seen]) {
    for (index, seen) in (0..).zip(all.iter().filter(|seen| seen.kind != "Whole")) {
        assert_eq!(seen.index, index, "{seen:?}");
        assert!(seen.error.is_none() || seen.text.is_empty());
    }
}

/// The outcomes of a file, and their counts.
fn outcomes(expected: Expected, path: &Path, limits: Limits, jobs: usize, strict: bool) -> String {
    let lists = Fingerprints::empty();
    let scoring = Scoring { limits, strict, ..Scoring::new(&lists, Rules::Fixed) };
    let ruleset = Ruleset::new(Rules::Fixed, "");
    let sink = move || Box::new(Jsonl::new(&ruleset)) as _;
    let (stop, read) = (AtomicBool::new(false), Arc::default());
    let plan = Plan { scoring: &scoring, jobs, sink: &sink, stop: &stop, read: &read };
    let source = Source { name: "can".to_owned(), ..Source::default() };
    let (origin, can_name) = (Origin::File(path.to_owned()), CanName::of_path(Path::new("canned/2020-01-02/x.lz4")));
    let found = InputFile { source, origin, expected, can_name, error: None, twin: None };
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

/// Returns at most this many bytes at a time.
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
