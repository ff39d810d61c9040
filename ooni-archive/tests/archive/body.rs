//! Bodies by their location, from folders and from a server.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use ooni_archive::body::{BodyError, MemberIndex};
use ooni_archive::chunk::Kind;

const LINES: &str = "raw/20210614/00/IT/ndt/2021061400_IT_ndt.n1.0.jsonl.gz";

fn line(number: u64) -> String {
    format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat((number % 7 * 100) as usize))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A file of so many members with ten lines each.
fn file(members: u64) -> Vec<u8> {
    let text = |member: u64| (0..10).map(|number| line(member * 10 + number) + "\n").collect::<String>();
    (0..members).flat_map(|member| gzip(&text(member))).collect()
}

fn store(bucket: &Bucket, key: &str, content: &[u8]) {
    let path = bucket.path().join(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn found(archive: &BlockingArchive, key: &str, number: u64) -> String {
    let body = archive.body(key, number).unwrap();
    assert_eq!(body.kind, Kind::Line);
    String::from_utf8(body.text).unwrap()
}

#[test]
fn by_index_and_by_streaming() {
    let bucket = Bucket::new(&[]);
    let content = file(2000);
    store(&bucket, LINES, &content);
    let server = bucket.serve(Plan::default());
    let archives = [local(&bucket, wanted(&[], &[])), remote(&server, wanted(&[], &[]), quick())];
    for archive in &archives {
        for number in [0, 9, 10, 12_345, 19_999] {
            assert_eq!(found(archive, LINES, number), line(number));
        }
        let missing = archive.body(LINES, 20_000).unwrap_err();
        assert!(matches!(&missing, BodyError::NotFound(why) if why.contains(LINES)), "{missing}");
    }
    // A line near the beginning does not require the whole file.
    assert!(server.sent() > content.len() as u64);
    let index = MemberIndex::build(&*content).unwrap();
    store(&bucket, &MemberIndex::key_of(LINES), index.to_text().as_bytes());
    for archive in &archives {
        for number in [0, 9, 10, 12_345, 19_999] {
            let before = (server.sent(), server.objects().len());
            assert_eq!(found(archive, LINES, number), line(number));
            let sent = server.sent() - before.0;
            assert!(sent < index.to_text().len() as u64 + 1000, "{sent}");
            assert!(server.objects().len() - before.1 <= 2, "the index and the member");
        }
        assert!(matches!(archive.body(LINES, 20_000), Err(BodyError::NotFound(_))));
    }
    let last = server.objects().pop().unwrap();
    assert!(last.range.is_none(), "a number beyond the index is looked for in the file: {last:?}");
}

#[test]
fn an_index_of_another_version() {
    let bucket = Bucket::new(&[]);
    store(&bucket, LINES, &file(20));
    let server = bucket.serve(Plan::default());
    for index in [MemberIndex::build(&*file(10)).unwrap().to_text(), "no index\n".to_owned()] {
        store(&bucket, &MemberIndex::key_of(LINES), index.as_bytes());
        for archive in [local(&bucket, wanted(&[], &[])), remote(&server, wanted(&[], &[]), quick())] {
            assert_eq!(found(&archive, LINES, 55), line(55));
        }
    }
}

#[test]
fn through_faults() {
    let bucket = Bucket::new(&[]);
    store(&bucket, LINES, &file(3000));
    let none = Some(Fault::Status(404));
    for faults in [
        vec![none, Some(Fault::Reset(20_000)), Some(Fault::Status(503)), Some(Fault::NoRange)],
        vec![none, Some(Fault::Stall(10_000)), Some(Fault::OtherRange)],
    ] {
        let server = bucket.serve(objects(&faults));
        let archive = remote(&server, wanted(&[], &[]), quick());
        assert_eq!(found(&archive, LINES, 29_999), line(29_999), "{faults:?}");
    }
    let server = bucket.serve(objects(&[&[none][..], &[Some(Fault::Status(503)); 20]].concat()));
    let error = remote(&server, wanted(&[], &[]), quick()).body(LINES, 0).unwrap_err();
    assert!(matches!(&error, BodyError::Unavailable(why) if why.contains(LINES) && why.contains("503")), "{error}");
}

#[test]
fn missing_and_damaged_files() {
    let bucket = Bucket::new(&[("raw/20210614/00/IT/ndt/notes.txt", 5)]);
    let content = file(20);
    store(&bucket, LINES, &content[..content.len() / 2]);
    let server = bucket.serve(Plan::default());
    for archive in [local(&bucket, wanted(&[], &[])), remote(&server, wanted(&[], &[]), quick())] {
        for key in ["raw/20210614/00/IT/ndt/x.jsonl.gz", "raw/20210614/00/IT/ndt/notes.txt", "", "a/../../x.jsonl.gz"] {
            assert!(matches!(archive.body(key, 0), Err(BodyError::NotFound(_))), "{key}");
        }
        assert_eq!(found(&archive, LINES, 3), line(3));
        let error = archive.body(LINES, 190).unwrap_err();
        assert!(matches!(&error, BodyError::Invalid(why) if why.contains(LINES)), "{error}");
    }
}

#[test]
fn members_of_a_postcan() {
    let bucket = Bucket::new(&[]);
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for number in 0..5 {
        let post = format!("{{\"format\":\"json\",\"content\":{}}}", line(number));
        let mut header = tar::Header::new_gnu();
        header.set_size(post.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(
            &mut header,
            format!("a/2021061400000{number}.000000_IT_ndt_0123456789abcdef.post"),
            post.as_bytes(),
        )
        .unwrap();
    }
    let key = format!("{JO}.tar.gz");
    store(&bucket, &key, &tar.into_inner().unwrap().finish().unwrap());
    let body = local(&bucket, wanted(&[], &[])).body(&key, 3).unwrap();
    assert_eq!(body.kind, Kind::Post);
    assert_eq!(String::from_utf8(body.text).unwrap(), format!("{{\"format\":\"json\",\"content\":{}}}", line(3)));
}
