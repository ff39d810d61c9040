//! Cans that are written, and read by the readers of this crate and by others.

use crate::cans::{entries, opened};
use flate2::read::MultiGzDecoder;
use ooni_archive::can::Expected;
use ooni_archive::chunk::Kind;
use ooni_archive::limits::Limits;
use ooni_archive::side::{IS_VERIFIED, REPORT_ID};
use ooni_archive::writer::{LinesWriter, MEMBER_SIZE, POSTCAN_SIZE, Post, PostcanWriter, WrittenLines};
use proptest::prelude::*;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

const FOLDER: &str = "var/lib/ooniapi/measurements/incoming/2021061407_JO_signal";

/// A file in memory, which is kept after the writer.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a few bytes at a time.
struct Slow<'t>(&'t [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(7);
        self.0.read(&mut into[..length])
    }
}

pub(crate) fn uid(number: u64) -> String {
    format!("20210614070102.{number:06}_JO_signal_{number:016x}")
}

/// Bytes that do not compress well.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A postcan with these bodies.
pub(crate) fn postcan(bodies: &[Vec<u8>]) -> Vec<u8> {
    let out = Memory::default();
    let mut writer = PostcanWriter::new(Box::new(out.clone()), FOLDER);
    for (number, body) in bodies.iter().enumerate() {
        let uid = uid(number as u64);
        let post = Post { uid: &uid, size: body.len() as u64, ..Post::default() };
        writer.append(&post, &mut &body[..]).unwrap();
    }
    assert_eq!(writer.members(), bodies.len() as u64);
    assert_eq!(writer.finish().unwrap(), out.bytes().len() as u64);
    out.bytes()
}

/// A file with these lines; `None` is a placeholder.
pub(crate) fn lines<'l>(lines: impl IntoIterator<Item = Option<&'l [u8]>>) -> (Vec<u8>, WrittenLines) {
    let out = Memory::default();
    let mut writer = LinesWriter::new(Box::new(out.clone()));
    for line in lines {
        match line {
            Some(mut line) => writer.append(&mut line).unwrap(),
            None => writer.append_placeholder().unwrap(),
        }
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.size, out.bytes().len() as u64);
    (out.bytes(), written)
}

fn decompressed(gzip: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    #[allow(clippy::disallowed_methods)] // the test knows what it decompresses
    MultiGzDecoder::new(gzip).read_to_end(&mut text).unwrap();
    text
}

