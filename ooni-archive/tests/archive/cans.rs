//! Containers in pieces, truncated or damaged: entries before the damage are read, followed by one error. Formats that do
//! not match the names.

use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use ooni_archive::can::{Can, CanName, Expected, Format, Recognition};
use ooni_archive::chunk::{Chunk, Kind, ReadStatus, TARGET};
use ooni_archive::limits::Limits;
use ooni_testkit::files::{GOOD, append, gzip, member, post, tar};
use std::io::{Cursor, Write};
use std::path::Path;

/// Names that stand for formats.
const LINES: &str = "x.json.lz4";
const POSTCAN: &str = "x.tar.gz";
const REPORTS: &str = "x.tar.lz4";

/// An entry of a can, or the error in its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) text: Vec<u8>,
    pub(crate) member: Option<String>,
    pub(crate) number: u64,
    pub(crate) index: u64,
    pub(crate) offset: Option<u64>,
    pub(crate) error: Option<String>,
}

pub(crate) fn opened(expected: Expected, file: &[u8], limits: &Limits) -> Can {
    let name = CanName::of_path(Path::new("canned/2020-01-02/x.lz4"));
    Can::open(expected, Box::new(Cursor::new(file.to_vec())), &name, limits)
}

fn seen_within(name: &str, file: &[u8], limits: &Limits) -> Vec<Seen> {
    entries(opened(Expected::of_name(name), file, limits))
}

pub(crate) fn entries(mut can: Can) -> Vec<Seen> {
    let (mut chunk, mut all) = (Chunk::new(TARGET / 4), Vec::new());
    loop {
        let filled = can.fill(&mut chunk);
        if chunk.needs_growth() {
            chunk.allow_growth();
            continue;
        }
        all.extend(chunk.entries().iter().map(|entry| Seen {
            kind: entry.kind,
            text: chunk.text(entry).to_vec(),
            member: chunk.member(entry).map(|name| String::from_utf8_lossy(name).into_owned()),
            number: entry.position.number,
            index: entry.position.index,
            offset: entry.position.offset,
            error: entry.error.as_ref().map(|error| error.to_string()),
        }));
        chunk.clear();
        if filled == ReadStatus::End {
            return all;
        }
    }
}

fn seen(name: &str, file: &[u8]) -> Vec<Seen> {
    seen_within(name, file, &Limits::default())
}

/// Frames of blocks of 64 KiB, with checksums.
fn lz4(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_checksums(true).content_checksum(true);
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(piece).unwrap();
        out.extend(encoder.finish().unwrap());
    }
    out
}

/// Text that does not compress well.
fn noise(length: usize, seed: usize) -> String {
    let mut x = seed as u64 + 1;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (x >> 33) as u8 % 90)
    };
    (0..length).map(|_| next()).filter(|c| !matches!(c, '"' | '\\')).collect()
}

fn lines(number: usize) -> String {
    (0..number).map(|n| format!("{{\"n\":\"{}\",{}\n", noise(3000, n), &GOOD[1..])).collect()
}

/// Checks the result for a truncated or damaged file: some entries of the complete file, then one error.
fn ends_with_one_error<'s>(all: &'s [Seen], whole: &[Seen], what: &str) -> &'s Seen {
    let Some((last, read)) = all.split_last() else { panic!("nothing at all: {what}") };
    assert!(read.len() < whole.len() + 1, "{what}");
    for (ours, whole) in read.iter().zip(whole) {
        assert!(ours == whole, "{what}");
    }
    assert_eq!(last.kind, Kind::Whole, "{what}");
    assert!(last.error.is_some() && last.offset.is_some(), "{what}");
    last
}

#[test]
fn truncated_lz4() {
    let text = lines(100);
    let file = lz4(&[text.as_bytes()]);
    let whole = seen(LINES, &file);
    assert_eq!(whole.len(), 100);
    assert!(whole.iter().all(|seen| seen.error.is_none()));
    let mut most = 0;
    for cut in (1..file.len()).step_by(997).chain(file.len() - 8..file.len()) {
        let all = seen(LINES, &file[..cut]);
        let error = ends_with_one_error(&all, &whole, &format!("{cut} bytes"));
        assert_eq!(error.offset, Some(cut as u64));
        let message = error.error.as_deref().unwrap();
        assert!(message.starts_with("E-CAN: the file ends inside its LZ4 data; "), "{cut}: {message}");
        assert!(message.contains(&format!("{} line", all.len() - 1)), "{cut}: {message}");
        assert!(all.len() >= most, "more of the file, and less of it is read");
        most = all.len();
    }
    assert_eq!(most, 101, "all lines are read before the end is missed");
    let empty = seen(LINES, b"");
    assert_eq!(empty[0].error.as_deref(), Some("E-CAN: the file is empty; expected LZ4 data; 0 lines were read"));
}

