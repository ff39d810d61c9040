//! Files that are stored and verified, in folders and on a server with faults.

use super::*;
use ooni_archive::layout::HourlyCan;
use ooni_archive::writer::{ArchiveWriter, Stored, WriteError};
use ooni_core::time::DateTime;
use std::future::Future;
use std::path::PathBuf;

const KEY: &str = "raw/20210614/07/JO/signal/2021061407_JO_signal.n1.0.tar.gz";

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

/// A local file of this size.
fn file(folder: &TempDir, size: usize) -> PathBuf {
    let path = folder.path().join(format!("{size}"));
    fs::write(&path, content("local", size)).unwrap();
    path
}

fn to_folder(bucket: &Bucket) -> ArchiveWriter {
    ArchiveWriter::open(Location::Directory(bucket.path()), quick().retry).unwrap()
}

fn to_server(server: &Server) -> ArchiveWriter {
    ArchiveWriter::open(location(server, ""), quick().retry).unwrap()
}

fn puts(server: &Server) -> usize {
    server.asked().iter().filter(|asked| asked.method == "PUT").count()
}

#[test]
fn stored_verified_listed_and_removed() {
    let (local, bucket, folder) = (TempDir::new().unwrap(), Bucket::new(&[]), Bucket::new(&[]));
    let server = bucket.serve(Plan::default());
    let [small, empty, large] = [1000, 0, 9 << 20].map(|size| file(&local, size));
    for (writer, at) in [(to_folder(&folder), &folder), (to_server(&server), &bucket)] {
        run(async {
            for path in [&small, &empty, &large] {
                let name = path.file_name().unwrap().to_str().unwrap();
                let key = format!("raw/20210614/07/JO/signal/{name}");
                assert_eq!(writer.size(&key).await, Ok(None));
                let stored = writer.put(&key, path).await.unwrap();
                assert_eq!(stored.size, fs::metadata(path).unwrap().len());
                assert_eq!(writer.verify(&key, &stored).await, Ok(()));
                assert_eq!(writer.size(&key).await, Ok(Some(stored.size)));
                assert!(fs::read(at.path().join(&key)).unwrap() == fs::read(path).unwrap());
                let other = Stored { sha256: [0; 32], ..stored };
                let error = writer.verify(&key, &other).await.unwrap_err();
                assert!(matches!(&error, WriteError::Mismatch(why) if why.contains(&key)), "{error}");
            }
            let all: Vec<_> = ["0", "1000", "9437184"].map(|name| format!("raw/20210614/07/JO/signal/{name}")).into();
            assert_eq!(writer.list("").await.unwrap(), all);
            assert_eq!(writer.list("raw/2021").await.unwrap(), all);
            assert_eq!(writer.list("raw/20210614/07/JO/signal/1").await.unwrap(), all[1..2]);
            assert_eq!(writer.list("quarantine/").await.unwrap(), Vec::<String>::new());
            for _ in 0..2 {
                writer.delete(&all[1]).await.unwrap();
                assert_eq!(writer.size(&all[1]).await, Ok(None));
            }
            let error = writer.verify(&all[1], &Stored { size: 0, sha256: [0; 32] }).await.unwrap_err();
            assert!(matches!(&error, WriteError::NotFound(why) if why.contains(&all[1])), "{error}");
        });
    }
}

