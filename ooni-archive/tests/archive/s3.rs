//! S3 servers other than Amazon's, and invalid responses.

use super::*;
use ooni_testkit::http_server::{HttpServer, answer, serve};
use std::sync::{Arc, OnceLock};

/// Three cans of one day.
fn cans() -> Vec<(String, Vec<u8>)> {
    [JO, IT, IT_LATER].map(|stem| format!("{stem}.tar.gz")).map(|key| (key.clone(), content(&key, 100))).to_vec()
}

/// The path and the query of a request.
fn target(head: &str) -> (&str, Vec<(&str, String)>) {
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    (path, pairs.map(|(name, value)| (name, value.replace("%2F", "/"))).collect())
}

fn value<'q>(query: &'q [(&str, String)], name: &str) -> &'q str {
    query.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

/// A listing of these keys.
fn listing<'k>(cans: impl Iterator<Item = &'k (String, Vec<u8>)>, more: &str) -> Vec<u8> {
    let contents: String =
        cans.map(|(key, body)| format!("<Contents><Key>{key}</Key><Size>{}</Size></Contents>", body.len())).collect();
    let body = format!("<ListBucketResult>{more}{contents}</ListBucketResult>");
    answer("200 OK", "Content-Type: application/xml\r\n", body.as_bytes())
}

/// The bucket `archive` at this path.
fn bucket(head: &str, under: &str) -> Vec<u8> {
    let (path, query) = target(head);
    let missing = || answer("404 Not Found", "", b"<Error><Code>NoSuchBucket</Code></Error>");
    let Some(key) = path.strip_prefix(under).and_then(|path| path.strip_prefix("/archive/")) else { return missing() };
    let cans = cans();
    if key.is_empty() {
        let prefix = value(&query, "prefix");
        let found = cans.iter().filter(|(key, _)| key.starts_with(prefix));
        return listing(found, "<IsTruncated>false</IsTruncated>");
    }
    cans.iter().find(|(known, _)| known == key).map_or_else(missing, |(_, body)| answer("200 OK", "", body))
}

fn at(endpoint: String) -> BlockingArchive {
    let location = Location::S3 {
        bucket: "archive".to_owned(),
        prefix: String::new(),
        endpoint: Some(endpoint),
        region: Some("us-east-1".to_owned()),
        unsigned: true,
        only: Some(ooni_archive::layout::Layout::Raw),
    };
    BlockingArchive::open(vec![location], wanted(&[], &[]), quick()).unwrap()
}

fn url(server: &HttpServer) -> String {
    format!("http://{}", server.address)
}

fn all_there(archive: &BlockingArchive) {
    let found = all(archive);
    assert_eq!(found.len(), 3);
    for ((key, body), (expected, expected_body)) in found.iter().zip({
        let mut cans = cans();
        cans.sort();
        cans
    }) {
        assert_eq!((key, body.as_ref().ok()), (&expected, Some(&expected_body)));
    }
}

#[test]
fn an_endpoint_with_a_path() {
    let server = serve(|head| bucket(head, "/storage/v1/s3"));
    for slash in ["", "/"] {
        all_there(&at(format!("{}/storage/v1/s3{slash}", url(&server))));
    }
    assert!(server.asked().iter().all(|head| head.starts_with("GET /storage/v1/s3/archive/")));
}

#[test]
fn a_server_with_listings_of_version_1() {
    let server = serve(|head| {
        let (path, query) = target(head);
        if path != "/archive/" {
            return bucket(head, "");
        }
        let mut cans = cans();
        cans.sort();
        cans.retain(|(key, _)| key.starts_with(value(&query, "prefix")) && **key > *value(&query, "marker"));
        let more = format!("<IsTruncated>{}</IsTruncated>", cans.len() > 1);
        listing(cans.iter().take(1), &more)
    });
    all_there(&at(url(&server)));
    assert_eq!(server.asked().iter().filter(|head| head.contains("list-type=2")).count(), 3);
}

#[test]
fn redirects_are_followed() {
    let other = serve(|head| bucket(head, ""));
    let to = other.address.clone();
    let server = serve(move |head| {
        let location = format!("Location: http://{to}{}\r\n", head.split(' ').nth(1).unwrap());
        answer("307 Temporary Redirect", &location, b"<Error><Code>TemporaryRedirect</Code></Error>")
    });
    all_there(&at(url(&server)));
    let own = Arc::new(OnceLock::<String>::new());
    let address = Arc::clone(&own);
    let circle = serve(move |_| {
        let location = format!("Location: http://{}/again\r\n", address.get().unwrap());
        answer("307 Temporary Redirect", &location, b"")
    });
    own.set(circle.address.clone()).unwrap();
    let why = at(url(&circle)).day(day("2021-06-14")).unwrap_err().message;
    assert!(why.contains("too many redirects"), "{why}");
}

