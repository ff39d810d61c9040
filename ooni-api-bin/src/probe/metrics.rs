//! The metrics of probe services (operations spec §7.3).

use crate::metrics::Metrics;
use prometheus::{IntCounter, IntCounterVec, IntGauge};

/// Counters and gauges of probe services.
#[derive(Clone, Debug)]
pub struct ProbeMetrics {
    /// Submissions that came in.
    pub received: IntCounter,
    /// Submissions that were refused or discarded, by reason.
    pub bad: IntCounterVec,
    /// Discarded for network 0.
    pub discarded_asn: IntCounter,
    /// Discarded for country ZZ.
    pub discarded_cc: IntCounter,
    /// Submissions from where they say they are from.
    pub location_match: IntCounter,
    /// Submissions from another country or network.
    pub location_mismatch: IntCounterVec,
    /// Logins.
    pub logins: IntCounterVec,
    /// Registrations.
    pub registrations: IntCounter,
    /// Updates of a registration.
    pub updates: IntCounter,
    /// Length of the last list that a check-in returned.
    pub check_in_urls: IntGauge,
    /// Length of the last list that `test-list/urls` returned.
    pub test_list_urls: IntGauge,
    /// Check-ins whose address is known, by country. The reference counts networks apart as well, which would be tens of
    /// thousands of time series.
    pub address_found: IntCounterVec,
    /// Check-ins whose address is not known.
    pub address_not_found: IntCounter,
    /// Check-ins that claim another country than their address has.
    pub cc_differs: IntCounter,
    /// Check-ins that claim another network than their address has.
    pub asn_differs: IntCounter,
}

impl ProbeMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name is not that of a metric.
    pub fn new(metrics: &Metrics) -> Result<ProbeMetrics, prometheus::Error> {
        Ok(ProbeMetrics {
            received: metrics.counter("receive_measurement_count", "Incoming measurements")?,
            bad: metrics.counters(
                "measurement_bad_count",
                "Measurements that were refused or discarded, or contradict their report",
                &["reason"],
            )?,
            discarded_asn: metrics.counter("receive_measurement_discard_asn_0", "Measurements of network 0")?,
            discarded_cc: metrics.counter("receive_measurement_discard_cc_zz", "Measurements of country ZZ")?,
            location_match: metrics.counter("probe_cc_asn_match", "Measurements from where they say they are from")?,
            location_mismatch: metrics.counters(
                "probe_cc_asn_nomatch",
                "Measurements from another country or network than they say",
                &["mismatch"],
            )?,
            logins: metrics.counters("probe_login_requests", "Logins of probes", &["state", "detail", "login"])?,
            registrations: metrics.counter("probe_register_count", "Registrations of probes")?,
            updates: metrics.counter("probe_update_count", "Updates of registrations of probes")?,
            check_in_urls: metrics.gauge("check_in_test_list_count", "Length of the last list of a check-in")?,
            test_list_urls: metrics.gauge("test_list_urls_count", "Length of the last list of test-list/urls")?,
            address_found: metrics.counters("geoip_ipaddr_found", "Check-ins of known addresses", &["probe_cc"])?,
            address_not_found: metrics.counter("geoip_ipaddr_not_found", "Check-ins of unknown addresses")?,
            cc_differs: metrics.counter("geoip_cc_differs", "Check-ins that claim another country")?,
            asn_differs: metrics.counter("geoip_asn_differs", "Check-ins that claim another network")?,
        })
    }
}
