//! [`Faults`]: measurements that contradict what the server knows, recorded in `faulty_measurements` (API spec §5.11).
//!
//! Nothing is refused for it. Records are written in the background; if they come faster than the store takes them, or if
//! it is not available, they are dropped and counted.

use super::report_id::ReportId;
use super::software::Software;
use crate::clock::{Clock, Timestamp};
use crate::geo::Geolocation;
use crate::metrics::Metrics;
use crate::stores::Stores;
use ooni_core::hex::hex;
use ooni_store::app::row::{AppRow, FaultyMeasurement};
use ooni_store::{Deadline, ErrorKind};
use prometheus::IntCounter;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;

/// Records that wait at most.
const WAITING: usize = 1000;

/// Records that are written in one transaction at most.
const BATCH: usize = 200;

/// How long a transaction may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The records of faulty measurements.
#[derive(Debug)]
pub struct Faults {
    waiting: mpsc::Sender<FaultyMeasurement>,
    clock: Clock,
    dropped: IntCounter,
}

impl Faults {
    /// Starts the task that writes. It ends when this is dropped and everything is written.
    ///
    /// # Errors
    /// A metric cannot be created.
    pub fn start(stores: Stores, clock: Clock, metrics: &Metrics) -> Result<Faults, prometheus::Error> {
        let written = metrics.counter("faulty_measurements_count", "Records written to faulty_measurements")?;
        let dropped = metrics.counter(
            "faulty_measurements_dropped_count",
            "Records that were not written since the store was slow or not available",
        )?;
        let (waiting, queue) = mpsc::channel(WAITING);
        tokio::spawn(write(queue, stores, written, dropped.clone()));
        Ok(Faults { waiting, clock, dropped })
    }

    /// Records that an address is not where the measurement says it is.
    pub fn location(&self, uid: &str, report: &ReportId, found: &Geolocation, software: &Software) {
        let details = json!({
            "submission_cc": report.probe_cc,
            "submission_asn": report.probe_asn,
            "measurement_uid": uid,
            "software_name": software.name,
            "software_version": software.version,
            "platform": software.platform,
        });
        self.record("geoip", found.cc_or_zz(), found.asn_or_0(), &details);
    }

    /// Records a fault of any kind.
    pub fn record(&self, kind: &str, probe_cc: &str, probe_asn: u32, details: &Value) {
        let fault = FaultyMeasurement {
            ts: millis(self.clock.now()),
            kind: kind.to_owned(),
            uid: uuid(),
            probe_cc: probe_cc.to_owned(),
            probe_asn,
            details: details.to_string(),
        };
        if self.waiting.try_send(fault).is_err() {
            self.dropped.inc();
        }
    }
}

/// Writes what comes until the sender is dropped.
async fn write(mut queue: mpsc::Receiver<FaultyMeasurement>, stores: Stores, written: IntCounter, dropped: IntCounter) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let rows: Vec<AppRow> = batch.drain(..).map(AppRow::Fault).collect();
        let count = rows.len() as u64;
        let result = match stores.application() {
            Ok(store) => store.with_deadline(Deadline::after(PATIENCE)).write_application(rows).await,
            Err(_) => {
                dropped.inc_by(count);
                continue;
            }
        };
        match result {
            Ok(()) => written.inc_by(count),
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::Unavailable) {
                    tracing::warn!(%error, count, "faulty measurements cannot be recorded");
                }
                dropped.inc_by(count);
            }
        }
    }
}

/// `YYYY-MM-DD hh:mm:ss.mmm`.
fn millis(time: Timestamp) -> String {
    format!("{}.{:03}", time.date_time(), time.micros() / 1000 % 1000)
}

/// A random UUID (version 4).
fn uuid() -> String {
    let mut bytes: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(millis(Timestamp::from_micros(1_612_822_030_081_572)), "2021-02-08 22:07:10.081");
        let id = uuid();
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!((lengths, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"));
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
        assert_ne!(id, uuid());
    }
}
