//! [`Reads`]: what a request for measurements, charts or pages passes before its handler: the cache, the limits of its client,
//! and the gate. Submissions and probe services pass none of these.

use super::cache::{Found, ResponseCache};
use super::error::Error;
use super::etag;
use super::gate::{Gate, Pass, Place};
use super::limits::{Account, Limits, Meter, X_RATELIMIT_REMAINING};
use super::metrics::{CacheMetrics, ReadMetrics};
use super::request::Request;
use super::response::Response;
use super::unsent::{Space, Unsent, counted};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::router::Class;
use hyper::Method;
use hyper::body::Body;
use hyper::header::HeaderValue;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::timeout;

/// The limits and the cache of reads.
#[derive(Debug)]
pub(super) struct Reads {
    cache: Arc<ResponseCache>,
    limits: Arc<Limits>,
    gate: Gate,
    unsent: Arc<Unsent>,
    metrics: ReadMetrics,
}

/// A read whose handler was called.
struct Running {
    meter: Option<Meter>,
    /// Dropped last: what is not running any more is charged.
    _pass: Pass,
}

/// A read whose response is large and is being sent.
pub(super) struct Sending {
    meter: Option<Meter>,
    /// Dropped last, like a pass.
    _space: Space,
}

impl Sending {
    /// More of a stream is waited for.
    pub(super) fn resume(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.resume();
        }
    }

    /// The client takes what there is of a stream.
    pub(super) fn pause(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.pause();
        }
    }
}

impl Reads {
    /// # Errors
    /// A setting cannot be used. The text names it.
    pub(super) fn open(config: &Config, metrics: &Metrics) -> anyhow::Result<Reads> {
        let reads = ReadMetrics::new(metrics)?;
        Ok(Reads {
            cache: Arc::new(ResponseCache::new(&config.cache, CacheMetrics::new(metrics)?)),
            limits: Arc::new(Limits::open(&config.limits).map_err(anyhow::Error::msg)?),
            gate: Gate::new(&config.reads, reads.clone()),
            unsent: Arc::new(Unsent::new(config.reads.max_unsent_bytes, reads.unsent.clone())),
            metrics: reads,
        })
    }

    /// Whether the requests of a class are reads.
    pub(super) fn include(class: Class) -> bool {
        matches!(class, Class::Measurement | Class::Private | Class::Page)
    }

    /// The response to a read, or 304 if its client has it by `condition`; and what is left of the read until the response is sent.
    /// `handle` calls its handler.
    pub(super) async fn answer<F>(
        &self,
        class: Class,
        request: Request,
        condition: Option<&HeaderValue>,
        handle: impl FnOnce(Request) -> F,
    ) -> (Result<Response, Error>, Option<Sending>)
    where
        F: Future<Output = Result<Response, Error>>,
    {
        let (client, is_head) = (request.client(), *request.method() == Method::HEAD);
        let is_metered = class == Class::Measurement;
        let account = is_metered.then(|| self.limits.account(client)).flatten();
        let mut running = None;
        let result = self.find_or_compute(account.as_ref(), request, handle, &mut running).await;
        let mut result = result.map(|response| etag::apply(response, condition));
        let meter = running.as_mut().and_then(|running: &mut Running| running.meter.as_mut());
        let remaining = meter.map(Meter::charge).or_else(|| account.map(|account| account.remaining()));
        let mut sending = None;
        if let (Ok(response), Some(running), false) = (&result, running, is_head) {
            match self.send(client, running, response) {
                Ok(begun) => sending = begun,
                Err(error) => result = Err(error),
            }
        }
        let result = match remaining {
            Some(remaining) => {
                let mut response = result.unwrap_or_else(Error::into_response);
                response.headers_mut().insert(X_RATELIMIT_REMAINING, HeaderValue::from(remaining));
                Ok(response)
            }
            None => result,
        };
        (result, sending)
    }

    /// Exchanges the pass of a read for space for its response; `None` if that is small.
    ///
    /// # Errors
    /// 503 if there is too little space.
    fn send(&self, client: IpAddr, running: Running, response: &Response) -> Result<Option<Sending>, Error> {
        let size = response.body().size_hint();
        let Some(bytes) = counted(&size) else { return Ok(None) };
        let space = self.unsent.reserve(client, bytes).ok_or_else(|| self.gate.refuse())?;
        // The client is not charged for a slow connection.
        let meter = running.meter.filter(|_| size.exact().is_none());
        Ok(Some(Sending { meter, _space: space }))
    }

    async fn find_or_compute<F>(
        &self,
        account: Option<&Account>,
        request: Request,
        handle: impl FnOnce(Request) -> F,
        running: &mut Option<Running>,
    ) -> Result<Response, Error>
    where
        F: Future<Output = Result<Response, Error>>,
    {
        let found = match self.cache.key(&request).map(|key| self.cache.find(key)) {
            Some(Found::Hit(response)) => return Ok(response),
            other => other,
        };
        if let Some(account) = account {
            account.check().inspect_err(|_| self.metrics.rate_limited.inc())?;
        }
        let (fill, place) = match found {
            Some(Found::Miss(fill)) => (Some(fill), None),
            Some(Found::Busy(waiting)) => {
                let place = self.gate.wait()?;
                match timeout(self.gate.patience(), waiting.turn()).await {
                    Ok(Ok(fill)) => (Some(fill), Some(place)),
                    Ok(Err(Some(response))) => return Ok(response),
                    Ok(Err(None)) => (None, Some(place)),
                    Err(_) => return Err(self.gate.refuse()),
                }
            }
            _ => (None, None),
        };
        let computed = self.compute(account, place, request, handle, running).await;
        match fill {
            Some(fill) => fill.finish(computed).await,
            None => computed,
        }
    }

    async fn compute<F>(
        &self,
        account: Option<&Account>,
        place: Option<Place>,
        request: Request,
        handle: impl FnOnce(Request) -> F,
        running: &mut Option<Running>,
    ) -> Result<Response, Error>
    where
        F: Future<Output = Result<Response, Error>>,
    {
        let pass = self.gate.enter(place).await?;
        *running = Some(Running { meter: account.cloned().map(Meter::start), _pass: pass });
        handle(request).await
    }
}