#[test]
fn damaged_lz4() {
    let text = lines(100);
    let file = lz4(&[text.as_bytes()]);
    let whole = seen(LINES, &file);
    for at in (0..file.len()).step_by(991).chain(0..8) {
        let mut spoiled = file.clone();
        spoiled[at] ^= 0x10;
        let all = seen(LINES, &spoiled);
        let error = ends_with_one_error(&all, &whole, &format!("byte {at}"));
        let (from, to) = (error.offset.unwrap(), at as u64);
        // The checksum of a block is verified after it was read.
        assert!(from.abs_diff(to) < 2 * (64 << 10), "{at}: {error:?}");
    }
}

#[test]
fn lz4_in_pieces() {
    let text = lines(60);
    let whole = seen(LINES, &lz4(&[text.as_bytes()]));
    let (first, second) = text.as_bytes().split_at(70_001);
    let frames = lz4(&[first, b"", second]);
    assert!(seen(LINES, &frames) == whole);
    // Skippable frames.
    let skippable = |kind: u8, content: &[u8]| {
        [&[0x50 | kind, 0x2a, 0x4d, 0x18], &u32::try_from(content.len()).unwrap().to_le_bytes()[..], content].concat()
    };
    let [first, second] = [lz4(&[first]), lz4(&[second])];
    let mixed =
        [skippable(0, b""), first.clone(), skippable(15, &[b'x'; 100_000]), second.clone(), skippable(7, b"end")];
    assert!(seen(LINES, &mixed.concat()) == whole);
    // A file truncated between frames has no error, only an incomplete line.
    let all = seen(LINES, &first);
    assert!(all.iter().all(|seen| seen.error.is_none()));
    assert_eq!(
        all.last().unwrap().text.len(),
        70_001 - all[..all.len() - 1].iter().map(|seen| seen.text.len()).sum::<usize>()
    );
    for cut in [first.len() + 3, first.len() + 7, first.len() + 5000] {
        let all = seen(LINES, &mixed[1..].concat()[..cut]);
        let error = ends_with_one_error(&all, &whole, "between frames");
        assert_eq!(error.offset, Some(cut as u64));
    }
    let all = seen(LINES, &[&*first, b"something else"].concat());
    let error = ends_with_one_error(&all, &whole, "something else behind");
    assert!(error.error.as_deref().unwrap().contains("invalid LZ4 data"), "{error:?}");
}

#[test]
fn a_postcan_in_gzip_members() {
    let bodies: Vec<_> = (0..40).map(|n| post(&format!("{{\"n\":\"{}\"}}", noise(2000, n)))).collect();
    let names: Vec<_> = (0..40).map(member).collect();
    let members: Vec<_> = names.iter().zip(&bodies).map(|(name, body)| (&**name, &**body)).collect();
    let archive = tar(&members);
    let whole = seen(POSTCAN, &gzip(&archive));
    assert_eq!(whole.len(), 40);
    for (seen, (name, body)) in whole.iter().zip(&members) {
        assert_eq!((seen.member.as_deref(), &*seen.text), (Some(*name), body.as_bytes()));
    }
    // Wherever a gzip member ends: in a header, in content, or in padding.
    for size in [100, 513, 5000, 70_000] {
        let pieces: Vec<u8> = archive.chunks(size).flat_map(gzip).collect();
        assert!(seen(POSTCAN, &pieces) == whole, "{size}");
    }
    let file = gzip(&archive);
    for cut in (1..file.len()).step_by(1009) {
        let all = seen(POSTCAN, &file[..cut]);
        let error = ends_with_one_error(&all, &whole, &format!("{cut} bytes"));
        assert_eq!(error.offset, Some(cut as u64));
        assert!(error.error.as_deref().unwrap().starts_with("E-CAN: the file ends inside its gzip data"), "{error:?}");
        if let Some(member) = &error.member {
            assert_eq!(*member, names[all.len() - 1], "the one that is lost");
        }
    }
}

const REPORT: &str = "---\ntest_name: ndt\nprobe_cc: IT\nprobe_asn: AS1\nsoftware_name: o\nsoftware_version: '1'\n\
                      start_time: 1400000000.0\ntest_version: '1'\n...\n---\na: 1\n...\n---\nb: 1\n...\n";

