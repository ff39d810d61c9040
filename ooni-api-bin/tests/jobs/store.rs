//! The jobs `retention` and `counters`.

use crate::support::Place;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::process::{Outcome, process};
use ooni_core::rules::Rules;
use ooni_core::time::DateTime;
use ooni_store::query::filter::Window;
use ooni_store::{BodyLocation, OnExisting, ScoredRow, Store};
use std::sync::Arc;

fn location() -> BodyLocation {
    let [s3path, date, source] = ["raw/x.jsonl.gz", "2026-01-01", "raw/x.tar.gz"].map(Arc::from);
    BodyLocation { s3path, linenum: 0, date, source, member: None }
}

fn row(uid: &str, start: &str, body: Option<BodyLocation>) -> ScoredRow {
    let text = format!(
        r#"{{"report_id":"R","probe_cc":"IT","probe_asn":"AS5","test_name":"dash","test_version":"1","test_keys":{{}},
        "measurement_start_time":"{start} 03:04:05","test_start_time":"{start} 03:04:00"}}"#
    );
    let outcome = process(text.as_bytes(), uid, &Fingerprints::empty(), Rules::Fixed);
    let Outcome::Stored { row, openvpn } = outcome else { panic!("{outcome:?}") };
    ScoredRow { row, openvpn, body, body_sha256: [7; 32] }
}

async fn uids(store: &Store) -> Vec<String> {
    let (mut rows, mut uids) = (store.rows(), Vec::new());
    while let Some(row) = rows.next().await {
        uids.push(format!("{:?}", row.unwrap()[0]));
    }
    uids.into_iter().filter_map(|uid| uid.split('"').nth(1).map(str::to_owned)).collect()
}

pub(crate) async fn old_months_are_removed(mut place: Place) {
    // The last month that is removed ended on 2025-12-01.
    place.config.jobs.retention = 90;
    let running = place.start().await;
    let store = running.store();
    let rows = vec![
        row("1", "2019-05-31", Some(location())),
        row("2", "2025-10-31", Some(location())),
        row("3", "2025-11-01", Some(location())),
        row("4", "2025-11-30", None),
        row("5", "2025-12-01", Some(location())),
        row("6", "2026-03-01", Some(location())),
        row("7", "2027-01-01", Some(location())),
    ];
    store.write(Arc::new(rows), OnExisting::Keep).await.unwrap();
    let report = running.run_with("retention", true).await.unwrap();
    let kept = "kept until all measurements are archived: 2025-11 (1 measurements)";
    assert_eq!(report.sentence, format!("2 measurements of 2019-05, 2025-10 would be removed; {kept}"));
    assert_eq!(uids(&store).await, ["1", "2", "3", "4", "5", "6", "7"]);
    let report = running.run("retention").await.unwrap();
    assert_eq!(report.sentence, format!("2 measurements of 2019-05, 2025-10 were removed; {kept}"));
    assert_eq!(uids(&store).await, ["3", "4", "5", "6", "7"]);
    store.set_body_locations(vec![("4".to_owned(), location())]).await.unwrap();
    assert_eq!(running.run("retention").await.unwrap().sentence, "2 measurements of 2025-11 were removed");
    assert_eq!(uids(&store).await, ["5", "6", "7"]);
    let report = running.run("retention").await.unwrap();
    assert_eq!((report.is_changed, &*report.sentence), (false, "no month was removed"));
    // The current month is never removed.
    place.config.jobs.retention = 1;
    place.run("retention").await.unwrap();
    assert_eq!(uids(&store).await, ["6", "7"]);
    place.config.jobs.retention = 0;
    assert!(place.run("retention").await.is_err());
    let all = Window::new(DateTime::MIN, DateTime::MAX);
    assert_eq!(store.unarchived(all).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_differ_are_rebuilt() {
    let place = Place::new();
    let running = place.start().await;
    let rows = vec![row("1", "2026-02-01", None), row("2", "2026-02-02", None)];
    running.store().write(Arc::new(rows), OnExisting::Keep).await.unwrap();
    let report = running.run("counters").await.unwrap();
    assert_eq!((report.is_changed, &*report.sentence), (false, "all 13 tables of counters agree with the rows"));
    let file = rusqlite::Connection::open(place.config.state_dir.join("ooni.db")).unwrap();
    file.execute("UPDATE rollup_week_input SET measurement_count = 99", []).unwrap();
    let report = running.run_with("counters", true).await.unwrap();
    assert!(report.is_changed && report.sentence.contains("would be rebuilt: week_input"), "{report:?}");
    let report = running.run("counters").await.unwrap();
    assert!(report.is_changed && report.sentence.contains("were rebuilt: week_input"), "{report:?}");
    let report = running.run("counters").await.unwrap();
    assert!(!report.is_changed, "{report:?}");
}
