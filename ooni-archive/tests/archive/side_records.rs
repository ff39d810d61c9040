//! Side records of postcan members.

use ooni_archive::can::{Can, CanName, Expected};
use ooni_archive::chunk::{Chunk, ReadStatus};
use ooni_archive::limits::Limits;
use ooni_archive::side::{IS_VERIFIED, MAX_REPORT_ID, REPORT_ID};
use ooni_core::measurement::{IsVerified, SideRecord};
use ooni_testkit::files::{GOOD, append, append_with_records, gzip, member, post};
use std::io::Cursor;
use tar::Builder;

/// The member, error and side record of each entry.
type Seen = Vec<(Option<String>, Option<String>, SideRecord<'static>)>;

fn seen(name: &str, archive: Vec<u8>, target: usize) -> Seen {
    let bytes = Box::new(Cursor::new(gzip(&archive)));
    let mut can = Can::open(Expected::of_name(name), bytes, &CanName::default(), &Limits::default());
    let (mut chunk, mut all) = (Chunk::new(target), Vec::new());
    loop {
        let filled = can.fill(&mut chunk);
        if chunk.needs_growth() {
            chunk.allow_growth();
            continue;
        }
        all.extend(chunk.entries().iter().map(|entry| {
            let member = chunk.member(entry).map(|name| String::from_utf8_lossy(name).into_owned());
            (member, entry.error.as_ref().map(ToString::to_string), entry.side().clone())
        }));
        chunk.clear();
        if filled == ReadStatus::End {
            return all;
        }
    }
}

fn postcan(build: impl FnOnce(&mut Builder<Vec<u8>>)) -> Seen {
    let mut builder = Builder::new(Vec::new());
    build(&mut builder);
    seen("x.tar.gz", builder.into_inner().unwrap(), 1 << 18)
}

fn side(report_id: Option<&str>, is_verified: Option<IsVerified>) -> SideRecord<'static> {
    SideRecord { report_id: report_id.map(|id| id.to_owned().into()), is_verified }
}

#[test]
fn each_member_has_its_own() {
    let id = |number: u32| format!("20240102T030405Z_dash_IT_1_n1_{number:016}");
    let mut builder = Builder::new(Vec::new());
    let mut expected = Vec::new();
    for number in 0..300 {
        let (name, body) = (member(number), post(GOOD));
        let letter = IsVerified::ALL[number as usize % 3];
        let report_id = id(number);
        let records = [(REPORT_ID, report_id.as_bytes()), (IS_VERIFIED, letter.as_str().as_bytes())];
        let (records, side) = match number % 4 {
            0 => (&records[..], side(Some(&report_id), Some(letter))),
            1 => (&records[..1], side(Some(&report_id), None)),
            2 => (&records[1..], side(None, Some(letter))),
            _ => (&[][..], SideRecord::EMPTY),
        };
        match records {
            [] => append(&mut builder, &name, body.as_bytes()),
            records => append_with_records(&mut builder, records, &name, body.as_bytes()),
        }
        expected.push((Some(name), None, side));
    }
    let archive = builder.into_inner().unwrap();
    // In small chunks, headers and contents are often in different chunks.
    for target in [1 << 9, 1 << 12, 1 << 18] {
        assert!(seen("x.tar.gz", archive.clone(), target) == expected, "{target}");
    }
}

/// A member with a record that is not valid is an error, so that it is not stored with another report id.
#[test]
fn invalid_records() {
    let long = "r".repeat(MAX_REPORT_ID + 1);
    for (keyword, value) in [
        (REPORT_ID, &b""[..]),
        (REPORT_ID, long.as_bytes()),
        (REPORT_ID, b"a\xffb"),
        (REPORT_ID, b"a\nb"),
        (REPORT_ID, b"a\0b"),
        (IS_VERIFIED, b""),
        (IS_VERIFIED, b"T"),
        (IS_VERIFIED, b"true"),
    ] {
        // The name is in the same header.
        let records = [(keyword, value), ("path", b"d/a-name.post")];
        let all = postcan(|builder| {
            append_with_records(builder, &records, "x", post(GOOD).as_bytes());
            append_with_records(builder, &[(IS_VERIFIED, b"t")], &member(1), post(GOOD).as_bytes());
        });
        let error = format!("E-CAN: an invalid record {keyword}");
        let verified = side(None, Some(IsVerified::Verified));
        let expected =
            [(Some("d/a-name.post".to_owned()), Some(error), SideRecord::EMPTY), (Some(member(1)), None, verified)];
        assert_eq!(all, expected);
    }
    let longest = &long[..MAX_REPORT_ID];
    for value in [longest, "é/\\\" x=y"] {
        let records = [(REPORT_ID, value.as_bytes())];
        let all = postcan(|builder| append_with_records(builder, &records, &member(0), b"{}"));
        assert_eq!(all, [(Some(member(0)), None, side(Some(value), None))]);
    }
}

#[test]
fn other_records_and_other_members() {
    let ours = (REPORT_ID, &b"R"[..]);
    let other = [("OONI.unknown", &b"x"[..]), ("comment", b"OONI.report_id=S"), ("ooni.report_id", b"S"), ours];
    let all = postcan(|builder| {
        append_with_records(builder, &other, &member(0), b"{}");
        // The record of a member that is not a POST body is not that of the next one.
        append_with_records(builder, &[ours], "d/readme", b"x");
        append(builder, &member(1), b"{}");
        // Of two headers the later one counts.
        builder.append_pax_extensions([ours, (IS_VERIFIED, b"f")]).unwrap();
        append_with_records(builder, &[(REPORT_ID, b"S")], &member(2), b"{}");
    });
    let sides: Vec<_> = all.into_iter().map(|(name, _, side)| (name.unwrap(), side)).collect();
    let expected = [
        (member(0), side(Some("R"), None)),
        ("d/readme".to_owned(), SideRecord::EMPTY),
        (member(1), SideRecord::EMPTY),
        (member(2), side(Some("S"), Some(IsVerified::Failed))),
    ];
    assert_eq!(sides, expected);
}
