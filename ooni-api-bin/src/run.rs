//! [`run`]: a server, from its configuration to its end.

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::health::Health;
use crate::http::HttpServer;
use crate::import;
use crate::probe::watch_files;
use crate::router::{FEED_ROUTES, ROUTES, Router};
use anyhow::Context;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

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
    run_and_import(config, listener, clock, Vec::new(), shutdown).await
}

/// As [`run`]; imports files and folders while it serves.
///
/// # Errors
/// The server cannot start. Files that cannot be imported are logged.
pub async fn run_and_import(
    config: Config,
    listener: TcpListener,
    clock: Clock,
    paths: Vec<PathBuf>,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let (app, tasks) = App::open(config, clock).await?;
    let app = Arc::new(app);
    let router = Router::new(ROUTES).map_err(anyhow::Error::msg)?;
    let server = HttpServer::open(&app.config, &app.metrics)?;
    app.reload.at_hangup()?;
    Health::of(&app).await.log_missing();
    tokio::spawn(watch_files(Arc::downgrade(&app)));
    let running = tasks.start();
    let (stop, stopped) = watch::channel(false);
    let mut others = JoinSet::new();
    if let Some(listener) = feed_listener(&app.config).await? {
        let (server, app, mut stopped) = (server.clone(), Arc::clone(&app), stopped.clone());
        let router = Router::new(FEED_ROUTES).map_err(anyhow::Error::msg)?;
        others.spawn(async move { server.serve(listener, router, app, None, stop_of(&mut stopped)).await });
    }
    if !paths.is_empty() {
        others.spawn(import_files(Arc::clone(&app), paths, stopped));
    }
    server.serve(listener, router, Arc::clone(&app), server.tls(), shutdown).await;
    let _ = stop.send(true);
    others.join_all().await;
    running.stop().await;
    app.intake.clone().shutdown().await;
    Ok(())
}

/// The listener for the reference's feed, if there is one.
async fn feed_listener(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let address = &config.feed.listen;
    if address.is_empty() {
        return Ok(None);
    }
    let listener = TcpListener::bind(address).await;
    listener.map(Some).with_context(|| format!("cannot listen on {address} (feed.listen)"))
}

/// Ready when the server stops.
async fn stop_of(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Imports the files that were named at the start.
async fn import_files(app: Arc<App>, paths: Vec<PathBuf>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        imported = import::import(&app.intake, &app.stores, &paths) => match imported {
            Ok(imported) => tracing::info!(%imported, "import"),
            Err(error) => tracing::error!(error, "import"),
        },
        () = stop_of(&mut stopped) => {}
    }
}