#[test]
fn a_bucket_in_another_region() {
    let server = serve(|_| {
        let region = "x-amz-bucket-region: eu-central-1\r\n";
        answer("301 Moved Permanently", region, b"<Error><Code>PermanentRedirect</Code></Error>")
    });
    let why = at(url(&server)).day(day("2021-06-14")).unwrap_err().message;
    assert!(why.contains("another region") && why.contains("eu-central-1"), "{why}");
    assert_eq!(server.asked().len(), 2, "once in each region");
}

#[test]
fn permanent_errors_are_reported_at_once() {
    let retry = RetryPolicy::default();
    let open = |endpoint: &str| {
        let location = Location::parse("s3://archive", Some(endpoint)).unwrap();
        BlockingArchive::open(vec![location], wanted(&[], &[]), Options { retry, ..Options::default() }).unwrap()
    };
    // A label of a host name has at most 63 letters, so no resolver is asked.
    let unknown = open(&format!("http://{}.example", "x".repeat(64)));
    let begun = std::time::Instant::now();
    let why = unknown.day(day("2021-06-14")).unwrap_err().message;
    assert!(why.contains("unknown host"), "{why}");
    let plain = constant_server(String::new()).replace("http:", "https:");
    let why = open(&plain).day(day("2021-06-14")).unwrap_err().message;
    assert!(why.contains("TLS: "), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn another_part_than_requested() {
    let broken = Some(Fault::Reset(3 << 20));
    for fault in [Fault::OtherRange, Fault::Longer, Fault::NoRange] {
        let (_, outcome, _) = copy_one(4 << 20, objects(&[broken, Some(fault)]));
        assert_eq!(outcome, Ok(CopyOutcome::Copied), "{fault:?}");
    }
    let (_, outcome, _) = copy_one(4 << 20, objects(&[broken, Some(Fault::OtherRange), Some(Fault::OtherRange)]));
    let why = outcome.unwrap_err();
    let contains = |part: &str| assert!(why.contains(part), "{why}");
    contains(&format!("s3://archive/{JO}.tar.gz: from byte "));
    contains("of 4194304 on: the response has bytes 0-");
    let (_, outcome, _) = copy_one(4 << 20, objects(&[broken, Some(Fault::OtherVersion)]));
    let why = outcome.unwrap_err();
    assert!(why.contains("changed since it was listed"), "{why}");
}

#[test]
fn checksums_of_the_server_are_verified() {
    let served = |sum: &'static str| {
        serve(move |head| match target(head).0 {
            "/archive/" => bucket(head, ""),
            _ => {
                assert!(head.contains("x-amz-checksum-mode: ENABLED"), "{head}");
                answer("200 OK", &format!("x-amz-checksum-crc32: {sum}\r\n"), &content(&format!("{JO}.tar.gz"), 100))
            }
        })
    };
    let copy_one = |sum| {
        let server = served(sum);
        let archive = at(url(&server));
        let can = archive.day(day("2021-06-14")).unwrap().into_iter().find(|can| can.key.contains("JO")).unwrap();
        let out = TempDir::new().unwrap();
        archive.copy_can(&can, out.path()).map_err(|error| error.message)
    };
    let crc = flate2::Crc::new();
    let sum = {
        let mut crc = crc;
        crc.update(&content(&format!("{JO}.tar.gz"), 100));
        base64(&crc.sum().to_be_bytes())
    };
    assert_eq!(copy_one(Box::leak(sum.into_boxed_str())), Ok(CopyOutcome::Copied));
    let why = copy_one("AAAAAA==").unwrap_err();
    assert!(why.contains("its CRC-32 is ") && why.contains("but should be 00000000 (2 attempts)"), "{why}");
}

/// Four bytes in base64.
fn base64(bytes: &[u8; 4]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let number = u64::from(u32::from_be_bytes(*bytes)) << 4;
    let text: String = (0..6).rev().map(|at| char::from(digits[(number >> (6 * at)) as usize & 63])).collect();
    format!("{text}==")
}

#[tokio::test]
async fn blocking_calls_inside_a_runtime() {
    let bucket = mixed();
    let server = tokio::task::spawn_blocking(move || (bucket.serve(Plan::default()), bucket)).await.unwrap();
    let archive = remote(&server.0, wanted(&[], &[]), quick());
    assert_eq!(archive.day(day("2021-06-14")).unwrap().len(), 7);
    assert_eq!(BlockingPrefetch::new(&archive, |_| false).unwrap().count(), 7);
    drop(BlockingPrefetch::new(&archive, |_| false).unwrap());
    drop(archive);
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}
