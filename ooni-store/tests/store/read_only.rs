//! SQLite stores in folders that cannot be written: a read-only disk, or that of another user.
//!
//! A folder in the place of the file that SQLite creates beside the log has the same effect, even for root.

use crate::support::{Engine, InFile, open, open_to_read, sound, uids};
use ooni_store::query::filter::Filter;
use ooni_store::{ErrorKind, OnExisting};
use std::fs;
use std::path::PathBuf;

fn beside(engine: &InFile, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", engine.path.display()))
}

/// A store of two rows whose files SQLite can no longer create.
fn unwritable() -> InFile {
    let engine = InFile::new();
    engine.open().write(&sound([1, 2]), OnExisting::Keep).unwrap();
    assert!(!beside(&engine, "-wal").exists(), "the last connection empties the log");
    fs::create_dir(beside(&engine, "-shm")).unwrap();
    engine
}

#[test]
fn a_store_is_read_where_nothing_can_be_written() {
    let engine = unwritable();
    let store = open_to_read(&engine.url()).unwrap();
    assert_eq!((store.count().unwrap(), uids(&store).len()), (2, 2));
    assert_eq!(store.0.slice(Filter::default()).count(), 2);
    assert!(store.0.wait(store.0.store.find("u000001")).unwrap().is_some());
    assert_eq!(store.0.wait(store.0.store.stats()).unwrap().tables[0], ("fastpath", 2));
    let error = open(&engine.url()).err().unwrap();
    assert!(error.message().starts_with("cannot be opened"), "{error}");
    assert!(!beside(&engine, "-wal").exists(), "nothing is left behind");
}

#[test]
fn a_change_by_another_process_is_noticed() {
    let engine = unwritable();
    let store = open_to_read(&engine.url()).unwrap();
    assert_eq!(store.count().unwrap(), 2);
    // As one does that can write there.
    fs::remove_dir(beside(&engine, "-shm")).unwrap();
    engine.open().write(&sound([3]), OnExisting::Keep).unwrap();
    let error = store.count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().ends_with("open it again"), "{error}");
    assert_eq!(open_to_read(&engine.url()).unwrap().count().unwrap(), 3);
}

#[test]
fn a_log_that_cannot_be_read_is_an_error_that_says_what_to_do() {
    let engine = InFile::new();
    let writer = engine.open();
    writer.write(&sound([1]), OnExisting::Keep).unwrap();
    // A copy of both files, as a killed process leaves them.
    let copy = InFile::new();
    fs::create_dir_all(copy.path.parent().unwrap()).unwrap();
    fs::copy(&engine.path, &copy.path).unwrap();
    fs::copy(beside(&engine, "-wal"), beside(&copy, "-wal")).unwrap();
    fs::create_dir(beside(&copy, "-shm")).unwrap();
    let error = open_to_read(&copy.url()).err().unwrap();
    assert!(error.message().contains("open it once where it can be written"), "{error}");
    fs::remove_dir(beside(&copy, "-shm")).unwrap();
    assert_eq!(open_to_read(&copy.url()).unwrap().count().unwrap(), 1);
}
