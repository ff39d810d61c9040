//! Metrics of what the parts of the server report to `/health`, so that both say the same.

use crate::health::Parts;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Error, Gauge, IntCounter, IntCounterVec, IntGaugeVec, Opts};

/// The metrics of a moment.
pub(super) fn families(parts: &Parts) -> Result<Vec<MetricFamily>, Error> {
    let mut families = Families::default();
    let intake = &parts.intake;
    families.counter("ooniapi_intake_accepted_total", "Measurements accepted ever", intake.accepted)?;
    families.counter("ooniapi_intake_repeated_total", "Repeated submissions since the start", intake.repeated)?;
    families.counter("ooniapi_intake_bytes_total", "Bytes of accepted bodies since the start", intake.bytes)?;
    families.counter("ooniapi_intake_syncs_total", "Syncs since the start", intake.syncs)?;
    families.counter("ooniapi_intake_failures_total", "Failed writes and syncs since the start", intake.failures)?;
    families.gauge(
        "ooniapi_intake_up",
        "Whether submissions can be stored: the last attempt did not fail",
        f64::from(u8::from(!intake.failing)),
    )?;
    families.gauge("ooniapi_intake_waiting", "Submissions that wait for the disk", intake.waiting as f64)?;
    families.gauge("ooniapi_intake_segments", "Segments of the intake log", intake.segments as f64)?;
    families.gauge("ooniapi_intake_segment_bytes", "Size of the intake log in bytes", intake.segment_bytes as f64)?;
    families.gauge("ooniapi_intake_damaged", "Measurements in the log that cannot be read", intake.damaged as f64)?;
    families.gauge(
        "ooniapi_intake_free_bytes",
        "Free bytes of the disk with the intake log",
        intake.free_bytes as f64,
    )?;

    let scoring = &parts.scoring;
    let outcomes = &scoring.outcomes;
    families.counters(
        "ooniapi_scoring_measurements_total",
        "Scored measurements by what became of them",
        "outcome",
        &[
            ("stored", outcomes.stored),
            ("discarded", outcomes.discarded),
            ("rejected", outcomes.rejected),
            ("refused", outcomes.refused),
            ("damaged", outcomes.damaged),
        ],
    )?;
    families.gauge("ooniapi_scoring_pending", "Accepted measurements that are not scored", scoring.pending as f64)?;
    families.gauge(
        "ooniapi_scoring_lag_seconds",
        "Age of the oldest measurement that is not scored, in seconds",
        scoring.lag_seconds,
    )?;

    let archive = &parts.archive;
    let archived = &archive.archived;
    families.counters(
        "ooniapi_archive_measurements_total",
        "Archived measurements by kind of can",
        "can",
        &[("postcan", archived.postcans), ("quarantine", archived.quarantined)],
    )?;
    families.counter("ooniapi_archive_cans_total", "Archived cans", archived.cans)?;
    families.gauge("ooniapi_archive_pending", "Accepted measurements that are not archived", archive.pending as f64)?;
    families.gauge(
        "ooniapi_archive_lag_seconds",
        "Age of the oldest measurement that is not archived, in seconds",
        archive.lag_seconds,
    )?;
    if let Some(seconds) = archive.last_success {
        families.gauge(
            "ooniapi_archive_last_success_timestamp_seconds",
            "When the last can was archived, in seconds since 1970",
            seconds as f64,
        )?;
    }

    families.gauge("ooniapi_store_up", "Whether the store answers", f64::from(u8::from(parts.store.reachable)))?;
    if let Some(urls) = parts.test_lists {
        families.gauge("ooniapi_test_list_urls", "URLs in the global test list", urls as f64)?;
    }
    let files = [("asn", parts.geolocation.asn), ("cc", parts.geolocation.cc)];
    let built: Vec<(&str, u64)> = files.into_iter().filter_map(|(file, built)| Some((file, built?))).collect();
    families.gauges(
        "ooniapi_geoip_built_timestamp_seconds",
        "When a geolocation file was built, in seconds since 1970",
        "file",
        &built,
    )?;
    Ok(families.0)
}

#[derive(Default)]
struct Families(Vec<MetricFamily>);

impl Families {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value);
        self.0.extend(counter.collect());
        Ok(())
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> Result<(), Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
        for (of, value) in values {
            counters.with_label_values(&[of]).inc_by(*value);
        }
        self.0.extend(counters.collect());
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> Result<(), Error> {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        self.0.extend(gauge.collect());
        Ok(())
    }

    /// Nothing without values: a family must not be empty.
    fn gauges(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> Result<(), Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
        for (of, value) in values {
            gauges.with_label_values(&[of]).set(i64::try_from(*value).unwrap_or(i64::MAX));
        }
        if !values.is_empty() {
            self.0.extend(gauges.collect());
        }
        Ok(())
    }
}