/// Lines, a report, other files, a last line without a line feed, and a member that is larger than a chunk.
fn reports() -> (Vec<u8>, Vec<(&'static str, u64)>) {
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, "d/a.json", lines(3).as_bytes());
    append(&mut builder, "d/index.html", b"<html>");
    append(&mut builder, "d/b.yaml", REPORT.as_bytes());
    append(&mut builder, "d/c.json", lines(2).trim_end().as_bytes());
    append(&mut builder, "d/d.json", lines(1500).as_bytes());
    append(&mut builder, "d/e.json", b"");
    append(&mut builder, "d/f.json", lines(1).as_bytes());
    (
        builder.into_inner().unwrap(),
        vec![("d/a.json", 3), ("d/b.yaml", 2), ("d/c.json", 2), ("d/d.json", 1500), ("d/f.json", 1)],
    )
}

#[test]
fn an_archive_of_reports() {
    let (archive, expected) = reports();
    assert!(archive.len() > 4 * TARGET);
    let all = seen(REPORTS, &lz4(&[&archive]));
    let mut rest = &*all;
    for (name, number) in expected {
        let (these, others) = rest.split_at(number as usize);
        for (seen, number) in these.iter().zip(1..) {
            assert_eq!((seen.member.as_deref(), seen.number, &seen.error), (Some(name), number, &None));
            let at = seen.offset.unwrap() as usize;
            let is_there = name.ends_with(".yaml") || archive[at..].starts_with(&seen.text);
            assert!(is_there, "{name}, {number}, byte {at}");
            assert!(seen.text.ends_with(b"\n") || (name, number) == ("d/c.json", 2) || name == "d/b.yaml");
        }
        rest = others;
    }
    assert!(rest.is_empty());
    assert!(all.iter().zip(0..).all(|(seen, index)| seen.index == index), "counted through all members");
}

#[test]
fn a_line_beyond_the_limit_inside_a_member() {
    let long = noise(3 * TARGET, 1);
    let content = format!("{GOOD}\n{long}\n{GOOD}\n{long}");
    let archive = tar(&[("d/a.json", &content), ("d/b.json", &format!("{GOOD}\n"))]);
    let limits = Limits { measurement_size: 10_000, ..Limits::default() };
    let all = seen_within(REPORTS, &lz4(&[&archive]), &limits);
    let errors: Vec<_> = all.iter().map(|seen| seen.error.as_deref().unwrap_or_default()).collect();
    let beyond = |bytes: usize| format!("E-LIMIT: a line of {bytes} bytes, beyond the limit of 10000");
    assert_eq!(errors, ["", &beyond(long.len() + 1), "", &beyond(long.len()), ""]);
    let at: Vec<_> = all[..4].iter().map(|seen| seen.offset.unwrap() as usize - 512).collect();
    let line = GOOD.len() + 1;
    assert_eq!(at, [0, line, line + long.len() + 1, 2 * line + long.len() + 1]);
    assert_eq!(all[4].member.as_deref(), Some("d/b.json"));
}

#[test]
fn truncated_archives() {
    let (archive, _) = reports();
    let whole = seen(REPORTS, &lz4(&[&archive]));
    for cut in (1..12_000).step_by(251).chain((12_000..archive.len() - 1024).step_by(399_989)) {
        let all = seen(REPORTS, &lz4(&[&archive[..cut]]));
        let is_between = all.iter().all(|seen| seen.kind != Kind::Whole);
        if is_between {
            // The last line of a member may lack its line feed.
            assert!(all.len() <= whole.len(), "{cut}");
            assert!(all.iter().zip(&whole).all(|(ours, whole)| ours == whole), "{cut}");
            continue;
        }
        let errors: Vec<_> = all.iter().filter(|seen| seen.kind == Kind::Whole).collect();
        assert_eq!(errors.len(), 1, "{cut}: {errors:?}");
        let error = ends_with_one_error(&all, &whole, &format!("{cut} bytes"));
        assert!(error.error.as_deref().unwrap().contains("the archive ends inside"), "{error:?}");
        let at = error.offset.unwrap();
        assert!(at <= cut as u64 && at + 8192 > cut as u64, "{cut}: {error:?}");
    }
}

/// Measurements that contain a uid, so that lines have one.
fn documents(number: u32) -> Vec<String> {
    (0..number).map(|n| format!("{{\"n\":{n},{}", &GOOD[1..])).collect()
}

fn legacy_lz4(text: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(text);
    [&[0x02, 0x21, 0x4c, 0x18], &u32::try_from(block.len()).unwrap().to_le_bytes()[..], &block].concat()
}

