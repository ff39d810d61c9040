//! [`HttpClient`]: an HTTP/1.1 client that uses the proxies and certificate authorities of the environment.
//!
//! It knows nothing of S3 and does not retry.

mod proxy;
mod request_body;
mod tls;

pub(crate) use self::request_body::RequestBody;

use self::proxy::{Proxies, ProxyConnector};
use super::failure::Failure;
use super::retry::RetryPolicy;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::PROXY_AUTHORIZATION;
use hyper::{Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Idle connections are closed after this time.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// An HTTP client; clones share its connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<ProxyConnector>, RequestBody>,
    proxies: Arc<Proxies>,
    idle_timeout: Duration,
    request_timeout: Duration,
}

impl HttpClient {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, also in lower case, and `AWS_CA_BUNDLE`,
    /// `SSL_CERT_FILE`, `SSL_CERT_DIR`.
    ///
    /// # Errors
    /// A sentence that names a variable of the environment whose value cannot be used.
    pub(crate) fn new(policy: &RetryPolicy) -> Result<HttpClient, String> {
        let tls = Arc::new(tls::config()?);
        let proxies = Arc::new(Proxies::of_environment()?);
        let connector = ProxyConnector::new(Arc::clone(&proxies), &tls, policy.idle_timeout);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_ALIVE)
            .build(HttpsConnector::from((connector, tls)));
        let RetryPolicy { idle_timeout, request_timeout, .. } = *policy;
        Ok(HttpClient { client, proxies, idle_timeout, request_timeout })
    }

    /// Sends a request and waits for the head of the response.
    pub(crate) async fn send(&self, mut request: Request<RequestBody>) -> Result<HttpResponse, Failure> {
        if let Some(credentials) = self.proxies.credentials(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials);
        }
        let deadline = Instant::now() + self.request_timeout;
        let sent = request.body().sent();
        let mut response = pin!(self.client.request(request));
        let response = loop {
            let before = sent.load(Ordering::Relaxed);
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(self.idle_timeout.min(left), &mut response).await {
                Ok(response) => break response.map_err(|error| Failure::of_connection(&error))?,
                Err(_) if left < self.idle_timeout => return Err(Failure::too_slow(self.request_timeout)),
                // The body is still being sent.
                Err(_) if sent.load(Ordering::Relaxed) > before => {}
                Err(_) => return Err(Failure::idle(self.idle_timeout)),
            }
        };
        let (head, body) = response.into_parts();
        let timeouts = Timeouts { idle: self.idle_timeout, request: self.request_timeout, deadline };
        Ok(Response::from_parts(head, ResponseBody { body, timeouts }))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("proxies", &self.proxies).finish_non_exhaustive()
    }
}

/// A response whose body is still to be received.
pub(crate) type HttpResponse = Response<ResponseBody>;

/// The body of a response.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    body: Incoming,
    timeouts: Timeouts,
}

#[derive(Debug)]
struct Timeouts {
    idle: Duration,
    request: Duration,
    deadline: Instant,
}

impl ResponseBody {
    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Timeouts { idle, request, deadline } = self.timeouts;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let frame = timeout(idle.min(left), self.body.frame()).await.map_err(|_| match left < idle {
                true => Failure::too_slow(request),
                false => Failure::idle(idle),
            })?;
            match frame.transpose().map_err(|error| Failure::of_connection(&error))? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// The whole body, if it has at most `most` bytes.
    pub(crate) async fn bytes(&mut self, most: usize) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > most {
                return Err(Failure::permanent(format!("the response has more than {most} bytes")));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}