#[test]
fn other_content_is_not_replaced() {
    let (local, bucket, folder) = (TempDir::new().unwrap(), Bucket::new(&[]), Bucket::new(&[]));
    let server = bucket.serve(Plan::default());
    let [path, longer] = [1000, 1001].map(|size| file(&local, size));
    let other = local.path().join("other");
    fs::write(&other, content("other", 1000)).unwrap();
    for (writer, at) in [(to_folder(&folder), &folder), (to_server(&server), &bucket)] {
        run(async {
            let stored = writer.put(KEY, &path).await.unwrap();
            let before = puts(&server);
            assert_eq!(writer.put(KEY, &path).await, Ok(stored));
            for (other, why) in [(&longer, "it has 1000 bytes instead of 1001"), (&other, "its SHA-256 is ")] {
                let error = writer.put(KEY, other).await.unwrap_err();
                let is_conflict =
                    matches!(&error, WriteError::Conflict(text) if text.contains(KEY) && text.contains(why));
                assert!(is_conflict && !error.is_transient(), "{error}");
            }
            assert_eq!(puts(&server), before, "nothing is written again");
            assert!(fs::read(at.path().join(KEY)).unwrap() == fs::read(&path).unwrap());
            let stored = writer.replace(KEY, &longer).await.unwrap();
            assert_eq!(writer.verify(KEY, &stored).await, Ok(()));
        });
    }
}

#[test]
fn numbers_that_are_in_use() {
    let (local, bucket, folder) = (TempDir::new().unwrap(), Bucket::new(&[]), Bucket::new(&[]));
    let server = bucket.serve(Plan::default());
    let path = file(&local, 10);
    let can = HourlyCan::new(DateTime::new(2021, 6, 14, 7, 0, 0).unwrap(), "JO", "signal", "1", 0).unwrap();
    for writer in [to_folder(&folder), to_server(&server)] {
        run(async {
            assert_eq!(writer.next_number(&can).await, Ok(0));
            writer.put(&can.numbered(0).postcan_key(), &path).await.unwrap();
            writer.put(&can.numbered(2).lines_key(), &path).await.unwrap();
            let other = HourlyCan::new(DateTime::new(2021, 6, 14, 7, 0, 0).unwrap(), "JO", "signal", "12", 70).unwrap();
            writer.put(&other.postcan_key(), &path).await.unwrap();
            assert_eq!(writer.next_number(&can).await, Ok(3));
            writer.put(&can.numbered(10).quarantine_key(), &path).await.unwrap();
            assert_eq!(writer.next_number(&can).await, Ok(11));
        });
    }
}

#[test]
fn faults_of_a_server_are_retried() {
    let local = TempDir::new().unwrap();
    let path = file(&local, 3 << 20);
    // The first request asks for the size.
    for faults in [
        vec![Some(Fault::Status(503)), None, Some(Fault::Status(503)), Some(Fault::Status(500))],
        vec![None, Some(Fault::Reset(0)), Some(Fault::Delay(100))],
        vec![None, Some(Fault::Stall(0))],
        vec![None, None, Some(Fault::Reset(100_000)), Some(Fault::Stall(1)), Some(Fault::Status(503))],
        vec![None, None, Some(Fault::Short(1 << 20)), Some(Fault::Corrupt)],
    ] {
        let bucket = Bucket::new(&[]);
        let server = bucket.serve(objects(&faults));
        let writer = to_server(&server);
        run(async {
            let stored = writer.put(KEY, &path).await.unwrap();
            assert_eq!(writer.verify(KEY, &stored).await, Ok(()), "{faults:?}");
        });
        assert!(fs::read(bucket.path().join(KEY)).unwrap() == fs::read(&path).unwrap(), "{faults:?}");
        assert!(writer.counters().retries.load(Ordering::Relaxed) > 0, "{faults:?}");
    }
}

#[test]
fn a_server_that_is_down() {
    let (local, bucket) = (TempDir::new().unwrap(), Bucket::new(&[]));
    let path = file(&local, 1000);
    let server = bucket.serve(objects(&[Some(Fault::Status(503)); 200]));
    let address = server.url.clone();
    let writer = to_server(&server);
    let failed = |error: WriteError, why: &str| {
        let text = error.to_string();
        assert!(error.is_transient() && text.contains("s3://archive/raw/") && text.contains(why), "{text}");
    };
    run(async {
        failed(writer.put(KEY, &path).await.unwrap_err(), "503");
        failed(writer.replace(KEY, &path).await.unwrap_err(), "(12 attempts)");
        failed(writer.verify(KEY, &Stored { size: 1, sha256: [0; 32] }).await.unwrap_err(), "503");
    });
    drop(server);
    run(async { failed(writer.put(KEY, &path).await.unwrap_err(), "the connection failed") });
    assert!(address.starts_with("http://"));
    let listing = bucket.serve(Plan { listings: vec![Some(Fault::Status(503)); 100], ..Plan::default() });
    run(async { failed(to_server(&listing).list("raw/2021").await.unwrap_err(), "cannot be listed") });
}

