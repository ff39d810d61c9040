//! Results as a server needs them: streams, a limit of groups, JSON, public error messages, any runtime.

use crate::support::{Engine, InFile, Open, measured, open_to_read, sound, text};
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::Filter;
use ooni_store::{BlockingStore, ErrorKind, OnExisting, Store, StoreOptions};
use std::fs;
use std::path::Path;
use tokio::runtime::Runtime;

#[test]
fn streams_have_all_rows_in_order() {
    let engine = InFile::new();
    let Open(waiting) = engine.open();
    let store = &waiting.store;
    waiting.wait(async {
        assert!(store.rows().next().await.is_none());
        // Two and a half pages, and then exactly three.
        for (rows, all) in [(0..2500, 2500), (2500..3000, 3000)] {
            store.write(std::sync::Arc::new(sound(rows)), OnExisting::Keep).await.unwrap();
            let (mut stream, mut uids) = (store.rows(), Vec::new());
            while let Some(row) = stream.next().await {
                uids.push(text(&row.unwrap()[0]));
            }
            let expected: Vec<String> = (0..all).map(|uid| format!("u{uid:06}")).collect();
            assert_eq!(uids, expected);
            let mut slice = store.slice(Filter { probe_ccs: vec!["IT".to_owned()], ..Filter::default() });
            let mut number = 0;
            while let Some(row) = slice.next().await {
                assert_eq!(text(&row.unwrap()[0]), expected[number]);
                number += 1;
            }
            assert_eq!(number, expected.len());
        }
        let mut after = store.measurements(Some("u002997".to_owned()));
        assert_eq!(after.next().await.unwrap().unwrap().body.unwrap().linenum, 7);
        assert!(after.next().await.is_some() && after.next().await.is_none());
    });
}

#[test]
fn aggregations_have_a_group_limit() {
    let engine = InFile::new();
    let waiting =
        BlockingStore::open_with(&engine.url(), StoreOptions { max_groups: 3, ..StoreOptions::default() }).unwrap();
    let by_input = Aggregation { filter: Filter::default(), axes: vec![Axis::Input] };
    let write = |rows| waiting.wait(waiting.store.write(std::sync::Arc::new(sound(rows)), OnExisting::Keep)).unwrap();
    write(0..3);
    assert_eq!(waiting.wait(waiting.store.aggregate(&by_input)).unwrap().len(), 3);
    write(3..4);
    let error = waiting.wait(waiting.store.aggregate(&by_input)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TooLarge, false));
    assert_eq!(error.public_message(), "the result has more than 3 groups; narrow the filter or use fewer axes");
    // Commands have no limit.
    let commands = open_to_read(&engine.url()).unwrap().0;
    assert_eq!(commands.wait(commands.store.aggregate(&by_input)).unwrap().len(), 4);
}

#[test]
fn results_are_json() {
    let engine = InFile::new();
    let Open(waiting) = engine.open();
    let store = &waiting.store;
    let mut row = measured(1, 4);
    row.row.anomaly = true;
    waiting.wait(store.write(std::sync::Arc::new(vec![row]), OnExisting::Keep)).unwrap();
    let found = serde_json::to_value(waiting.wait(store.find("u1")).unwrap()).unwrap();
    assert_eq!(found["measurement_uid"], "u1");
    assert_eq!((&found["anomaly"], &found["category_code"]), (&true.into(), &"".into()));
    let time = found["measurement_start_time"].as_str().unwrap();
    assert!(time.starts_with("2024-01-01T") && time.ends_with('Z'), "{time}");
    let query = Aggregation { filter: Filter::default(), axes: vec![Axis::ProbeAsn, Axis::TestName] };
    let groups = serde_json::to_value(waiting.wait(store.aggregate(&query)).unwrap()).unwrap();
    assert_eq!(groups[0]["keys"], serde_json::json!([0, "dash"]));
    assert_eq!(groups[0]["counts"]["anomaly"], 1);
    let stats = serde_json::to_value(waiting.wait(store.stats()).unwrap()).unwrap();
    assert_eq!(stats["tables"][0], serde_json::json!(["fastpath", 1]));
    assert_eq!(stats["rollups"][0]["measurements"], 1);
}

#[test]
fn a_store_works_in_any_runtime() {
    let engine = InFile::new();
    let [first, second] = [(); 2].map(|()| Runtime::new().unwrap());
    let store = first.block_on(Store::open(&engine.url(), StoreOptions::default())).unwrap();
    let clone = store.clone();
    assert_eq!(first.block_on(store.count()).unwrap(), 0);
    drop(first);
    second.block_on(clone.write(std::sync::Arc::new(sound([1])), OnExisting::Keep)).unwrap();
    assert_eq!(second.block_on(store.count()).unwrap(), 1);
}

/// Every kind of error that a file can cause.
fn errors(folder: &Path) -> Vec<ooni_store::Error> {
    let url = |name: &str| format!("sqlite:{}", folder.join(name).display());
    fs::write(folder.join("text.db"), "no database\n".repeat(1000)).unwrap();
    fs::write(folder.join("empty.db"), "").unwrap();
    let mut errors: Vec<_> = [url("text.db"), url("none.db"), url("empty.db"), url("")]
        .iter()
        .chain([&"mysql://me:hunter2@host/db".to_owned(), &"sqlite://planted/x.db".to_owned()])
        .map(|url| BlockingStore::open_to_read(url).unwrap_err())
        .collect();
    errors.push(BlockingStore::open(&url("text.db/x/y.db")).unwrap_err());
    BlockingStore::open(&url("store.db")).unwrap();
    let read_only = BlockingStore::open_to_read(&url("store.db")).unwrap();
    errors.push(read_only.wait(read_only.store.remove("u1", "planted", false)).unwrap_err());
    assert!(!format!("{read_only:?}").contains("hunter2"));
    errors
}

#[test]
fn public_messages_reveal_no_paths_or_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let planted = folder.path().join("planted");
    fs::create_dir(&planted).unwrap();
    let errors = errors(&planted);
    assert_eq!(errors.len(), 8);
    for error in errors {
        let public = error.public_message();
        for word in ["planted", "/", ".db", "hunter2", "SELECT", "SQLite"] {
            assert!(!public.contains(word), "{public}");
        }
        for shown in [format!("{error:?}"), error.to_string()] {
            for word in ["hunter2", "SELECT", "PRAGMA", "\n"] {
                assert!(!shown.contains(word), "{shown}");
            }
        }
    }
}

#[test]
fn errors_keep_their_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.db");
    fs::write(&path, "no database\n".repeat(1000)).unwrap();
    let error = BlockingStore::open(&format!("sqlite:{}", path.display())).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().downcast_ref::<rusqlite::ffi::Error>().unwrap();
    assert_eq!(source.code, rusqlite::ErrorCode::NotADatabase);
}