#[test]
fn a_postcan_is_read_back() {
    let bodies = [b"{}".to_vec(), Vec::new(), noise(512, 1), noise(511, 2), vec![0; 1025], noise(3 << 20, 3)];
    let file = postcan(&bodies);
    let seen = entries(opened(Expected::of_name("x.tar.gz"), &file, &Limits::default()));
    assert_eq!(seen.len(), bodies.len());
    for (number, (seen, body)) in seen.iter().zip(&bodies).enumerate() {
        let name = format!("{FOLDER}/{}.post", uid(number as u64));
        assert_eq!((seen.kind, seen.member.as_deref(), &seen.error), (Kind::Post, Some(&*name), &None));
        assert!(seen.text == *body, "body {number}");
    }
    let tar = decompressed(&file);
    let mut archive = tar::Archive::new(&tar[..]);
    for (number, member) in archive.entries().unwrap().enumerate() {
        let mut member = member.unwrap();
        let header = member.header();
        assert!(header.as_ustar().is_some());
        assert_eq!((header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0o644, 0, 0));
        assert_eq!(header.mtime().unwrap(), 1_623_654_062, "2021-06-14 07:01:02");
        let mut body = Vec::new();
        member.read_to_end(&mut body).unwrap();
        assert!(body == bodies[number], "body {number}");
    }
    // A header without time and name.
    assert_eq!(file[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
}

#[test]
fn side_records_and_long_names() {
    let out = Memory::default();
    let folder = format!("{FOLDER}/{}", "f".repeat(200));
    let mut writer = PostcanWriter::new(Box::new(out.clone()), &folder);
    let report_id = "20210614T070102Z_signal_JO_8376_n1_0123456789abcdef";
    let uids = ["01202106140123456789abcdef0123456789abcd".to_owned(), uid(1), uid(2)];
    for (uid, (report_id, is_verified)) in
        uids.iter().zip([(None, None), (Some(report_id), None), (Some(report_id), Some("t"))])
    {
        let post = Post { uid, size: 2, report_id, is_verified };
        writer.append(&post, &mut &b"{}"[..]).unwrap();
    }
    writer.finish().unwrap();
    let seen = entries(opened(Expected::of_name("x.tar.gz"), &out.bytes(), &Limits::default()));
    let names: Vec<_> = seen.iter().map(|seen| seen.member.clone().unwrap()).collect();
    assert_eq!(names, uids.clone().map(|uid| format!("{folder}/{uid}.post")));
    assert!(seen.iter().all(|seen| seen.text == b"{}" && seen.error.is_none()));
    let tar = decompressed(&out.bytes());
    let mut archive = tar::Archive::new(&tar[..]);
    let mut all = Vec::new();
    for member in archive.entries().unwrap() {
        let mut member = member.unwrap();
        let records = member.pax_extensions().unwrap().unwrap();
        let records = records.map(|record| {
            let record = record.unwrap();
            (record.key().unwrap().to_owned(), record.value().unwrap().to_owned())
        });
        let records: Vec<_> = records.filter(|(key, _)| key != "path").collect();
        all.push((records, member.header().mtime().unwrap()));
    }
    let record = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let id = record(REPORT_ID, report_id);
    assert_eq!(all[0], (Vec::new(), 0), "a trivial uid has no receive time");
    assert_eq!(all[1].0, std::slice::from_ref(&id));
    assert_eq!(all[2].0, [id, record(IS_VERIFIED, "t")]);
}

#[test]
fn members_that_are_refused() {
    let writer = || PostcanWriter::new(Box::new(Memory::default()), FOLDER);
    let mut refusing = writer();
    let long = "x".repeat(601);
    for uid in ["", "a/b", "a\0b", "a\nb", &long] {
        let post = Post { uid, ..Post::default() };
        assert!(refusing.append(&post, &mut io::empty()).is_err(), "{uid:?}");
    }
    for value in ["a\nb", "\0"] {
        let post = Post { uid: "u", report_id: Some(value), ..Post::default() };
        assert!(refusing.append(&post, &mut io::empty()).unwrap_err().to_string().contains(REPORT_ID));
    }
    let post = Post { uid: "u", size: 3, ..Post::default() };
    assert!(refusing.append(&post, &mut &b"abc"[..]).is_ok(), "nothing was written before");
    assert_eq!(refusing.members(), 1);
    for (body, why) in
        [(&b"ab"[..], "u: the body ends after 2 of 3 bytes"), (b"abcd", "u: the body has more than 3 bytes")]
    {
        let mut writer = writer();
        assert_eq!(writer.append(&post, &mut &*body).unwrap_err().to_string(), why);
        let why = "the file is incomplete after an earlier error";
        assert_eq!(writer.append(&post, &mut &b"abc"[..]).unwrap_err().to_string(), why);
        assert_eq!(writer.finish().unwrap_err().to_string(), why);
    }
}

#[test]
fn postcans_are_cut_by_their_size() {
    let cut = |slow: bool| {
        let out = Memory::default();
        let mut writer = PostcanWriter::new(Box::new(out.clone()), FOLDER);
        while !writer.is_full() {
            assert!(writer.compressed_size() <= POSTCAN_SIZE);
            let (uid, body) = (uid(writer.members()), noise(300_000, writer.members() % 9));
            let post = Post { uid: &uid, size: body.len() as u64, ..Post::default() };
            if slow { writer.append(&post, &mut Slow(&body)) } else { writer.append(&post, &mut &body[..]) }.unwrap();
        }
        let members = writer.members();
        let size = writer.finish().unwrap();
        assert!((POSTCAN_SIZE..POSTCAN_SIZE + 400_000).contains(&size), "{size}");
        (members, out.bytes())
    };
    let (members, bytes) = cut(false);
    assert!(members >= 66, "{members}");
    assert!((members, bytes) == cut(true), "the same members in other pieces");
}

#[test]
fn lines_between_which_nothing_changes() {
    let content = b"{\r\n \"a\":\n1,\"b\":\"\\n\\r\xc3\xa9\"\r}\n";
    let (file, written) = lines([Some(&content[..]), None, Some(b"[]")]);
    let text = b"{   \"a\": 1,\"b\":\"\\n\\r\xc3\xa9\" } \n{}\n[]\n";
    assert_eq!(decompressed(&file), text);
    assert_eq!(written.members.iter().map(|member| member.line).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(written.members.iter().all(|member| (member.offset, member.length) == (0, written.size)));
    assert_eq!(file[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut writer = LinesWriter::new(Box::new(Memory::default()));
    assert!(writer.append(&mut io::empty()).unwrap_err().to_string().contains("empty"));
    assert_eq!(writer.append(&mut &b"{}"[..]).ok(), Some(()), "nothing was written before");
    let (file, written) = lines([]);
    assert_eq!((decompressed(&file), written.members), (Vec::new(), Vec::new()));
    assert!(!file.is_empty(), "an empty member is a gzip file, an empty file is not");
}

/// The content of a gzip member.
fn content(file: &[u8], offset: u64, length: u64) -> Vec<u8> {
    decompressed(&file[offset as usize..(offset + length) as usize])
}

#[test]
fn members_of_about_a_mebibyte() {
    let texts: Vec<_> =
        (0..400).map(|number| noise(if number % 50 == 0 { 2_000_000 } else { 40_000 }, number)).collect();
    let texts: Vec<_> = texts.iter().map(|text| ooni_core::hex::hex(text.iter().copied())).collect();
    let (file, written) = lines(texts.iter().map(|text| Some(text.as_bytes())));
    let mut starts: Vec<_> = written.members.iter().map(|member| (member.offset, member.length)).collect();
    starts.dedup();
    let mut end = 0;
    for (number, (offset, length)) in starts.iter().enumerate() {
        assert_eq!(*offset, end, "members follow one another");
        end += length;
        let size = content(&file, *offset, *length).len() as u64;
        assert!(size >= MEMBER_SIZE || number + 1 == starts.len(), "{size}");
        let last = texts.iter().map(String::len).max().unwrap() as u64;
        assert!(size < MEMBER_SIZE + last + 1, "{size}");
    }
    assert_eq!(end, written.size);
    assert!(starts.len() > 20);
}

/// A line that reaches the size of a member leaves no empty member behind it.
#[test]
fn the_last_line_ends_a_member() {
    let text = vec![b'x'; MEMBER_SIZE as usize - 1];
    let (file, written) = lines([Some(&text[..])]);
    assert_eq!((written.members[0].offset, written.members[0].length), (0, written.size));
    assert_eq!(decompressed(&file).len() as u64, MEMBER_SIZE);
    let (_, written) = lines([Some(&text[1..])]);
    assert_eq!(written.members[0].length, written.size);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_line_is_in_its_member(sizes in proptest::collection::vec((1_usize..200_000, any::<bool>()), 0..40), seed: u64) {
        let texts: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(number, (size, is_text))| is_text.then(|| {
                let mut text = noise(*size, seed ^ number as u64);
                text.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b'\r');
                text
            }))
            .collect();
        let (file, written) = lines(texts.iter().map(Option::as_deref));
        prop_assert_eq!(written.members.len(), texts.len());
        let mut whole = Vec::new();
        for (text, member) in texts.iter().zip(&written.members) {
            let mut expected = text.clone().unwrap_or_else(|| b"{}".to_vec());
            expected.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b' ');
            let content = content(&file, member.offset, member.length);
            let line = content.split(|byte| *byte == b'\n').nth(member.line as usize);
            prop_assert!(line == Some(&expected[..]));
            whole.extend(expected);
            whole.push(b'\n');
        }
        prop_assert!(decompressed(&file) == whole);
        let (again, _) = lines(texts.iter().map(Option::as_deref));
        prop_assert!(file == again);
    }
}
