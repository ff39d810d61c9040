//! Containers that are in pieces, cut or spoiled: what can be read is read, then one error says where it ended.
//!
//! `OONI_CAN_MEGABYTES` is how large the cans are that have to be read in little memory.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests

mod support;

use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use ooni_archive::can::{Can, Filled, Format, Report};
use ooni_archive::chunk::{Chunk, Kind, TARGET};
use ooni_archive::limits::Limits;
use std::io::{Cursor, Write};
use std::path::Path;
use support::{Files, GOOD, append, bounded, gzip, member, post, tar, uid};

/// What is read of a can, or stands in its place.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    kind: Kind,
    text: Vec<u8>,
    member: Option<String>,
    number: u64,
    place: u64,
    at: Option<u64>,
    trouble: Option<String>,
}

fn seen_within(format: Format, file: &[u8], limits: &Limits) -> Vec<Seen> {
    let report = Report::of_path(Path::new("canned/2020-01-02/x.lz4"));
    let mut can = Can::open(format, Box::new(Cursor::new(file.to_vec())), &report, limits).unwrap();
    let (mut chunk, mut all) = (Chunk::new(TARGET / 4), Vec::new());
    loop {
        let filled = can.fill(&mut chunk);
        if chunk.is_cramped() {
            chunk.let_grow();
            continue;
        }
        all.extend(chunk.entries().iter().map(|entry| Seen {
            kind: entry.kind,
            text: chunk.text(entry).to_vec(),
            member: chunk.member(entry).map(|name| String::from_utf8_lossy(name).into_owned()),
            number: entry.at.number,
            place: entry.at.place,
            at: entry.at.at,
            trouble: entry.trouble.as_ref().map(|error| error.to_string()),
        }));
        chunk.clear();
        if filled == Filled::Done {
            return all;
        }
    }
}

fn seen(format: Format, file: &[u8]) -> Vec<Seen> {
    seen_within(format, file, &Limits::default())
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

/// Text that does not pack well.
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

/// Of a file that is cut or spoiled: some of the entries of the whole, then one error.
fn ends_with_one_error<'s>(all: &'s [Seen], whole: &[Seen], what: &str) -> &'s Seen {
    let Some((last, read)) = all.split_last() else { panic!("nothing at all: {what}") };
    assert!(read.len() < whole.len() + 1, "{what}");
    for (ours, whole) in read.iter().zip(whole) {
        assert!(ours == whole, "{what}");
    }
    assert_eq!(last.kind, Kind::Whole, "{what}");
    assert!(last.trouble.is_some() && last.at.is_some(), "{what}");
    last
}

#[test]
fn lz4_that_is_cut() {
    let text = lines(100);
    let file = lz4(&[text.as_bytes()]);
    let whole = seen(Format::LinesLz4, &file);
    assert_eq!(whole.len(), 100);
    assert!(whole.iter().all(|seen| seen.trouble.is_none()));
    let mut most = 0;
    for cut in (1..file.len()).step_by(997).chain(file.len() - 8..file.len()) {
        let all = seen(Format::LinesLz4, &file[..cut]);
        let error = ends_with_one_error(&all, &whole, &format!("{cut} bytes"));
        assert_eq!(error.at, Some(cut as u64));
        let said = error.trouble.as_deref().unwrap();
        assert!(said.starts_with("E-CAN: the file ends inside its LZ4 data; "), "{cut}: {said}");
        assert!(said.contains(&format!("{} line", all.len() - 1)), "{cut}: {said}");
        assert!(all.len() >= most, "more of the file, and less of it is read");
        most = all.len();
    }
    assert_eq!(most, 101, "all lines are read before the end is missed");
    let empty = seen(Format::LinesLz4, b"");
    assert_eq!(empty[0].trouble.as_deref(), Some("E-CAN: the file is empty where LZ4 should be; 0 lines were read"));
}

#[test]
fn lz4_that_is_spoiled() {
    let text = lines(100);
    let file = lz4(&[text.as_bytes()]);
    let whole = seen(Format::LinesLz4, &file);
    for at in (0..file.len()).step_by(991).chain(0..8) {
        let mut spoiled = file.clone();
        spoiled[at] ^= 0x10;
        let all = seen(Format::LinesLz4, &spoiled);
        let error = ends_with_one_error(&all, &whole, &format!("byte {at}"));
        let (from, to) = (error.at.unwrap(), at as u64);
        // A block is checked when it has been read.
        assert!(from.abs_diff(to) < 2 * (64 << 10), "{at}: {error:?}");
    }
}

