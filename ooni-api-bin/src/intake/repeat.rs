//! Repeated submissions: a probe that did not get our answer sends the same body again.
//!
//! The key is the route, the report id as the probe sent it, and the hash of the body; if the submission brings a UID, the
//! key is the UID. An entry lasts for a time after the receive time, and the number of entries is bounded: the oldest go
//! first. A twin of a submission that is being written waits until that one is durable, or takes its place if it fails.

use super::submission::Route;
use crate::clock::Timestamp;
use sha2::{Digest as _, Sha512};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A hash of what makes a submission a repeat.
pub(crate) type Key = [u8; 16];

/// The key of a submission.
pub(crate) fn key(route: Route, key_report_id: &str, kept_uid: Option<&str>, digest: &[u8; 64]) -> Key {
    let hash = match kept_uid {
        Some(uid) => Sha512::new().chain_update(b"uid\0").chain_update(uid),
        None => {
            let route: &[u8] = match route {
                Route::Report => b"report\0",
                Route::SubmitMeasurement => b"submit\0",
                Route::Feed => b"feed\0",
                Route::Import => b"import\0",
            };
            Sha512::new().chain_update(route).chain_update(digest).chain_update(key_report_id)
        }
    };
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// The first submission with a key. The UID follows from the receive time and what the repeat brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) received: Timestamp,
    /// The start of the hash of the body. It differs if another body comes with the same UID.
    pub(crate) digest: [u8; 8],
    pub(crate) report_id: Option<Box<str>>,
}

impl First {
    pub(crate) fn new(received: Timestamp, digest: &[u8; 64], report_id: Option<&str>) -> First {
        let mut start = [0; 8];
        start.copy_from_slice(&digest[..8]);
        First { received, digest: start, report_id: report_id.map(Box::from) }
    }
}

/// The table of recent submissions.
#[derive(Debug)]
pub(crate) struct Repeats {
    window: u64,
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    slots: HashMap<Key, Slot>,
    /// The durable ones, oldest first.
    order: VecDeque<(Timestamp, Key)>,
}

#[derive(Debug)]
enum Slot {
    /// The sender is dropped when the submission is durable or has failed.
    Pending(watch::Receiver<()>),
    Done(First),
}

/// What to do with a submission.
#[derive(Debug)]
pub(crate) enum Begin {
    /// Write it.
    New(Ticket),
    /// Repeat the answer.
    Known(First),
    /// Begin again when this is closed.
    Pending(watch::Receiver<()>),
}

impl Repeats {
    pub(crate) fn new(window: Duration, most: usize) -> Repeats {
        let window = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        Repeats { window, most, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(self: &Arc<Repeats>, key: Key, now: Timestamp) -> Begin {
        let mut table = self.table();
        match table.slots.get(&key) {
            Some(Slot::Pending(receiver)) => return Begin::Pending(receiver.clone()),
            Some(Slot::Done(first)) if self.is_recent(first.received, now) => return Begin::Known(first.clone()),
            _ => {}
        }
        let (sender, receiver) = watch::channel(());
        table.slots.insert(key, Slot::Pending(receiver));
        Begin::New(Ticket { repeats: Arc::clone(self), key, done: false, _sender: sender })
    }

    pub(crate) fn is_recent(&self, received: Timestamp, now: Timestamp) -> bool {
        now.micros().saturating_sub(received.micros()) <= self.window
    }

    /// Records a durable submission. They come in the order of their receive times.
    pub(crate) fn add(&self, key: Key, first: First) {
        let mut table = self.table();
        let now = first.received;
        table.order.push_back((now, key));
        table.slots.insert(key, Slot::Done(first));
        while let Some(&(received, key)) = table.order.front() {
            if table.order.len() <= self.most && self.is_recent(received, now) {
                break;
            }
            table.order.pop_front();
            // The key may have been submitted again after its time.
            if matches!(table.slots.get(&key), Some(Slot::Done(first)) if first.received == received) {
                table.slots.remove(&key);
            }
        }
    }
}

/// The right to write a submission. Dropped without `accepted`, it passes to a twin.
#[derive(Debug)]
pub(crate) struct Ticket {
    repeats: Arc<Repeats>,
    key: Key,
    done: bool,
    _sender: watch::Sender<()>,
}

impl Ticket {
    /// The submission is durable.
    pub(crate) fn accepted(mut self, first: First) {
        self.repeats.add(self.key, first);
        self.done = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.done {
            self.repeats.table().slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000;

    fn first(received: u64) -> First {
        First { received: Timestamp::from_micros(received), digest: [0; 8], report_id: None }
    }

    fn known(repeats: &Arc<Repeats>, key: u8, now: u64) -> Option<u64> {
        match repeats.begin([key; 16], Timestamp::from_micros(now)) {
            Begin::Known(first) => Some(first.received.micros()),
            Begin::New(_) => None,
            Begin::Pending(_) => panic!("pending"),
        }
    }

    #[test]
    fn an_entry_lasts_an_hour() {
        let repeats = Arc::new(Repeats::new(Duration::from_secs(3600), 10));
        repeats.add([1; 16], first(5));
        assert_eq!(known(&repeats, 1, 5 + HOUR), Some(5));
        assert_eq!(known(&repeats, 1, 6 + HOUR), None);
        assert_eq!(known(&repeats, 2, 5), None);
    }

    #[test]
    fn the_oldest_go_first() {
        let repeats = Arc::new(Repeats::new(Duration::from_secs(3600), 2));
        for key in 1..=3 {
            repeats.add([key; 16], first(u64::from(key)));
        }
        assert_eq!([1, 2, 3].map(|key| known(&repeats, key, 3)), [None, Some(2), Some(3)]);
        repeats.add([4; 16], first(4 + 2 * HOUR));
        assert_eq!(repeats.table().slots.len(), 1);
    }

    #[tokio::test]
    async fn a_twin_waits_and_takes_the_place_of_a_failure() {
        let repeats = Arc::new(Repeats::new(Duration::from_secs(3600), 10));
        let begin = || repeats.begin([1; 16], Timestamp::from_micros(9));
        let Begin::New(ticket) = begin() else { panic!() };
        let Begin::Pending(mut wait) = begin() else { panic!() };
        assert!(!wait.has_changed().unwrap());
        drop(ticket);
        wait.changed().await.unwrap_err();
        let Begin::New(ticket) = begin() else { panic!() };
        let Begin::Pending(mut wait) = begin() else { panic!() };
        ticket.accepted(first(9));
        wait.changed().await.unwrap_err();
        let Begin::Known(found) = begin() else { panic!() };
        assert_eq!(found, first(9));
    }

    #[test]
    fn keys() {
        let key = |route, report_id, uid, digest| super::key(route, report_id, uid, &[digest; 64]);
        let base = key(Route::Report, "r", None, 1);
        assert_eq!(base, key(Route::Report, "r", None, 1));
        let others = [
            key(Route::SubmitMeasurement, "r", None, 1),
            key(Route::Report, "s", None, 1),
            key(Route::Report, "r", None, 2),
            key(Route::Report, "r", Some("r"), 1),
        ];
        assert!(!others.contains(&base));
        assert_eq!(key(Route::Feed, "r", Some("u"), 1), key(Route::Import, "s", Some("u"), 2));
    }
}
