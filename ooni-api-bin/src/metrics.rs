//! [`Metrics`]: the registry of metrics in Prometheus' format (operations spec §7.3).
//!
//! Each part of the server has a structure of its own metrics, which it registers here. The registry itself has those of the
//! process.

mod parts;
mod process;

use self::process::Process;
use crate::health::Parts;
use crate::version;
use prometheus::core::Collector;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// The media type of the text format.
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// The registry of one server.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let metrics = Metrics { registry: Registry::new() };
        if let Err(error) = metrics.add_process() {
            tracing::error!(%error, "the metrics of the process cannot be registered");
        }
        metrics
    }
}

impl Metrics {
    fn add_process(&self) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(Process::new()?))?;
        let build = self.gauges("build_info", "Version of the program; always 1", &["version", "build_label"])?;
        build.with_label_values(&[version::VERSION, version::BUILD_LABEL.unwrap_or_default()]).set(1);
        Ok(())
    }

    /// Registers a metric. One whose name is taken is returned unregistered, and a line is logged.
    pub fn register<M: Collector + Clone + 'static>(&self, metric: M) -> M {
        if let Err(error) = self.registry.register(Box::new(metric.clone())) {
            tracing::error!(%error, "a metric cannot be registered");
        }
        metric
    }

    /// A counter without labels.
    ///
    /// # Errors
    /// The name is not that of a metric.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        Ok(self.register(IntCounter::new(name, help)?))
    }

    /// A counter with labels.
    ///
    /// # Errors
    /// A name is not that of a metric or label.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        Ok(self.register(IntCounterVec::new(Opts::new(name, help), labels)?))
    }

    /// A gauge without labels.
    ///
    /// # Errors
    /// The name is not that of a metric.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        Ok(self.register(IntGauge::new(name, help)?))
    }

    /// A gauge with labels.
    ///
    /// # Errors
    /// A name is not that of a metric or label.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        Ok(self.register(IntGaugeVec::new(Opts::new(name, help), labels)?))
    }

    /// All metrics as text, with those of what the parts of the server report.
    ///
    /// # Errors
    /// A metric cannot be written as text.
    pub fn text(&self, parts: &Parts) -> Result<Vec<u8>, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(parts::families(parts)?);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::GeolocationHealth;
    use std::collections::BTreeSet;

    #[test]
    fn every_metric_has_a_type_and_a_help_text() {
        let metrics = Metrics::default();
        metrics.counter("submissions", "Submissions").unwrap().inc();
        let geolocation = GeolocationHealth { asn: Some(1), cc: None };
        let parts = Parts { geolocation, ..Parts::default() };
        let text = String::from_utf8(metrics.text(&parts).unwrap()).unwrap();
        let named = |comment: &str| -> BTreeSet<&str> {
            text.lines().filter_map(|line| line.strip_prefix(comment)?.split_once(' ').map(|(name, _)| name)).collect()
        };
        let values = text.lines().filter(|line| !line.starts_with('#'));
        let names: BTreeSet<&str> = values.filter_map(|line| line.split(['{', ' ']).next()).collect();
        assert_eq!(names, named("# TYPE "), "{text}");
        assert_eq!(names, named("# HELP "), "{text}");
        assert!(text.contains("ooniapi_scoring_measurements_total{outcome=\"stored\"} 0\n"), "{text}");
        for name in [
            "build_info",
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "submissions",
            "ooniapi_geoip_built_timestamp_seconds",
        ] {
            assert!(names.contains(name), "{text}");
        }
    }
}