/// A server that confirms what it did not store, or sends back something else.
#[test]
fn a_server_that_lies() {
    let local = TempDir::new().unwrap();
    let path = file(&local, 100_000);
    for (faults, why) in [
        (vec![None, Some(Fault::StoreShort(99_999))], "it has 99999 bytes instead of 100000"),
        (vec![None, Some(Fault::StoreShort(0))], "it has 0 bytes instead of 100000"),
        (vec![None, None, Some(Fault::Short(10)), Some(Fault::Short(10))], "it has 10 bytes instead of 100000"),
        (vec![None, None, Some(Fault::Corrupt), Some(Fault::Corrupt)], "its SHA-256 is "),
    ] {
        let bucket = Bucket::new(&[]);
        let server = bucket.serve(objects(&faults));
        let writer = to_server(&server);
        run(async {
            let stored = writer.put(KEY, &path).await.unwrap();
            let error = writer.verify(KEY, &stored).await.unwrap_err();
            let is_mismatch = matches!(&error, WriteError::Mismatch(text) if text.contains(KEY) && text.contains(why));
            assert!(is_mismatch, "{faults:?}: {error}");
            let stored = writer.replace(KEY, &path).await.unwrap();
            assert_eq!(writer.verify(KEY, &stored).await, Ok(()), "{faults:?}");
        });
    }
    // Files of a folder can be damaged as well.
    let folder = Bucket::new(&[]);
    let writer = to_folder(&folder);
    run(async {
        let stored = writer.put(KEY, &path).await.unwrap();
        fs::write(folder.path().join(KEY), content("damaged", 100_000)).unwrap();
        assert!(matches!(writer.verify(KEY, &stored).await, Err(WriteError::Mismatch(_))));
    });
}

#[test]
fn what_cannot_be_stored() {
    let (local, folder) = (TempDir::new().unwrap(), Bucket::new(&[]));
    let path = file(&local, 10);
    let writer = to_folder(&folder);
    run(async {
        for key in ["", "/raw/x", "raw/../../x", "../x", "raw/./../../x", "a\0b"] {
            let error = writer.put(key, &path).await.unwrap_err();
            assert!(matches!(error, WriteError::Failed(_)), "{key:?}: {error}");
            assert!(key.is_empty() || writer.list(key).await.is_err(), "{key:?}");
        }
        let missing = local.path().join("missing");
        let error = writer.put(KEY, &missing).await.unwrap_err();
        assert!(matches!(&error, WriteError::NotFound(why) if why.contains("missing") && why.contains(KEY)), "{error}");
        // A file where a folder has to be.
        fs::write(folder.path().join("raw"), "").unwrap();
        let error = writer.put(KEY, &path).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains(KEY), "{error}");
    });
}

#[test]
fn a_folder_that_does_not_exist_is_created() {
    let local = TempDir::new().unwrap();
    let path = file(&local, 10);
    let location = Location::parse(&format!("file:{}/state/archive", local.path().display()), None).unwrap();
    let writer = ArchiveWriter::open(location, RetryPolicy::default()).unwrap();
    run(async { writer.put(KEY, &path).await.unwrap() });
    assert_eq!(fs::read(local.path().join("state/archive").join(KEY)).unwrap().len(), 10);
    let key = Path::new(KEY);
    let names = fs::read_dir(local.path().join("state/archive").join(key.parent().unwrap())).unwrap();
    assert_eq!(names.count(), 1, "no temporary file is left");
}