/// Every format in every compression under every name: the content decides.
#[test]
fn formats_are_detected_from_the_bytes() {
    let documents = documents(3);
    let lines = documents.iter().map(|document| format!("{document}\n")).collect::<String>();
    let posts: Vec<_> = (0..3).map(|n| (member(n), post(&documents[n as usize]))).collect();
    let postcan = tar(&posts.iter().map(|(name, body)| (&**name, &**body)).collect::<Vec<_>>());
    let reports = tar(&[("d/a.json", &lines)]);
    let pretty = documents[0].replace(',', ",\n  ").replace('{', "{\n  ");
    let with_mark = format!("\u{feff}{lines}");
    let contents: [(&str, &[u8], &[Kind], usize); 6] = [
        ("lines", lines.as_bytes(), &[Kind::Line, Kind::LegacyLine], 3),
        ("lines with a mark", with_mark.as_bytes(), &[Kind::Line, Kind::LegacyLine], 3),
        ("postcan", &postcan, &[Kind::Post], 3),
        ("reports", &reports, &[Kind::LegacyLine], 3),
        ("yaml", REPORT.as_bytes(), &[Kind::Yaml], 2),
        ("document", pretty.as_bytes(), &[Kind::Document], 1),
    ];
    let names = [
        "x.jsonl",
        "x.jsonl.gz",
        "x.json",
        "x.post",
        "x.tar.gz",
        "x.tar.lz4",
        "x.json.lz4",
        "x.yaml.lz4",
        "x.tar",
        "x",
    ];
    for (what, content, kinds, number) in contents {
        let packings = [
            content.to_vec(),
            gzip(content),
            lz4(&[content]),
            legacy_lz4(content),
            gzip(&gzip(content)),
            lz4(&[&gzip(content)]),
            [gzip(&content[..99]), vec![0; 512], gzip(&content[99..]), vec![0; 9]].concat(),
            [legacy_lz4(&content[..99]), lz4(&[&content[99..]])].concat(),
        ];
        for (packing, file) in packings.iter().enumerate() {
            for expected in names.map(Expected::of_name).into_iter().chain([Expected::STDIN]) {
                let can = opened(expected, file, &Limits::default());
                assert_eq!(can.recognition(), Recognition::Recognized, "{what}, {packing}, {expected:?}");
                let all = entries(can);
                assert_eq!(all.len(), number, "{what}, {packing}, {expected:?}: {all:?}");
                for seen in &all {
                    assert!(kinds.contains(&seen.kind), "{what}, {packing}, {expected:?}: {seen:?}");
                    assert_eq!(seen.error, None, "{what}, {packing}, {expected:?}");
                }
            }
        }
    }
    // The byte order mark is not a part of the first line, but counts for offsets.
    let all = seen("x.jsonl", with_mark.as_bytes());
    assert_eq!((&*all[0].text, all[0].offset), (format!("{}\n", documents[0]).as_bytes(), Some(3)));
}

