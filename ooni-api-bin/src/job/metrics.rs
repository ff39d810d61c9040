//! [`JobMetrics`]: metrics of jobs, with the names of operations spec §7.2 where they exist.

use super::Job;
use crate::clock::Timestamp;
use crate::metrics::Metrics;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use std::time::Duration;

/// Metrics of jobs.
#[derive(Clone, Debug)]
pub(super) struct JobMetrics {
    last_success: IntGaugeVec,
    duration: GaugeVec,
    failures: IntCounterVec,
    /// URLs of the test lists.
    pub(super) test_list_len: IntGauge,
    /// DNS fingerprints.
    pub(super) fingerprints_dns_len: IntGauge,
    /// HTTP fingerprints.
    pub(super) fingerprints_http_len: IntGauge,
    /// Names of networks.
    pub(super) asnmeta_len: IntGauge,
    /// Nodes of the geolocation files: networks, countries.
    pub(super) geoip_nodes: [IntGauge; 2],
    /// When the geolocation files were built.
    pub(super) geoip_epochs: [IntGauge; 2],
    /// Replaced geolocation files.
    pub(super) geoip_updated: IntCounter,
    /// Geolocation files that failed the checks.
    pub(super) geoip_checkfail: IntCounter,
}

impl JobMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<JobMetrics, prometheus::Error> {
        let duration = Opts::new("job_duration_seconds", "Duration of the last run of a job, in seconds");
        Ok(JobMetrics {
            last_success: metrics.gauges(
                "job_last_success_timestamp",
                "When a job last succeeded, in seconds since 1970",
                &["job"],
            )?,
            duration: metrics.register(GaugeVec::new(duration, &["job"])?),
            failures: metrics.counters("job_failures_total", "Failed runs of a job", &["job"])?,
            test_list_len: metrics.gauge("citizenlab_test_list_len", "URLs of the test lists")?,
            fingerprints_dns_len: metrics.gauge("fingerprints_dns_tmp_len", "DNS fingerprints")?,
            fingerprints_http_len: metrics.gauge("fingerprints_http_tmp_len", "HTTP fingerprints")?,
            asnmeta_len: metrics.gauge("asnmeta_tmp_len", "Names of networks")?,
            geoip_nodes: [
                metrics.gauge("geoip_asn_node_cnt", "Nodes of the geolocation file with networks")?,
                metrics.gauge("geoip_cc_node_cnt", "Nodes of the geolocation file with countries")?,
            ],
            geoip_epochs: [
                metrics.gauge("geoip_asn_epoch", "Build of the file with networks, in seconds since 1970")?,
                metrics.gauge("geoip_cc_epoch", "Build of the file with countries, in seconds since 1970")?,
            ],
            geoip_updated: metrics.counter("ooni_geoip_updated", "Replaced geolocation files")?,
            geoip_checkfail: metrics.counter("ooni_geoip_checkfail", "Refused geolocation files")?,
        })
    }

    pub(super) fn succeeded(&self, job: &Job, at: Timestamp) {
        self.last_success.with_label_values(&[job.name]).set(int(at.seconds()));
    }

    pub(super) fn ran(&self, job: &Job, duration: Duration) {
        self.duration.with_label_values(&[job.name]).set(duration.as_secs_f64());
    }

    pub(super) fn failed(&self, job: &Job, duration: Duration) {
        self.ran(job, duration);
        self.failures.with_label_values(&[job.name]).inc();
    }
}

/// A number as the value of a gauge.
pub(super) fn int<N: TryInto<i64>>(number: N) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
