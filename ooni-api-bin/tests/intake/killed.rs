//! The process is killed at each step between two durable changes, and continues: everything acknowledged is there once.

#![cfg(debug_assertions)] // there are no failpoints without

use crate::child::{command, run};
use crate::support::{Directory, body, records};
use ooni_api::failpoint::Failpoint;
use ooni_api::intake::{Cursor, Position};
use std::collections::{BTreeSet, HashMap};
use std::os::unix::process::ExitStatusExt as _;

#[tokio::test]
async fn what_was_acknowledged_is_there_once() {
    for point in Failpoint::INTAKE {
        let directory = Directory::new();
        let mut acknowledged = HashMap::new();
        for (number, times) in [1, 4, 2].into_iter().enumerate() {
            let mut command = command(None, directory.path(), &number.to_string());
            command.env("OONI_API_FAILPOINT", format!("{}:{times}", point.name()));
            let (lines, status) = run(command);
            assert_eq!(status.signal(), Some(9), "{point:?}:{times}: {status}");
            for line in lines {
                let [_, uid, number, length] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                let body = body(number.parse().unwrap(), length.parse().unwrap());
                assert!(acknowledged.insert(uid.to_owned(), body).is_none(), "{uid} was given out twice");
            }
            check(&directory, &acknowledged, point).await;
        }
    }
}

async fn check(directory: &Directory, acknowledged: &HashMap<String, Vec<u8>>, point: Failpoint) {
    let (intake, recovery) = directory.reopen().await;
    assert!(recovery.damaged.is_empty() && recovery.unreadable.is_empty(), "{point:?}: {recovery}");
    let cursor = Cursor::<u64>::open(directory.path(), "score").unwrap();
    assert_eq!(cursor.position().sequence, *cursor.state(), "{point:?}: counters belong to the position");
    let found = records(&intake).await;
    let first = found.first().map_or(recovery.last.sequence + 1, |record| record.sequence);
    assert!(first <= cursor.position().sequence + 1, "{point:?}: released before it was read");
    assert!(found.iter().zip(first..).all(|(record, sequence)| record.sequence == sequence), "{point:?}");
    let mut uids: BTreeSet<String> = BTreeSet::new();
    for record in &found {
        assert!(uids.insert(record.uid.clone()), "{point:?}: {} is there twice", record.uid);
        if let Some(body) = acknowledged.get(&record.uid) {
            assert!(record.body.bytes().unwrap() == *body, "{point:?}: {}", record.uid);
        }
    }
    let store = std::fs::read_to_string(directory.path().join("store")).unwrap_or_default();
    uids.extend(store.lines().map(str::to_owned));
    for uid in acknowledged.keys() {
        assert!(uids.contains(uid), "{point:?}: {uid} is lost");
    }
    // The first position is 0, and no record is without a UID.
    assert_eq!(recovery.last.sequence, uids.len() as u64, "{point:?}");
    assert!(
        intake
            .reader(Position::default())
            .next_ready()
            .await
            .unwrap()
            .is_none_or(|(record, _)| record.sequence == first)
    );
    intake.shutdown().await;
}