#[test]
fn an_explicit_format() {
    let text = format!("{GOOD}\n{GOOD}\n");
    for file in [text.clone().into_bytes(), gzip(text.as_bytes())] {
        let kinds = |format| {
            let all = entries(opened(Expected::Exactly(format), &file, &Limits::default()));
            all.into_iter().map(|seen| (seen.kind, seen.error.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(kinds(Format::Lines), [(Kind::Line, false); 2]);
        assert_eq!(kinds(Format::Document), [(Kind::Document, false)]);
        assert_eq!(kinds(Format::Postcan), [(Kind::Whole, true)]);
        assert_eq!(kinds(Format::Yaml), [(Kind::Whole, true)]);
        assert_eq!(kinds(Format::Cases), [(Kind::Case, false); 2]);
    }
}

/// Lines in a file named like a document, the first of them longer than the bytes peeked at.
#[test]
fn lines_named_like_a_document() {
    let text = lines(40);
    assert!(text.find('\n').unwrap() > 2000);
    let long = format!("{{\"n\":\"{}\"}}\n{text}", noise(100_000, 7));
    let all = seen("x.json", long.as_bytes());
    assert_eq!((all.len(), all[0].kind, all[40].offset.is_some()), (41, Kind::Line, true));
    let offsets: Vec<_> = all.iter().map(|seen| seen.offset.unwrap() as usize).collect();
    assert!(all.iter().zip(offsets).all(|(seen, offset)| long.as_bytes()[offset..].starts_with(&seen.text)));
    let one = seen("x.json", long.lines().next().unwrap().as_bytes());
    assert_eq!((one.len(), one[0].kind), (1, Kind::Document));
}

#[test]
fn files_without_entries() {
    let recognition = |name: &str, file: &[u8]| {
        let can = opened(Expected::of_name(name), file, &Limits::default());
        (can.recognition(), entries(can).into_iter().map(|seen| seen.error.unwrap_or_default()).collect::<Vec<_>>())
    };
    let unrecognized = |begin: &str| {
        let why = "not a format that can be read (JSON, JSON lines, YAML reports or tar; plain, gzip or LZ4)";
        (Recognition::Unrecognized, vec![format!("E-CAN: {why}: {begin}")])
    };
    let page = b"<!DOCTYPE html>\n<p>404";
    assert_eq!(recognition("x.tar.gz", page), unrecognized("the file begins with \"<!DOCTYPE html>\\n\""));
    assert_eq!(recognition("x.jsonl.gz", b"PK\x03\x04"), unrecognized("the file is a zip archive"));
    assert_eq!(recognition("notes", b"x"), unrecognized("the file begins with \"x\""));
    assert_eq!(recognition("x.tar.gz", &gzip(&[0; 1024])), (Recognition::Empty, vec![]));
    assert_eq!(recognition("x.jsonl.gz", &gzip(b"")), (Recognition::Empty, vec![]));
    assert_eq!(recognition("x.jsonl", b""), (Recognition::Empty, vec![]));
    let empty = "E-CAN: the file is empty; expected gzip data; 0 lines were read".to_owned();
    assert_eq!(recognition("x.jsonl.gz", b""), (Recognition::Unrecognized, vec![empty]));
    let (what, errors) = recognition("x.tar.gz", &gzip(b"damaged")[..12]);
    assert_eq!((what, errors.len()), (Recognition::Unrecognized, 1));
    // With a damaged first header, the name decides.
    let mut archive = tar(&[(&member(1), GOOD)]);
    archive[3] ^= 1;
    let damaged = "E-CAN: not a tar header, or a damaged one, where a member should begin".to_owned();
    assert_eq!(recognition("x.tar.gz", &gzip(&archive)), (Recognition::Unrecognized, vec![damaged]));
}

/// Sparse members, in the old format of GNU tar with a map beyond the header, and in the pax formats: each is an error with
/// the name of the member, and other members are read.
#[test]
fn sparse_members() {
    let block = |bytes: &[u8]| [bytes, &vec![0; bytes.len().next_multiple_of(512) - bytes.len()]].concat();
    let header = |name: &str, kind: u8, size: usize| {
        let mut header = ::tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_entry_type(::tar::EntryType::new(kind));
        header.set_size(size as u64);
        header.set_cksum();
        header
    };
    let mut old = header("d/old.post", b'S', 700);
    old.as_gnu_mut().unwrap().isextended[0] = 1;
    old.set_cksum();
    let extended = |more: u8| [&[b'0'; 504], &[more][..], &[0; 7]].concat();
    let old = [old.as_bytes(), &*extended(1), &extended(0), &block(&[b'x'; 700])].concat();
    let short = [header("d/short.post", b'S', 5).as_bytes(), &*block(b"xxxxx")].concat();
    let record = |text: &str| format!("{} {text}\n", text.len() + 4);
    let records = record("GNU.sparse.major=1") + &record("GNU.sparse.name=d/pax.post");
    let pax = [
        header("d/PaxHeaders/pax.post", b'x', records.len()).as_bytes(),
        &*block(records.as_bytes()),
        header("d/GNUSparseFile.1/pax.post", b'0', 520).as_bytes(),
        &block(&[b'1'; 520]),
    ]
    .concat();
    let bodies = [post(GOOD), post(GOOD)];
    let [one, two] = [0, 1].map(|n| tar(&[(&member(n), &bodies[n as usize])]));
    let one = &one[..one.len() - 1024];
    for name in [POSTCAN, REPORTS] {
        let all = seen(name, &gzip(&[one, &old, &short, &pax, &two].concat()));
        let errors: Vec<_> = all.iter().map(|seen| (seen.member.as_deref(), seen.error.as_deref())).collect();
        let sparse = Some("E-CAN: a sparse member, which cannot be read");
        let names = [member(0), member(1)];
        assert_eq!(
            errors,
            [
                (Some(&*names[0]), None),
                (Some("d/old.post"), sparse),
                (Some("d/short.post"), sparse),
                (Some("d/pax.post"), sparse),
                (Some(&names[1]), None),
            ]
        );
    }
}
