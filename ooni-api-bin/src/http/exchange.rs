//! One request and its response.

use super::anonymize::anonymize;
use super::compress::{self, Coding};
use super::cors;
use super::error::Error;
use super::etag;
use super::incoming::{Body, Progress};
use super::metrics::{Answered, HttpMetrics};
use super::reads::{Reads, Sending};
use super::request::{Origin, Request};
use super::response::{self, Response};
use super::server::Shared;
use super::state::State;
use crate::app::App;
use crate::page;
use crate::router::{Class, Found, Handler, Router};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, EXPECT, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};
use std::any::Any;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Instant;
use tracing::Instrument;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Length of a request id that is kept.
const MAX_REQUEST_ID: usize = 64;
/// A body of which at most this many bytes are left does not end the connection.
const SMALL_REST: u64 = 64 << 10;
/// Bodies of responses are passed on in parts of this size, in bytes: the next one only when the client has taken most of those
/// before it. So a body exists until it is sent.
const PART: usize = 64 << 10;
/// The same for HTTP/2.
const HTTP2_PART: usize = 16 << 10;
/// The status in log and metrics of a request whose client went away before the response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What a listener serves.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) app: Arc<App>,
    pub(super) router: Router,
    pub(super) shared: Arc<Shared>,
    /// Whether its connections are encrypted.
    pub(super) encrypted: bool,
}

impl Site {
    pub(super) fn metrics(&self) -> &HttpMetrics {
        &self.shared.metrics
    }

    /// Answers a request of a connection.
    pub(super) async fn answer(
        self: Arc<Site>,
        connection: Arc<State>,
        peer: IpAddr,
        request: hyper::Request<Incoming>,
    ) -> hyper::Response<Tracked> {
        let number = connection.begin();
        let is_framed = !connection.is_ambiguous(number);
        connection.set_unread(false);
        let origin = self.origin(peer, request.headers());
        let (parts, incoming) = request.into_parts();
        let body = Body::new(incoming, self.shared.bodies.timeout);
        let mut exchange = Exchange {
            connection,
            number,
            started: Instant::now(),
            method: method_label(&parts.method),
            route: "none",
            status: CLIENT_CLOSED_REQUEST,
            client: origin.client,
            id: origin.id.clone(),
            body: body.progress(),
            sent: 0,
            sending: None,
        };
        let shape = Shape::of(&parts.method, parts.version, &parts.headers, origin.id.clone());
        let refusal = self.refuse(is_framed, &parts);
        let mut close = refusal.is_some();
        let found = match refusal {
            Some(error) => Err(error),
            None if parts.method == Method::OPTIONS => self.options(parts.uri.path(), &parts.headers).map(Err),
            None => self.router.find(&parts.method, parts.uri.path()).map(Ok),
        };
        let rest = body.declared();
        let mut is_page = false;
        let result = match found {
            Ok(Ok(found)) => {
                exchange.route = found.path;
                is_page = found.class == Class::Page;
                let span =
                    tracing::info_span!("request", id = exchange.id(), method = exchange.method, route = found.path);
                let Found { class, handler, params, .. } = found;
                let request = Request::new(parts, origin, params, body, Arc::clone(&self.shared.bodies));
                let condition = etag::condition(request.headers());
                let handle = |request| self.handle(handler, request);
                match Reads::include(class) {
                    true => {
                        let answer = self.shared.reads.answer(class, request, condition.as_ref(), handle);
                        let (result, sending) = answer.instrument(span).await;
                        exchange.sending = sending;
                        result
                    }
                    false => {
                        let result = handle(request).instrument(span).await;
                        result.map(|response| etag::apply(response, condition.as_ref()))
                    }
                }
            }
            Ok(Err(response)) => {
                drop(body); // what is not read of it is handled below
                Ok(response)
            }
            Err(error) => {
                drop(body);
                Err(error)
            }
        };
        let response =
            result.unwrap_or_else(|error| if is_page { page::error::page(error) } else { error.into_response() });
        exchange.status = response.status().as_u16();
        if shape.version <= Version::HTTP_11 && !exchange.body.is_finished() {
            let is_small = rest.is_some_and(|rest| rest <= exchange.body.received() + SMALL_REST);
            if is_small && !shape.expects_continue && response.status() != StatusCode::REQUEST_TIMEOUT {
                exchange.body.discard_rest(self.shared.bodies.timeout);
            } else {
                exchange.connection.set_unread(true);
                close = true;
            }
        }
        let response = self.finish(response, shape, close).await;
        response.map(|body| Tracked::new(body, exchange))
    }

    /// Calls a handler.
    async fn handle(&self, handler: Handler, request: Request) -> Result<Response, Error> {
        let has_tag = matches!(*request.method(), Method::GET | Method::HEAD);
        let handled = CatchPanic(handler(Arc::clone(&self.app), request)).await.unwrap_or_else(|panic| {
            self.metrics().panics.inc();
            tracing::error!(panic, "a handler panicked");
            Err(Error::internal())
        });
        match handled {
            Ok(response) if has_tag => Ok(etag::add(response).await),
            other => other,
        }
    }

