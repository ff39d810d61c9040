//! [`run`]: a server, from its configuration to its end.

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::health::Health;
use crate::http::HttpServer;
use crate::import;
use crate::listen::listen;
use crate::notify::Notifier;
use crate::probe::watch_files;
use crate::router::{FEED_ROUTES, METRICS_ROUTES, ROUTES, Route, Router};
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
    let mut config = config;
    config.server.base_url = base_url(&config, &listener)?;
    let (app, tasks) = App::open(config, clock).await?;
    let app = Arc::new(app);
    let router = Router::new(ROUTES).map_err(anyhow::Error::msg)?;
    let server = HttpServer::open(&app.config, &app.metrics)?;
    let feed = other_listener("feed.listen", &app.config.feed.listen, FEED_ROUTES).await?;
    let metrics = other_listener("metrics.listen", &app.config.metrics.listen, METRICS_ROUTES).await?;
    app.reload.at_hangup()?;
    Health::of(&app).await.log_missing();
    tokio::spawn(watch_files(Arc::downgrade(&app)));
    let running = tasks.start();
    let (stop, stopped) = watch::channel(false);
    let mut others = JoinSet::new();
    for (listener, router) in feed.into_iter().chain(metrics) {
        let (server, app, stopped) = (server.clone(), Arc::clone(&app), stopped.clone());
        others.spawn(async move { server.serve(listener, router, app, None, stop_of(stopped)).await });
    }
    if !paths.is_empty() {
        others.spawn(import_files(Arc::clone(&app), paths, stopped));
    }
    let notifier = Notifier::from_environment();
    notifier.ready();
    let shutdown = async {
        tokio::select! {
            () = shutdown => {}
            () = notifier.keep_alive() => {}
        }
        notifier.stopping();
        let _ = stop.send(true);
    };
    server.serve(listener, router, Arc::clone(&app), server.tls(), shutdown).await;
    while let Some(ended) = others.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task failed");
        }
    }
    running.stop().await;
    app.intake.clone().shutdown().await;
    Ok(())
}

/// The prefix of URLs in answers, without a slash at its end.
fn base_url(config: &Config, listener: &TcpListener) -> std::io::Result<String> {
    let server = &config.server;
    if !server.base_url.is_empty() {
        return Ok(server.base_url.trim_end_matches('/').to_owned());
    }
    let scheme = if server.tls_certificate.as_os_str().is_empty() { "http" } else { "https" };
    Ok(format!("{scheme}://{}", listener.local_addr()?))
}

/// A listener besides the main one and its routes, if its setting names an address.
async fn other_listener(
    setting: &str,
    address: &str,
    routes: &[Route],
) -> anyhow::Result<Option<(TcpListener, Router)>> {
    if address.is_empty() {
        return Ok(None);
    }
    let address = address.parse().with_context(|| setting.to_owned())?;
    let listener = listen(address, setting).await.map_err(anyhow::Error::msg)?;
    tracing::info!(setting, listen = %listener.local_addr()?, "listening");
    Ok(Some((listener, Router::new(routes).map_err(anyhow::Error::msg)?)))
}

/// Ready when the server stops.
async fn stop_of(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Imports the files that were named at the start, once the store can be reached.
async fn import_files(app: Arc<App>, paths: Vec<PathBuf>, stopped: watch::Receiver<bool>) {
    let importing = async {
        app.stores.wait_for_measurements().await;
        import::import(&app.intake, &app.stores, &paths).await
    };
    tokio::select! {
        imported = importing => match imported {
            Ok(imported) => tracing::info!(%imported, "import"),
            Err(error) => tracing::error!(error, "import"),
        },
        () = stop_of(stopped) => tracing::warn!("the import was stopped; it can be repeated"),
    }
}
