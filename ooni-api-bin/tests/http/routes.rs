//! Routes that show what a handler sees.

use crate::support::Server;
pub(crate) use crate::support::gate::Gate;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::{Method, StatusCode};
use ooni_api::app::App;
use ooni_api::config::Config;
use ooni_api::health::Parts;
use ooni_api::http::{Error, InMemory, Request, Response, response};
use ooni_api::payload::Payload;
use ooni_api::router::{Class, Route};
use serde_json::json;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

macro_rules! routes {
    ($($method:ident $path:literal => $handler:ident;)*) => {
        &[$(Route {
            class: Class::Submission,
            method: stringify!($method),
            path: $path,
            handler: |app, request| Box::pin($handler(app, request)),
        }),*]
    };
}

pub(crate) const ROUTES: &[Route] = routes! {
    GET "/text/{length}" => text;
    GET "/chunks/{count}" => chunks;
    GET "/image" => image;
    GET "/param/{value}" => param;
    GET "/client" => client;
    GET "/wait/{gate}" => wait;
    GET "/panic" => panics;
    GET "/failure" => failure;
    POST "/payload" => payload;
    POST "/payload/{gate}" => held_payload;
    POST "/memory" => in_memory;
    POST "/json" => json_object;
    POST "/param/{value}" => param;
    POST "/unread" => param;
    GET "/metrics" => metrics;
};

/// A server of these routes.
pub(crate) fn server(change: impl FnOnce(&mut Config)) -> Server {
    Server::with_routes(ROUTES, |config| {
        config.intake.min_free_bytes = 0; // the machine of the tests may have little space
        change(config);
    })
}

/// `a` as often as the path says.
async fn text(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let length = request.param("length").parse().map_err(|_| Error::bad_request("length"))?;
    Ok(response::text(StatusCode::OK, "a".repeat(length)))
}

/// A body whose length is not known beforehand: chunks of 10 bytes.
async fn chunks(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let count = request.param("count").parse().map_err(|_| Error::bad_request("count"))?;
    let chunks = std::iter::repeat_n(Bytes::from_static(b"0123456789"), count);
    let mut answer = response::of_bytes(StatusCode::OK, "application/json", Bytes::new());
    *answer.body_mut() = Frames(chunks.map(Ok)).boxed();
    Ok(answer)
}

/// A body that fails after its first chunk.
async fn failure(_: Arc<App>, _: Request) -> Result<Response, Error> {
    let frames = [Ok(Bytes::from_static(b"start")), Err(io::Error::other("end"))];
    Ok(Response::new(Frames(frames.into_iter()).boxed()))
}

/// A body of frames that are ready.
struct Frames<I>(I);

impl<I: Iterator<Item = io::Result<Bytes>> + Unpin> Body for Frames<I> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.next().map(|bytes| bytes.map(Frame::data)))
    }
}

async fn image(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::of_bytes(StatusCode::OK, "image/png", vec![0; 100_000]))
}

async fn param(_: Arc<App>, request: Request) -> Result<Response, Error> {
    Ok(response::json(&json!({"value": request.param("value"), "query": request.query().get("q")})))
}

async fn client(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let (client, peer) = (request.client().to_string(), request.peer().to_string());
    Ok(response::json(&json!({"client": client, "peer": peer, "id": request.id()})))
}

async fn panics(_: Arc<App>, request: Request) -> Result<Response, Error> {
    assert!(request.method() != Method::GET, "as planned");
    Err(Error::internal())
}

async fn json_object(_: Arc<App>, request: Request) -> Result<Response, Error> {
    Ok(response::json(&request.json_object().await?))
}

async fn payload(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let payload = request.payload().await?;
    let is_file = matches!(payload, Payload::File { .. });
    let length = payload.len();
    let bytes = tokio::task::spawn_blocking(|| payload.into_bytes()).await.unwrap().unwrap();
    let crc = crc32c::crc32c(&bytes);
    Ok(response::json(&json!({"length": length, "crc": crc, "file": is_file})))
}

/// The length of a body that is not written to a disk.
async fn in_memory(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let body = match request.in_memory().await? {
        InMemory::Small(body) => body,
        InMemory::Large(body) => body.decode()?,
    };
    Ok(response::json(&json!({"length": body.len()})))
}

/// Keeps a payload until the gate is opened.
async fn held_payload(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let gate = Gate::named(request.param("gate"));
    let payload = request.payload().await?;
    gate.pass().await;
    Ok(response::json(&json!({"length": payload.len()})))
}

async fn wait(_: Arc<App>, request: Request) -> Result<Response, Error> {
    Gate::named(request.param("gate")).pass().await;
    Ok(response::json(&json!({"waited": true})))
}

async fn metrics(app: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::text(StatusCode::OK, app.metrics.text(&Parts::default()).map_err(|_| Error::internal())?))
}
