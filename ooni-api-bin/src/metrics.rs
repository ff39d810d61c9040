//! [`Metrics`]: the registry of metrics in Prometheus' format (operations spec §7.3).
//!
//! Each part of the server has a structure of its own metrics, which it registers here.

use prometheus::core::Collector;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// The registry of one server.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
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

    /// All metrics as text.
    ///
    /// # Errors
    /// A metric cannot be written as text.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
