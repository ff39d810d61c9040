//! Routes of each class whose handlers do as they are asked, besides those of the server.

use crate::support::Server;
use crate::support::gate::Gate;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Frame};
use ooni_api::app::App;
use ooni_api::config::Config;
use ooni_api::http::response::{self, Cache, cached};
use ooni_api::http::{Error, Request, Response};
use ooni_api::router::{Class, ROUTES, Route};
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

macro_rules! routes {
    ($($class:ident $method:ident $path:literal => $handler:ident;)*) => {
        [$(Route {
            class: Class::$class,
            method: stringify!($method),
            path: $path,
            handler: |app, request| Box::pin($handler(app, request)),
        }),*]
    };
}

/// A server with all routes and these.
pub(crate) fn server(change: impl FnOnce(&mut Config)) -> Server {
    static ALL: LazyLock<Vec<Route>> = LazyLock::new(|| {
        let added = routes! {
            Measurement GET "/test/measurement/{name}" => answer;
            Private GET "/test/private/{name}" => answer;
            Page GET "/test/page/{name}" => answer;
            Probe GET "/test/probe/{name}" => answer;
            Submission GET "/test/submission/{name}" => answer;
            Site GET "/test/site/{name}" => answer;
            Measurement POST "/test/measurement/{name}" => answer;
        };
        ROUTES.iter().copied().chain(added).collect()
    });
    Server::with_routes(&ALL, |config| {
        config.intake.min_free_bytes = 0; // the machine of the tests may have little space
        (config.reads.timeout, config.server.body_timeout) = (3600, 3600); // and be slow
        change(config);
    })
}

/// What the handler of a name does. Tests have names of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    pub(crate) status: u16,
    pub(crate) max_age: u32,
    pub(crate) body: String,
    /// How long it takes.
    pub(crate) delay: Duration,
    /// Whether it waits at the gate of its name: before the response, or in its stream.
    pub(crate) waits: bool,
    pub(crate) is_stream: bool,
}

static NAMES: LazyLock<Mutex<HashMap<String, (Behaviour, usize)>>> = LazyLock::new(Mutex::default);

/// Changes what the handler of a name does: 200 and its name at first.
pub(crate) fn behave(name: &str, change: impl FnOnce(&mut Behaviour)) {
    let new = || (Behaviour { status: 200, body: name.to_owned(), ..Behaviour::default() }, 0);
    change(&mut NAMES.lock().unwrap().entry(name.to_owned()).or_insert_with(new).0);
}

/// How often the handler of a name was called.
pub(crate) fn calls(name: &str) -> usize {
    NAMES.lock().unwrap().get(name).map_or(0, |(_, calls)| *calls)
}

async fn answer(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let name = request.param("name");
    behave(name, |_| {});
    let behaviour = {
        let mut names = NAMES.lock().unwrap();
        let (behaviour, calls) = names.get_mut(name).unwrap();
        *calls += 1;
        behaviour.clone()
    };
    tokio::time::sleep(behaviour.delay).await;
    let gate = behaviour.waits.then(|| Gate::named(name));
    if !behaviour.is_stream
        && let Some(gate) = &gate
    {
        gate.pass().await;
    }
    let status = StatusCode::from_u16(behaviour.status).unwrap();
    if !status.is_success() {
        return Err(Error::new(status, behaviour.body));
    }
    let mut response = response::text(status, behaviour.body.clone());
    if behaviour.is_stream {
        let rest = async move {
            match gate {
                Some(gate) => gate.pass().await,
                None => tokio::time::sleep(behaviour.delay).await,
            }
        };
        *response.body_mut() = Stream { first: Some(behaviour.body.into()), rest: Box::pin(rest) }.boxed();
    }
    Ok(cached(response, Cache::MaxAge(behaviour.max_age)))
}

/// A body whose end comes later than its start.
struct Stream {
    first: Option<Bytes>,
    rest: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => self.rest.as_mut().poll(cx).map(|()| None),
        }
    }
}
