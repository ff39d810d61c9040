//! [`run`]: a server, from its configuration to its end.

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::health::Health;
use crate::http::HttpServer;
use crate::router::{ROUTES, Router};
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
    let router = Router::new(ROUTES).map_err(anyhow::Error::msg)?;
    let server = HttpServer::open(&app.config, &app.metrics)?;
    app.reload.at_hangup()?;
    Health::of(&app).await.log_missing();
    let running = tasks.start();
    server.serve(listener, router, Arc::clone(&app), server.tls(), shutdown).await;
    running.stop().await;
    app.intake.clone().shutdown().await;
    Ok(())
}