#[test]
fn lz4_in_pieces() {
    let text = lines(60);
    let whole = seen(Format::LinesLz4, &lz4(&[text.as_bytes()]));
    let (first, second) = text.as_bytes().split_at(70_001);
    let frames = lz4(&[first, b"", second]);
    assert!(seen(Format::LinesLz4, &frames) == whole);
    // Frames that hold something else.
    let skippable = |kind: u8, content: &[u8]| {
        [&[0x50 | kind, 0x2a, 0x4d, 0x18], &u32::try_from(content.len()).unwrap().to_le_bytes()[..], content].concat()
    };
    let [first, second] = [lz4(&[first]), lz4(&[second])];
    let mixed =
        [skippable(0, b""), first.clone(), skippable(15, &[b'x'; 100_000]), second.clone(), skippable(7, b"end")];
    assert!(seen(Format::LinesLz4, &mixed.concat()) == whole);
    // Cut between frames there is nothing to be seen, but of the line that was begun.
    let all = seen(Format::LinesLz4, &first);
    assert!(all.iter().all(|seen| seen.trouble.is_none()));
    assert_eq!(
        all.last().unwrap().text.len(),
        70_001 - all[..all.len() - 1].iter().map(|seen| seen.text.len()).sum::<usize>()
    );
    for cut in [first.len() + 3, first.len() + 7, first.len() + 5000] {
        let all = seen(Format::LinesLz4, &mixed[1..].concat()[..cut]);
        let error = ends_with_one_error(&all, &whole, "between frames");
        assert_eq!(error.at, Some(cut as u64));
    }
    let all = seen(Format::LinesLz4, &[&*first, b"something else"].concat());
    let error = ends_with_one_error(&all, &whole, "something else behind");
    assert!(error.trouble.as_deref().unwrap().contains("not sound LZ4 data"), "{error:?}");
}

#[test]
fn a_postcan_in_gzip_members() {
    let bodies: Vec<_> = (0..40).map(|n| post(&format!("{{\"n\":\"{}\"}}", noise(2000, n)))).collect();
    let names: Vec<_> = (0..40).map(member).collect();
    let members: Vec<_> = names.iter().zip(&bodies).map(|(name, body)| (&**name, &**body)).collect();
    let archive = tar(&members);
    let whole = seen(Format::Postcan, &gzip(&archive));
    assert_eq!(whole.len(), 40);
    for (seen, (name, body)) in whole.iter().zip(&members) {
        assert_eq!((seen.member.as_deref(), &*seen.text), (Some(*name), body.as_bytes()));
    }
    // Wherever one gzip member ends: in a header, in a content, in what fills up a block.
    for size in [100, 513, 5000, 70_000] {
        let pieces: Vec<u8> = archive.chunks(size).flat_map(gzip).collect();
        assert!(seen(Format::Postcan, &pieces) == whole, "{size}");
    }
    let file = gzip(&archive);
    for cut in (1..file.len()).step_by(1009) {
        let all = seen(Format::Postcan, &file[..cut]);
        let error = ends_with_one_error(&all, &whole, &format!("{cut} bytes"));
        assert_eq!(error.at, Some(cut as u64));
        assert!(
            error.trouble.as_deref().unwrap().starts_with("E-CAN: the file ends inside its gzip data"),
            "{error:?}"
        );
        if let Some(member) = &error.member {
            assert_eq!(*member, names[all.len() - 1], "the one that is lost");
        }
    }
}

const REPORT: &str = "---\ntest_name: ndt\nprobe_cc: IT\nprobe_asn: AS1\nsoftware_name: o\nsoftware_version: '1'\n\
                      start_time: 1400000000.0\ntest_version: '1'\n...\n---\na: 1\n...\n---\nb: 1\n...\n";

/// Lines, a report, other files, a last line without line end, and a member that is larger than a chunk.
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
    let all = seen(Format::Reports, &lz4(&[&archive]));
    let mut rest = &*all;
    for (name, number) in expected {
        let (these, others) = rest.split_at(number as usize);
        for (seen, number) in these.iter().zip(1..) {
            assert_eq!((seen.member.as_deref(), seen.number, &seen.trouble), (Some(name), number, &None));
            let at = seen.at.unwrap() as usize;
            let is_there = name.ends_with(".yaml") || archive[at..].starts_with(&seen.text);
            assert!(is_there, "{name}, {number}, byte {at}");
            assert!(seen.text.ends_with(b"\n") || (name, number) == ("d/c.json", 2) || name == "d/b.yaml");
        }
        rest = others;
    }
    assert!(rest.is_empty());
    assert!(all.iter().zip(0..).all(|(seen, place)| seen.place == place), "counted through all members");
}

