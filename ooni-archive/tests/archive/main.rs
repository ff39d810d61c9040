//! The archive as a source: listing days and reading cans, from folders and from a server with faults.

#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // clippy does not treat helpers of tests as tests

mod body;
mod cans;
mod download;
mod s3;
mod side_records;
mod store;
mod writer;

use ooni_archive::blocking::{BlockingArchive, BlockingPrefetch};
use ooni_archive::source::archive::{ArchiveCan, CopyOutcome, Location, Options, RetryPolicy};
use ooni_archive::source::prefetch::{CanFile, Prefetched};
use ooni_archive::{Day, DayRange, Selection};
use ooni_testkit::s3_server::{Fault, Plan, Server, start};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;

const JO: &str = "raw/20210614/00/JO/signal/2021061400_JO_signal.n1.0";
const IT: &str = "raw/20210614/00/IT/webconnectivity/2021061400_IT_webconnectivity.n1.0";
const IT_LATER: &str = "raw/20210614/23/IT/webconnectivity/2021061423_IT_webconnectivity.n1.0";
const REPORT: &str = "20151105T122936Z-IT-AS30722-dns_consistency-no_report_id-0.1.0-probe.yaml.lz4";

/// A folder with one bucket, `archive`.
struct Bucket(TempDir);

impl Bucket {
    fn new(keys: &[(&str, usize)]) -> Bucket {
        let bucket = Bucket(TempDir::new().unwrap());
        fs::create_dir(bucket.path()).unwrap();
        keys.iter().for_each(|(key, size)| bucket.add(key, *size));
        bucket
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("archive")
    }

    fn add(&self, key: &str, size: usize) {
        let path = self.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(key, size)).unwrap();
    }

    fn serve(&self, plan: Plan) -> Server {
        start(self.0.path(), plan)
    }
}

