//! [`run`]: a server, from its configuration to its end.

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::Request;
use crate::router::{ROUTES, Router};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves until `shutdown` is ready, finishes what was accepted, and returns.
///
/// # Errors
/// The server cannot start.
pub async fn run(
    config: Config,
    listener: TcpListener,
    clock: Clock,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let (app, tasks) = App::open(config, clock).await?;
    let app = Arc::new(app);
    let running = tasks.start();
    let router = Arc::new(Router::new(ROUTES).map_err(anyhow::Error::msg)?);
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = accepted?;
        let (app, router) = (Arc::clone(&app), Arc::clone(&router));
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let (app, router) = (Arc::clone(&app), Arc::clone(&router));
                async move {
                    let found = router.find(request.method(), request.uri().path());
                    let answered = match found {
                        Ok(found) => (found.handler)(app, Request::new(request, peer.ip(), found.params)).await,
                        Err(error) => Err(error),
                    };
                    Ok::<_, Infallible>(answered.unwrap_or_else(crate::http::Error::into_response))
                }
            });
            let connection = auto::Builder::new(TokioExecutor::new());
            // A client that goes away is not an error of the server.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
    running.stop().await;
    app.intake.clone().shutdown().await;
    Ok(())
}