    /// Who sends a request.
    fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Origin {
        let peer = peer.to_canonical();
        let proxies = &self.shared.proxies;
        let sent = headers.get(X_REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=MAX_REQUEST_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        let id = match sent {
            Some(id) if proxies.trusts(peer) => id.clone(),
            _ => HeaderValue::from_str(&format!("{:016x}", fastrand::u64(..)))
                .unwrap_or_else(|_| HeaderValue::from_static("0")),
        };
        Origin { peer, client: proxies.client(peer, headers), id }
    }

    /// The error for a request that no handler gets.
    fn refuse(&self, is_framed: bool, parts: &Parts) -> Option<Error> {
        if !is_framed {
            return Some(Error::bad_request("Content-Length with Transfer-Encoding, or an invalid Content-Length"));
        }
        let lengths = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
        let is_too_large = parts.headers.len() > self.shared.max_headers
            || lengths.sum::<usize>() + target > self.shared.max_header_bytes;
        is_too_large.then(Error::headers_too_large)
    }

    fn options(&self, path: &str, headers: &HeaderMap) -> Result<Response, Error> {
        let allowed = self.router.allowed(path).ok_or_else(|| Error::not_found("Not Found"))?;
        Ok(cors::options(headers, &allowed))
    }

    /// Shapes a response as the request asks for, and adds the headers that every response has.
    async fn finish(&self, response: Response, shape: Shape, close: bool) -> Response {
        let mut response = compress::compress(response, shape.coding, self.shared.compress_above).await;
        etag::finish(&mut response);
        if shape.is_head {
            response = response::without_body(response);
        }
        cors::allow(&mut response, shape.origin);
        response::add_security_headers(&mut response, self.encrypted);
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, shape.id);
        if close && shape.version <= Version::HTTP_11 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// What a response depends on of its request.
struct Shape {
    is_head: bool,
    /// Whether the client may send its body only after it is asked to.
    expects_continue: bool,
    version: Version,
    coding: Option<Coding>,
    origin: Option<HeaderValue>,
    id: HeaderValue,
}

impl Shape {
    fn of(method: &Method, version: Version, headers: &HeaderMap, id: HeaderValue) -> Shape {
        Shape {
            is_head: method == Method::HEAD,
            expects_continue: headers.contains_key(EXPECT),
            version,
            coding: compress::accepted(headers),
            origin: headers.get(ORIGIN).cloned(),
            id,
        }
    }
}

/// The label of a method in metrics; unknown ones have one in common.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// A handler whose panic is an error: the text of the panic.
struct CatchPanic<T>(Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Future for CatchPanic<T> {
    type Output = Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, String>> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    }
}

/// The text of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text").to_owned()
}

/// A request and its response, for log and metrics. Both are written when it is dropped.
struct Exchange {
    connection: Arc<State>,
    /// Its number on the connection.
    number: u64,
    started: Instant,
    method: &'static str,
    route: &'static str,
    status: u16,
    client: IpAddr,
    id: HeaderValue,
    body: Arc<Progress>,
    /// Bytes of the response's body.
    sent: u64,
    /// What is left of a read until its response is sent.
    sending: Option<Sending>,
}

impl Exchange {
    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        self.connection.end(self.number);
        self.connection.metrics.answered(&Answered {
            handler: self.route,
            method: self.method,
            status: status.as_str(),
            duration,
            received: self.body.received(),
            sent: self.sent,
        });
        tracing::info!(
            target: "ooni_api::access",
            id = self.id(),
            method = self.method,
            route = self.route,
            status = self.status,
            seconds = duration.as_secs_f64(),
            received = self.body.received(),
            sent = self.sent,
            client = %anonymize(self.client),
        );
    }
}

/// The body of a response, which ends an exchange.
pub(super) struct Tracked {
    body: BoxBody<Bytes, io::Error>,
    /// What is left of a frame of the body.
    rest: Bytes,
    exchange: Exchange,
}

impl Tracked {
    fn new(body: BoxBody<Bytes, io::Error>, exchange: Exchange) -> Tracked {
        let tracked = Tracked { body, rest: Bytes::new(), exchange };
        tracked.set_untaken(true);
        tracked
    }

    /// The client has to take more, or there is no more at this moment.
    fn set_untaken(&self, is_untaken: bool) {
        let Exchange { connection, number, .. } = &self.exchange;
        if connection.is_http2() {
            connection.set_untaken(*number, is_untaken);
        }
    }

    /// The next part of a frame.
    fn part(&mut self) -> Frame<Bytes> {
        let part = if self.exchange.connection.is_http2() { HTTP2_PART } else { PART };
        let length = self.rest.len().min(part);
        self.exchange.sent += length as u64;
        self.set_untaken(true);
        Frame::data(self.rest.split_to(length))
    }
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if !this.rest.is_empty() {
            return Poll::Ready(Some(Ok(this.part())));
        }
        this.exchange.sending.as_mut().map(Sending::resume);
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            this.set_untaken(false);
            return Poll::Pending;
        };
        this.exchange.sending.as_mut().map(Sending::pause);
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(Ok(match frame.into_data() {
                Ok(bytes) => {
                    this.rest = bytes;
                    this.part()
                }
                Err(trailers) => trailers,
            })),
            Some(Err(error)) => {
                tracing::error!(id = this.exchange.id(), route = this.exchange.route, %error, "a response was cut off");
                Some(Err(error))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, of_body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