/// Bytes that differ by offset and key.
fn content(key: &str, size: usize) -> Vec<u8> {
    let seed = key.bytes().fold(7_u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    (0..size as u32).map(|at| (at.wrapping_mul(2_654_435_761) ^ seed).to_be_bytes()[(at % 3) as usize]).collect()
}

/// Two days with legacy cans and postcans, and files that are not cans.
fn mixed() -> Bucket {
    let [jo, it, it_later] = [JO, IT, IT_LATER].map(|stem| format!("{stem}.tar.gz"));
    let bucket = Bucket::new(&[(&jo, 30), (&it, 40), (&it_later, 50), ("README.md", 5)]);
    for (key, size) in [
        (format!("{IT}.jsonl.gz"), 20),
        ("raw/20210614/00/IT/ndt/2021061400_IT_ndt.n1.0.jsonl.gz".to_owned(), 21),
        ("raw/20210614/00/IT/ndt/2021061400_IT_ndt.n2.0.tar.gz".to_owned(), 0),
        ("raw/20210614/00/IT/ndt/2021061400_IT_ndt.n3.0.tar.gz.part".to_owned(), 5),
        ("raw/20210614/notes.txt".to_owned(), 5),
        ("raw/20210615/00/IT/ndt/2021061500_IT_ndt.n1.0.tar.gz".to_owned(), 22),
        ("jsonl/ndt/IT/20210614/00/20210614_IT_ndt.l.0.jsonl.gz".to_owned(), 5),
        (format!("canned/2021-06-14/{REPORT}"), 23),
        ("canned/2021-06-14/ndt.0.tar.lz4".to_owned(), 0),
        ("canned/2021-06-14/web_connectivity.00.tar.lz4".to_owned(), 24),
        ("canned/2021-06-14/index.json.gz".to_owned(), 5),
    ] {
        bucket.add(&key, size);
    }
    bucket
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn wanted(ccs: &[&str], testnames: &[&str]) -> Selection {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let days = DayRange { start: day("2021-06-14"), end: day("2021-06-15") };
    Selection { days, ccs: set(ccs), testnames: set(testnames) }
}

fn quick() -> Options {
    let retry = RetryPolicy {
        attempts: 12,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(4),
        idle_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_secs(10),
    };
    Options { retry, ..Options::default() }
}

fn location(server: &Server, prefix: &str) -> Location {
    Location::S3 {
        bucket: "archive".to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(server.url.clone()),
        region: Some("us-east-1".to_owned()),
        unsigned: true,
        only: None,
    }
}

fn remote(server: &Server, wanted: Selection, options: Options) -> BlockingArchive {
    BlockingArchive::open(vec![location(server, "")], wanted, options).unwrap()
}

fn local(bucket: &Bucket, wanted: Selection) -> BlockingArchive {
    BlockingArchive::open(vec![Location::Directory(bucket.path())], wanted, Options::default()).unwrap()
}

fn keys(cans: &[ArchiveCan]) -> Vec<&str> {
    cans.iter().map(|can| can.key.as_str()).collect()
}

/// All prefetched cans, with the contents of the files.
fn all(archive: &BlockingArchive) -> Vec<(String, Result<Vec<u8>, String>)> {
    let supply = BlockingPrefetch::new(archive, |_| false).unwrap();
    supply
        .map(|supplied| match supplied {
            Prefetched::Can { can, file } => {
                (can.key, file.map(|file| fs::read(&*file).unwrap()).map_err(|error| error.message))
            }
            Prefetched::Unlisted { day, error } => (day.to_string(), Err(error.message)),
        })
        .collect()
}

#[test]
fn a_day_in_both_layouts() {
    let bucket = mixed();
    let server = bucket.serve(Plan::default());
    let cans = local(&bucket, wanted(&[], &[])).day(day("2021-06-14")).unwrap();
    let ndt = "raw/20210614/00/IT/ndt/2021061400_IT_ndt.n1.0.jsonl.gz";
    let [report, tests] = [REPORT, "web_connectivity.00.tar.lz4"].map(|name| format!("canned/2021-06-14/{name}"));
    let [jo, it, it_later] = [JO, IT, IT_LATER].map(|stem| format!("{stem}.tar.gz"));
    let every = [&*report, "canned/2021-06-14/ndt.0.tar.lz4", &*tests, ndt, &*it, &*jo, &*it_later];
    assert_eq!(keys(&cans), every);
    let body_keys: Vec<_> = cans.iter().map(|can| can.body_key.as_str()).collect();
    let lines = format!("{IT}.jsonl.gz");
    assert_eq!(body_keys, [every[0], every[1], every[2], ndt, &*lines, &*jo, &*it_later]);
    assert_eq!(cans[4].lines().map(|can| (can.key.as_str(), can.size)), Some((&*lines, 20)));
    for (ccs, testnames, wanted_keys) in [
        (&[][..], &[][..], &[0, 1, 2, 3, 4, 5, 6][..]),
        (&["IT"], &[], &[0, 1, 2, 3, 4, 6]),
        (&["JO"], &[], &[1, 2, 5]),
        (&["FR"], &[], &[1, 2]),
        (&[], &["ndt"], &[1, 3]),
        (&["IT", "US"], &["webconnectivity"], &[2, 4, 6]),
    ] {
        let wanted = wanted(ccs, testnames);
        let from_folder = local(&bucket, wanted.clone()).day(day("2021-06-14")).unwrap();
        let from_server = remote(&server, wanted.clone(), quick()).day(day("2021-06-14")).unwrap();
        let expected: Vec<_> = wanted_keys.iter().map(|place| every[*place]).collect();
        assert_eq!(keys(&from_folder), expected, "{wanted:?}");
        assert_eq!(keys(&from_server), expected, "{wanted:?}");
        let fields = |can: &ArchiveCan| (can.size, can.cc.clone(), can.testname.clone(), can.body_key.clone());
        assert_eq!(
            from_folder.iter().map(fields).collect::<Vec<_>>(),
            from_server.iter().map(fields).collect::<Vec<_>>()
        );
    }
    assert!(local(&bucket, wanted(&[], &[])).day(day("2021-06-16")).unwrap().is_empty());
}

#[test]
fn folders_of_one_layout_and_several_places() {
    let (bucket, other) = (mixed(), Bucket::new(&[(&format!("{JO}.tar.gz"), 99), (&format!("{JO}x.tar.gz"), 9)]));
    let open = |locations| BlockingArchive::open(locations, wanted(&[], &[]), Options::default()).unwrap();
    let inside = open(vec![Location::Directory(bucket.path().join("canned"))]);
    assert_eq!(inside.day(day("2021-06-14")).unwrap().len(), 3);
    let both = open(vec![Location::Directory(bucket.path()), Location::Directory(other.path())]);
    let cans = both.day(day("2021-06-14")).unwrap();
    assert_eq!(cans.len(), 8);
    assert_eq!(cans.iter().find(|can| can.key.contains("JO")).unwrap().size, 30, "the first place has it");
    let none =
        BlockingArchive::open(vec![Location::Directory("/nonexistent".into())], wanted(&[], &[]), Options::default());
    assert!(none.unwrap_err().contains("/nonexistent"));
}

#[test]
fn all_pages_below_a_prefix() {
    let bucket = Bucket::new(&[]);
    for number in 0..2300 {
        bucket.add(&format!("some/where/raw/20210614/00/IT/ndt/2021061400_IT_ndt.n1.{number}.tar.gz"), 1);
    }
    bucket.add("raw/20210614/00/IT/ndt/outside.tar.gz", 1);
    let server = bucket.serve(Plan { listings: vec![None, Some(Fault::Status(503))], ..Plan::default() });
    let archive = BlockingArchive::open(vec![location(&server, "some/where")], wanted(&[], &[]), quick()).unwrap();
    let cans = archive.day(day("2021-06-14")).unwrap();
    assert_eq!(cans.len(), 2300);
    assert!(
        cans.iter().all(|can| can.key.starts_with("raw/20210614/00/IT/ndt/20"))
            && cans.is_sorted_by_key(|can| &can.key)
    );
    // One page of canned/, three of raw/, one of them twice.
    assert_eq!(server.listings().len(), 5);
    assert_eq!(archive.counters().retries.load(Ordering::Relaxed), 1);
}

#[test]
fn few_countries_are_listed_by_prefix() {
    let bucket = mixed();
    let server = bucket.serve(Plan::default());
    remote(&server, wanted(&["JO"], &["signal"]), quick()).day(day("2021-06-14")).unwrap();
    let mut listed: Vec<_> = server.listings().into_iter().map(|asked| asked.uri.replace("%2F", "/")).collect();
    listed.retain(|uri| uri.contains("prefix=raw/") && !uri.contains("delimiter"));
    listed.sort();
    let prefixes: Vec<_> = listed.iter().map(|uri| uri.split("prefix=").nth(1).unwrap()).collect();
    assert_eq!(prefixes, ["raw/20210614/00/JO/signal/", "raw/20210614/23/JO/signal/"]);
}

#[test]
fn all_cans_are_read_despite_faults() {
    let bucket = mixed();
    for number in 0..40 {
        bucket.add(&format!("raw/20210614/01/IT/ndt/2021061401_IT_ndt.n1.{number:02}.tar.gz"), number * 3000);
    }
    let expected = all(&local(&bucket, wanted(&[], &[])));
    assert!(expected.len() > 40 && expected.iter().all(|(_, content)| content.is_ok()));
    let faults = vec![
        (Fault::Status(503), 80),
        (Fault::Status(429), 40),
        (Fault::Status(500), 40),
        (Fault::Reset(20_000), 80),
        (Fault::Reset(1), 40),
        (Fault::Short(10), 40),
        (Fault::Delay(5), 100),
        (Fault::NoRange, 50),
        (Fault::Stall(5000), 5),
    ];
    for seed in [1, 2, 3] {
        let server = bucket.serve(Plan { seed, faults: faults.clone(), ..Plan::default() });
        let archive = remote(&server, wanted(&[], &[]), quick());
        assert!(all(&archive) == expected, "seed {seed}");
        assert!(archive.counters().retries.load(Ordering::Relaxed) > 5);
    }
}

/// Copies one can of this size from a server with faults.
fn copy_one(size: usize, plan: Plan) -> (Server, Result<CopyOutcome, String>, u64) {
    let key = format!("{JO}.tar.gz");
    let bucket = Bucket::new(&[(&key, size)]);
    let server = bucket.serve(plan);
    let archive = remote(&server, wanted(&[], &[]), quick());
    let can = archive.day(day("2021-06-14")).unwrap().remove(0);
    let out = TempDir::new().unwrap();
    let outcome = archive.copy_can(&can, out.path()).map_err(|error| error.message);
    if outcome.is_ok() {
        assert!(fs::read(out.path().join(&key)).unwrap() == content(&key, size));
        assert_eq!(archive.copy_can(&can, out.path()), Ok(CopyOutcome::AlreadyThere));
        assert_eq!(fs::read_dir(out.path().join(&key).parent().unwrap()).unwrap().count(), 1, "no part is left");
    }
    let retries = archive.counters().retries.load(Ordering::Relaxed);
    (server, outcome, retries)
}

fn objects(faults: &[Option<Fault>]) -> Plan {
    Plan { objects: faults.to_vec(), ..Plan::default() }
}

#[test]
fn an_interrupted_download_is_resumed() {
    let size = 4 << 20;
    let (server, outcome, retries) = copy_one(size, objects(&[Some(Fault::Reset(3 << 20))]));
    assert_eq!((outcome, retries), (Ok(CopyOutcome::Copied), 1));
    let ranges: Vec<_> = server.objects().into_iter().map(|asked| asked.range).collect();
    let from: u64 = match &ranges[..] {
        [None, Some(range)] => range.strip_prefix("bytes=").unwrap().split('-').next().unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(from > 0 && from <= 3 << 20, "{from}");
    assert_eq!(server.sent(), (3 << 20) + (size as u64 - from));
}

#[test]
fn a_can_larger_than_any_buffer() {
    let (server, outcome, retries) = copy_one(40 << 20, Plan::default());
    assert_eq!((outcome, retries, server.objects().len()), (Ok(CopyOutcome::Copied), 0, 1));
}

#[test]
fn a_server_without_ranges() {
    let (server, outcome, _) = copy_one(1 << 20, objects(&[Some(Fault::Reset(900_000)), Some(Fault::NoRange)]));
    assert_eq!((outcome, server.sent()), (Ok(CopyOutcome::Copied), 900_000 + (1 << 20)));
}

#[test]
fn a_server_that_stalls() {
    let (_, outcome, retries) = copy_one(100_000, objects(&[Some(Fault::Stall(50_000)), Some(Fault::Stall(0))]));
    assert_eq!((outcome, retries), (Ok(CopyOutcome::Copied), 2));
}

#[test]
fn corrupted_bytes_are_detected() {
    let (_, outcome, retries) = copy_one(100_000, objects(&[Some(Fault::Corrupt)]));
    assert_eq!((outcome, retries), (Ok(CopyOutcome::Copied), 1));
    let (_, outcome, _) = copy_one(100_000, objects(&[Some(Fault::Corrupt); 12]));
    assert!(outcome.unwrap_err().contains("its MD5 is"));
}

#[test]
fn permanent_errors_are_not_retried() {
    for (status, says) in [(403, "access denied"), (404, "no such object"), (301, "another region"), (400, "refuses")] {
        let (server, outcome, retries) = copy_one(10, objects(&[Some(Fault::Status(status))]));
        let why = outcome.unwrap_err();
        assert!(why.contains(says) && why.contains(&format!("s3://archive/{JO}")), "{why}");
        assert_eq!((retries, server.objects().len()), (0, 1));
    }
    let (server, outcome, _) = copy_one(10, objects(&[Some(Fault::Status(503)); 20]));
    assert!(outcome.unwrap_err().contains("(12 attempts)"));
    assert_eq!(server.objects().len(), 12);
}

#[test]
fn an_object_that_changes() {
    let key = format!("{JO}.tar.gz");
    let bucket = Bucket::new(&[(&key, 100)]);
    let server = bucket.serve(Plan::default());
    let archive = remote(&server, wanted(&[], &[]), quick());
    let can = archive.day(day("2021-06-14")).unwrap().remove(0);
    fs::write(bucket.path().join(&key), content("other", 100)).unwrap();
    let out = TempDir::new().unwrap();
    let why = archive.copy_can(&can, out.path()).unwrap_err().message;
    assert!(why.contains("changed since it was listed"), "{why}");
}

#[test]
fn a_place_that_cannot_be_listed() {
    let bucket = mixed();
    let server = bucket.serve(Plan::default());
    let mut missing = location(&server, "");
    if let Location::S3 { bucket, .. } = &mut missing {
        *bucket = "nowhere".to_owned();
    }
    let locations = vec![missing, location(&server, "")];
    let archive = BlockingArchive::open(locations, wanted(&[], &[]), quick()).unwrap();
    let why = archive.day(day("2021-06-14")).unwrap_err().message;
    assert!(why.contains("s3://nowhere/") && why.contains("no such bucket"), "{why}");
    let supplied = all(&archive);
    // Errors for both layouts of one place, then the cans of the other.
    assert_eq!(supplied.len(), 9);
    assert!(supplied[..2].iter().all(|(day, result)| day == "2021-06-14" && result.is_err()));
    assert!(supplied[2..].iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn a_cache_is_bounded() {
    let bucket = Bucket::new(&[]);
    for number in 0..20 {
        bucket.add(&format!("raw/20210614/01/IT/ndt/2021061401_IT_ndt.n1.{number:02}.tar.gz"), 100_000);
    }
    let server = bucket.serve(Plan::default());
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mine"), "not of the cache").unwrap();
    let options = |cache_size| Options { cache: Some(folder.path().to_owned()), cache_size, ..quick() };
    let held = || {
        let sizes = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().map_or(0, |m| m.len()));
        sizes.sum::<u64>() - "not of the cache".len() as u64
    };
    let archive = remote(&server, wanted(&[], &[]), options(350_000));
    let mut keys = Vec::new();
    let mut last: Option<CanFile> = None;
    for supplied in BlockingPrefetch::new(&archive, |_| false).unwrap() {
        let Prefetched::Can { can, file } = supplied else { panic!() };
        drop(last.take());
        assert!(held() <= 350_000, "{}", held());
        last = Some(file.unwrap());
        keys.push(can.key);
    }
    drop(last);
    assert!(keys.len() == 20 && keys.is_sorted());
    assert_eq!(server.objects().len(), 20);
    assert!(held() > 0, "some are kept");
    // A reader that holds all files gets all of them, whatever the bound.
    let archive = remote(&server, wanted(&[], &[]), options(150_000));
    let all: Vec<_> = BlockingPrefetch::new(&archive, |_| false).unwrap().collect();
    assert_eq!(all.len(), 20);
    assert!(BlockingPrefetch::new(&archive, |_| false).unwrap_err().contains("in use by another process"));
    drop(all);
    // A large cache keeps all files, and none is requested again.
    let archive = remote(&server, wanted(&[], &[]), options(1 << 30));
    assert_eq!(BlockingPrefetch::new(&archive, |_| false).unwrap().count(), 20);
    let before = server.objects().len();
    assert_eq!(BlockingPrefetch::new(&archive, |_| false).unwrap().count(), 20);
    assert_eq!(server.objects().len(), before);
    assert!(folder.path().join("mine").exists());
}

#[test]
fn finished_cans_are_not_downloaded() {
    let bucket = mixed();
    let server = bucket.serve(Plan::default());
    let archive = remote(&server, wanted(&[], &[]), quick());
    let supply = BlockingPrefetch::new(&archive, |can| can.key.starts_with("canned/")).unwrap();
    assert_eq!(supply.count(), 4);
    assert_eq!(server.objects().len(), 4);
    let counters = archive.counters();
    assert_eq!(counters.cans_listed.load(Ordering::Relaxed), 4);
    assert_eq!(counters.bytes_downloaded.load(Ordering::Relaxed), 21 + 40 + 30 + 50);
}

#[test]
fn an_unread_prefetch_is_dropped() {
    let bucket = mixed();
    let server = bucket.serve(Plan { faults: vec![(Fault::Stall(0), 1000)], ..Plan::default() });
    let archive = remote(&server, wanted(&[], &[]), Options { retry: RetryPolicy::default(), ..quick() });
    // It ends immediately, not after the half minute of a retry.
    drop(BlockingPrefetch::new(&archive, |_| false).unwrap());
}

/// A server with the same response to every request.
fn constant_server(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    url
}

#[test]
fn endless_listings() {
    let page = |key: &str, more: &str| {
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult><Name>archive</Name><IsTruncated>true</IsTruncated>{more}\
             <Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>"
        )
    };
    let token = "<NextContinuationToken>again</NextContinuationToken>";
    let key = format!("{JO}.tar.gz");
    for (response, says) in [
        (page(&key, ""), "the same page"),
        (page(&key, token), "the same page"),
        (page("other/key", token), "not requested"),
        ("<html>".to_owned(), "not a listing"),
    ] {
        let location = Location::S3 {
            bucket: "archive".to_owned(),
            prefix: String::new(),
            endpoint: Some(constant_server(response)),
            region: None,
            unsigned: true,
            only: Some(ooni_archive::layout::Layout::Raw),
        };
        let archive = BlockingArchive::open(vec![location], wanted(&[], &[]), quick()).unwrap();
        let why = archive.day(day("2021-06-14")).unwrap_err().message;
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn temporary_downloads_are_removed() {
    let bucket = mixed();
    let server = bucket.serve(Plan::default());
    let archive = remote(&server, wanted(&[], &[]), quick());
    let mut supply = BlockingPrefetch::new(&archive, |_| false).unwrap();
    let Some(Prefetched::Can { file: Ok(file), .. }) = supply.next() else { panic!() };
    let path = Path::new(&*file).to_owned();
    assert!(path.is_file());
    drop(file);
    assert!(!path.exists());
    drop(supply);
    assert!(!path.parent().unwrap().exists());
}
