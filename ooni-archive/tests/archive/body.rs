//! Bodies by their location, from folders and from a server.

use super::*;
use crate::store::run;
use crate::writer::{lines, postcan, uid};
use flate2::Compression;
use flate2::write::GzEncoder;
use ooni_archive::body::{Body, BodyError, LineMember, MemberIndex};
use ooni_archive::chunk::Kind;
use ooni_archive::source::archive::Archive;

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
    String::from_utf8(body.text.to_vec()).unwrap()
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
    assert_eq!(
        String::from_utf8(body.text.to_vec()).unwrap(),
        format!("{{\"format\":\"json\",\"content\":{}}}", line(3))
    );
}

fn async_local(bucket: &Bucket) -> Archive {
    Archive::open(vec![Location::Directory(bucket.path())], wanted(&[], &[]), Options::default()).unwrap()
}

fn async_remote(server: &Server) -> Archive {
    Archive::open(vec![location(server, "")], wanted(&[], &[]), quick()).unwrap()
}

#[test]
fn by_the_member_of_a_line() {
    let texts: Vec<_> = (0..5000).map(|number| line(number).replace(',', ",\n")).collect();
    let expected =
        |number: usize| Body { kind: Kind::Line, text: texts[number].replace('\n', " ").into_bytes().into() };
    let (file, written) = lines(texts.iter().map(|text| Some(text.as_bytes())));
    let bucket = Bucket::new(&[]);
    store(&bucket, LINES, &file);
    let server = bucket.serve(Plan::default());
    let end = *written.members.last().unwrap();
    assert!(end.offset > 0);
    for archive in [async_local(&bucket), async_remote(&server)] {
        run(async {
            for number in [0, 1, 2500, 4998, 4999] {
                let before = server.objects().len();
                let member = written.members[number];
                assert_eq!(archive.line(LINES, number as u64, Some(member)).await.unwrap(), expected(number));
                let asked = server.objects().split_off(before);
                let range = format!("bytes={}-{}", member.offset, member.offset + member.length - 1);
                assert!(asked.len() <= 1 && asked.iter().all(|asked| asked.range.as_deref() == Some(&range)));
                assert_eq!(archive.line(LINES, number as u64, None).await.unwrap(), expected(number));
            }
            // Of another version of the file: the number is right.
            for other in [
                LineMember { offset: 1, ..end },
                LineMember { length: end.length + 1, ..end },
                LineMember { length: end.length - 1, ..end },
                LineMember { length: 0, ..end },
                LineMember { offset: u64::MAX, ..end },
                LineMember { line: 1 << 40, ..end },
            ] {
                assert_eq!(archive.line(LINES, 4999, Some(other)).await.unwrap(), expected(4999), "{other:?}");
            }
            let missing = archive.line("raw/20210614/00/IT/ndt/x.jsonl.gz", 0, Some(end)).await;
            assert!(matches!(missing, Err(BodyError::NotFound(_))));
        });
    }
    let server = bucket.serve(objects(&[Some(Fault::Status(503)), Some(Fault::Reset(100)), Some(Fault::Stall(1))]));
    run(async {
        assert_eq!(async_remote(&server).line(LINES, 4999, Some(end)).await.unwrap(), expected(4999));
    });
    assert_eq!(server.objects().len(), 4);
    let server = bucket.serve(objects(&[Some(Fault::Status(503)); 20]));
    run(async {
        let error = async_remote(&server).line(LINES, 4999, Some(end)).await.unwrap_err();
        assert!(matches!(error, BodyError::Unavailable(_)), "{error}");
    });
}

const QUARANTINE: &str = "quarantine/20210614/07/JO/signal/2021061407_JO_signal.n1.0.tar.gz";

async fn streamed(archive: &Archive, number: u64) -> Result<Vec<u8>, BodyError> {
    let mut post = archive.post(QUARANTINE, &uid(number)).await?;
    let mut body = Vec::new();
    while let Some(piece) = post.next().await {
        body.extend_from_slice(&piece?);
    }
    assert_eq!(post.size(), body.len() as u64);
    assert!(post.next().await.is_none());
    Ok(body)
}

#[test]
fn one_member_of_a_quarantine_can() {
    // The last one compresses better than the readers of other cans allow.
    let bodies = [b"\0".to_vec(), Vec::new(), content("body", 6 << 20), b"not JSON".to_vec(), vec![0; 80 << 20]];
    let file = postcan(&bodies);
    let bucket = Bucket::new(&[]);
    store(&bucket, QUARANTINE, &file);
    let server = bucket.serve(Plan::default());
    let faulty = bucket.serve(objects(&[Some(Fault::Status(503)), Some(Fault::Reset(1 << 20)), Some(Fault::Stall(9))]));
    for archive in [async_local(&bucket), async_remote(&server), async_remote(&faulty)] {
        run(async {
            for (number, body) in bodies.iter().enumerate() {
                assert!(streamed(&archive, number as u64).await.unwrap() == *body, "body {number}");
            }
            let missing = archive.post(QUARANTINE, "other").await.unwrap_err();
            assert!(matches!(&missing, BodyError::NotFound(why) if why.contains("other.post")), "{missing}");
            let missing = archive.post("quarantine/x.tar.gz", "other").await.unwrap_err();
            assert!(matches!(&missing, BodyError::NotFound(why) if why.contains("x.tar.gz")), "{missing}");
            assert!(matches!(archive.post("../x.tar.gz", "other").await, Err(BodyError::NotFound(_))));
            // A stream that is not read to its end stops the download.
            let mut post = archive.post(QUARANTINE, &uid(2)).await.unwrap();
            assert!(post.next().await.unwrap().unwrap().len() < 1 << 20);
        });
    }
}

#[test]
fn a_damaged_quarantine_can() {
    let bodies = [content("small", 1000), content("large", 3 << 20)];
    let file = postcan(&bodies);
    let bucket = Bucket::new(&[]);
    store(&bucket, QUARANTINE, &file[..file.len() / 2]);
    let server = bucket.serve(Plan::default());
    for archive in [async_local(&bucket), async_remote(&server)] {
        run(async {
            assert!(streamed(&archive, 0).await.unwrap() == bodies[0]);
            for number in [1, 2] {
                let error = streamed(&archive, number).await.unwrap_err();
                let is_invalid = matches!(&error, BodyError::Invalid(why) if why.contains(QUARANTINE));
                assert!(is_invalid, "{number}: {error}");
            }
        });
    }
    store(&bucket, QUARANTINE, &file);
    let server = bucket.serve(objects(&[&[Some(Fault::Reset(1 << 20))][..], &[Some(Fault::Status(503)); 20]].concat()));
    run(async {
        let error = streamed(&async_remote(&server), 1).await.unwrap_err();
        assert!(matches!(&error, BodyError::Unavailable(why) if why.contains("503")), "{error}");
    });
}