#[test]
fn a_line_beyond_the_limit_inside_a_member() {
    let long = noise(3 * TARGET, 1);
    let content = format!("{GOOD}\n{long}\n{GOOD}\n{long}");
    let archive = tar(&[("d/a.json", &content), ("d/b.json", &format!("{GOOD}\n"))]);
    let limits = Limits { measurement_size: 10_000, ..Limits::default() };
    let all = seen_within(Format::Reports, &lz4(&[&archive]), &limits);
    let troubles: Vec<_> = all.iter().map(|seen| seen.trouble.as_deref().unwrap_or_default()).collect();
    let beyond = |bytes: usize| format!("E-LIMIT: a line of {bytes} bytes, beyond the limit of 10000");
    assert_eq!(troubles, ["", &beyond(long.len() + 1), "", &beyond(long.len()), ""]);
    let at: Vec<_> = all[..4].iter().map(|seen| seen.at.unwrap() as usize - 512).collect();
    let line = GOOD.len() + 1;
    assert_eq!(at, [0, line, line + long.len() + 1, 2 * line + long.len() + 1]);
    assert_eq!(all[4].member.as_deref(), Some("d/b.json"));
}

#[test]
fn archives_that_are_cut() {
    let (archive, _) = reports();
    let whole = seen(Format::Reports, &lz4(&[&archive]));
    for cut in (1..12_000).step_by(251).chain((12_000..archive.len() - 1024).step_by(399_989)) {
        let all = seen(Format::Reports, &lz4(&[&archive[..cut]]));
        let is_between = all.iter().all(|seen| seen.kind != Kind::Whole);
        if is_between {
            // The last line of a member may be without its end; so may a member that ends where it should.
            assert!(all.len() <= whole.len(), "{cut}");
            assert!(all.iter().zip(&whole).all(|(ours, whole)| ours == whole), "{cut}");
            continue;
        }
        let errors: Vec<_> = all.iter().filter(|seen| seen.kind == Kind::Whole).collect();
        assert_eq!(errors.len(), 1, "{cut}: {errors:?}");
        let error = ends_with_one_error(&all, &whole, &format!("{cut} bytes"));
        assert!(error.trouble.as_deref().unwrap().contains("the archive ends inside"), "{error:?}");
        let at = error.at.unwrap();
        assert!(at <= cut as u64 && at + 8192 > cut as u64, "{cut}: {error:?}");
    }
}

/// Whether a can of so many megabytes is read in little memory, however it is packed.
#[test]
fn a_large_can_needs_little_memory() {
    let megabytes: usize = std::env::var("OONI_CAN_MEGABYTES").map_or(128, |text| text.parse().unwrap());
    // Of address space, which is more than what is used; threads have much of it without use.
    let bounds: &[(&str, u32)] = if megabytes < 500 { &[("1", 100)] } else { &[("1", 500), ("2", 500)] };
    let line = format!("{{\"n\":\"{}\",{}\n", noise(200_000, 1), &GOOD[1..]);
    let number = (megabytes << 20) / line.len();
    let files = Files::new();
    for name in ["a.jsonl.gz", "a.tar.gz", "a.json.lz4", "a.tar.lz4"] {
        let path = files.path(name);
        let file = std::fs::File::create(&path).unwrap();
        let mut packed: Box<dyn Write> = match name.ends_with(".gz") {
            true => Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast())),
            false => Box::new(FrameEncoder::new(file).auto_finish()),
        };
        let post = post(&line);
        match name {
            "a.tar.gz" => (0..number as u32).for_each(|n| {
                let member = tar(&[(&format!("d/{}.post", uid(n)), &post)]);
                packed.write_all(&member[..512 + post.len().next_multiple_of(512)]).unwrap();
            }),
            "a.tar.lz4" => {
                let mut header = tar::Header::new_gnu();
                header.set_path("d/a.json").unwrap();
                header.set_size((number * line.len()) as u64);
                header.set_cksum();
                packed.write_all(header.as_bytes()).unwrap();
                (0..number).for_each(|_| packed.write_all(line.as_bytes()).unwrap());
                packed
                    .write_all(&vec![0; (number * line.len()).next_multiple_of(512) - number * line.len() + 1024])
                    .unwrap();
            }
            _ => (0..number).for_each(|_| packed.write_all(line.as_bytes()).unwrap()),
        }
        drop(packed);
        for (jobs, most) in bounds {
            let ran = bounded(*most, ["score", "--format", "csv", "--jobs", jobs, path.to_str().unwrap()]);
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.err);
            assert_eq!(ran.text().lines().count(), number + 1, "{name}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
