//! [`HttpMetrics`]: metrics of requests and connections (operations spec §7.1, §7.3).

use crate::metrics::Metrics;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge};
use std::time::Duration;

/// Bounds of the durations, in seconds.
const SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
/// Bounds of the sizes, in bytes.
const BYTES: &[f64] = &[256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 16_777_216.0, 268_435_456.0];

/// Metrics of requests and connections, of all listeners.
#[derive(Clone, Debug)]
pub(super) struct HttpMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    request_sizes: HistogramVec,
    response_sizes: HistogramVec,
    /// Requests in progress.
    pub(super) busy: IntGauge,
    /// Open connections.
    pub(super) connections: IntGauge,
    /// Bytes of request bodies in memory.
    pub(super) body_bytes: IntGauge,
    /// Handlers that panicked.
    pub(super) panics: IntCounter,
    /// Connections that could not be accepted.
    pub(super) accept_errors: IntCounter,
    /// TLS handshakes that failed.
    pub(super) tls_errors: IntCounter,
}

impl HttpMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<HttpMetrics, prometheus::Error> {
        let histogram = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            HistogramVec::new(options, labels).map(|histogram| metrics.register(histogram))
        };
        let labels = &["handler", "method", "status"];
        Ok(HttpMetrics {
            requests: metrics.counters("ooniapi_http_requests_total", "Requests", labels)?,
            durations: histogram(
                "ooniapi_http_request_duration_seconds",
                "Time from the headers of a request to the end of its response",
                labels,
                SECONDS,
            )?,
            request_sizes: histogram(
                "ooniapi_http_request_size_bytes",
                "Size of request bodies as they were sent",
                &labels[..1],
                BYTES,
            )?,
            response_sizes: histogram(
                "ooniapi_http_response_size_bytes",
                "Size of response bodies as they were sent",
                &labels[..1],
                BYTES,
            )?,
            busy: metrics.gauge("busy_workers_count", "Requests in progress")?,
            connections: metrics.gauge("ooniapi_http_connections", "Open connections")?,
            body_bytes: metrics.gauge("ooniapi_http_body_bytes_in_flight", "Bytes of request bodies in memory")?,
            panics: metrics.counter("ooniapi_http_panics_total", "Requests whose handler panicked")?,
            accept_errors: metrics.counter("ooniapi_http_accept_errors_total", "Connections that were not accepted")?,
            tls_errors: metrics.counter("ooniapi_http_tls_errors_total", "TLS handshakes that failed")?,
        })
    }

    /// A request that was answered.
    pub(super) fn answered(&self, request: &Answered<'_>) {
        let labels = &[request.handler, request.method, request.status];
        self.requests.with_label_values(labels).inc();
        self.durations.with_label_values(labels).observe(request.duration.as_secs_f64());
        self.request_sizes.with_label_values(&labels[..1]).observe(request.received as f64);
        self.response_sizes.with_label_values(&labels[..1]).observe(request.sent as f64);
    }

    /// A request that could not be parsed: its method and route are not known.
    pub(super) fn unparsable(&self, status: &str) {
        self.requests.with_label_values(&["none", "none", status]).inc();
    }
}

/// What is counted of a request.
pub(super) struct Answered<'a> {
    /// The path of its route.
    pub(super) handler: &'a str,
    pub(super) method: &'a str,
    pub(super) status: &'a str,
    pub(super) duration: Duration,
    /// Size of its body.
    pub(super) received: u64,
    /// Size of the body of its response.
    pub(super) sent: u64,
}

/// Metrics of reads: requests for measurements, charts and pages.
#[derive(Clone, Debug)]
pub(super) struct ReadMetrics {
    /// Those that are processed.
    pub(super) running: IntGauge,
    /// Those that wait.
    pub(super) queued: IntGauge,
    /// What clients have not taken yet of large responses, as it is counted.
    pub(super) unsent: IntGauge,
    /// Those that were refused because of others.
    pub(super) refused: IntCounter,
    /// Those that were refused because of their client's limit.
    pub(super) rate_limited: IntCounter,
}

impl ReadMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<ReadMetrics, prometheus::Error> {
        Ok(ReadMetrics {
            running: metrics.gauge("ooniapi_reads_running", "Reads that are being processed")?,
            queued: metrics.gauge("ooniapi_reads_queued", "Reads that are waiting in the queue")?,
            unsent: metrics.gauge("ooniapi_reads_unsent_bytes", "Large responses to reads that are being sent")?,
            refused: metrics.counter("ooniapi_reads_refused_total", "Reads refused because there were too many")?,
            rate_limited: metrics
                .counter("rate_limit_hits", "Requests refused because of the rate limit of their client")?,
        })
    }
}

/// Metrics of the cache of responses.
#[derive(Clone, Debug)]
pub(super) struct CacheMetrics {
    /// Requests that were answered with a fresh response of the cache.
    pub(super) hits: IntCounter,
    /// Requests that were answered with an old response, because a new one failed.
    pub(super) stale: IntCounter,
    /// Requests whose response had to be computed.
    pub(super) misses: IntCounter,
    /// Responses that were kept.
    pub(super) fills: IntCounter,
    /// Responses that were removed for others.
    pub(super) evictions: IntCounter,
    /// Memory of the responses.
    pub(super) bytes: IntGauge,
    /// Number of responses.
    pub(super) responses: IntGauge,
}

impl CacheMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<CacheMetrics, prometheus::Error> {
        let requests = metrics.counters(
            "ooniapi_cache_requests_total",
            "Requests of cached routes: answered from the cache, with an expired response after an error, or not in the cache",
            &["result"],
        )?;
        Ok(CacheMetrics {
            hits: requests.with_label_values(&["hit"]),
            stale: requests.with_label_values(&["stale"]),
            misses: requests.with_label_values(&["miss"]),
            fills: metrics.counter("ooniapi_cache_fills_total", "Responses added to the cache")?,
            evictions: metrics.counter("ooniapi_cache_evictions_total", "Responses evicted from the cache")?,
            bytes: metrics.gauge("ooniapi_cache_bytes", "Memory of the cached responses in bytes")?,
            responses: metrics.gauge("ooniapi_cache_responses", "Cached responses")?,
        })
    }
}
