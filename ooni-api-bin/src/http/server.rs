//! [`HttpServer`]: the listeners of a server, and what they share.

use super::body::Bodies;
use super::connection::Protocol;
use super::exchange::{Site, panic_text};
use super::metrics::HttpMetrics;
use super::network::Networks;
use super::proxies::Proxies;
use super::reads::Reads;
use super::tls::Tls;
use crate::app::App;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::router::Router;
use anyhow::{Context, bail};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

/// How long to wait before another connection is accepted when the process has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all listeners of a server share: limits, trusted proxies, the memory for bodies, the cache, and metrics.
#[derive(Clone, Debug)]
pub struct HttpServer {
    shared: Arc<Shared>,
    protocol: Arc<Protocol>,
    tls: Option<Arc<Tls>>,
    max_connections: usize,
    shutdown_timeout: Duration,
}

/// What requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) metrics: HttpMetrics,
    pub(super) bodies: Arc<Bodies>,
    pub(super) proxies: Proxies,
    pub(super) reads: Reads,
    pub(super) max_headers: usize,
    pub(super) max_header_bytes: usize,
    pub(super) compress_above: usize,
}

impl HttpServer {
    /// Prepares the listeners of a configuration: parses the list of proxies and the limits of clients, reads the
    /// certificate, and creates the directory of temporary files.
    ///
    /// # Errors
    /// A setting cannot be used. The text names it.
    pub fn open(config: &Config, metrics: &Metrics) -> anyhow::Result<HttpServer> {
        let settings = &config.server;
        let reads = Reads::open(config, metrics)?;
        let metrics = HttpMetrics::new(metrics)?;
        let directory = config.state_dir.join("tmp");
        std::fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let shared = Shared {
            bodies: Arc::new(Bodies::new(config, &directory, metrics.body_bytes.clone())),
            proxies: Networks::parse(&settings.trusted_proxies)
                .map(Proxies::new)
                .map_err(anyhow::Error::msg)
                .context("trusted_proxies")?,
            reads,
            max_headers: settings.max_headers,
            max_header_bytes: settings.max_header_bytes,
            compress_above: settings.compress_above_bytes,
            metrics,
        };
        Ok(HttpServer {
            shared: Arc::new(shared),
            protocol: Arc::new(Protocol::new(settings)),
            tls: open_tls(&settings.tls_certificate, &settings.tls_key)?,
            max_connections: settings.max_connections.clamp(1, Semaphore::MAX_PERMITS),
            shutdown_timeout: Duration::from_secs(settings.shutdown_timeout),
        })
    }

    /// TLS by the configured certificate, if there is one.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Serves the routes of a router on a listener until `shutdown` is ready. Then it accepts no more connections, and
    /// returns when all requests in progress are answered, or after the timeout for that.
    pub async fn serve(
        &self,
        listener: TcpListener,
        router: Router,
        app: Arc<App>,
        tls: Option<Arc<Tls>>,
        shutdown: impl Future<Output = ()>,
    ) {
        let site = Arc::new(Site { app, router, shared: Arc::clone(&self.shared), encrypted: tls.is_some() });
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut acceptor = Acceptor::new(listener, self.max_connections, &self.shared.metrics);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                (permit, stream, peer) = acceptor.accept() => {
                    let (protocol, site, tls) = (Arc::clone(&self.protocol), Arc::clone(&site), tls.clone());
                    let stopped = stopped.clone();
                    connections.spawn(async move {
                        protocol.serve(stream, peer, tls.as_deref(), site, stopped).await;
                        drop(permit);
                    });
                }
                Some(ended) = connections.join_next() => self.ended(ended),
                () = &mut shutdown => break,
            }
        }
        drop(acceptor);
        let _ = stop.send(true);
        let all = async {
            while let Some(ended) = connections.join_next().await {
                self.ended(ended);
            }
        };
        if tokio::time::timeout(self.shutdown_timeout, all).await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "connections were closed before their requests were answered"
            );
            connections.shutdown().await;
        }
    }

    /// A connection ended. That of a body of a response that panicked is reported.
    fn ended(&self, result: Result<(), JoinError>) {
        if let Err(error) = result
            && let Ok(panic) = error.try_into_panic()
        {
            self.shared.metrics.panics.inc();
            tracing::error!(panic = panic_text(&*panic), "a connection panicked");
        }
    }
}

fn open_tls(certificate: &Path, key: &Path) -> anyhow::Result<Option<Arc<Tls>>> {
    match (certificate.as_os_str().is_empty(), key.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(Arc::new(Tls::open(certificate, key)?))),
        _ => bail!("tls_certificate and tls_key need each other"),
    }
}

/// Accepts connections, as many at the same time as it may.
struct Acceptor<'a> {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    /// The permit of the next connection.
    permit: Option<OwnedSemaphorePermit>,
    metrics: &'a HttpMetrics,
    /// Whether the last connection could not be accepted.
    failing: bool,
}

impl Acceptor<'_> {
    fn new(listener: TcpListener, max_connections: usize, metrics: &HttpMetrics) -> Acceptor<'_> {
        let permits = Arc::new(Semaphore::new(max_connections));
        Acceptor { listener, permits, permit: None, metrics, failing: false }
    }

    /// The next connection. Nothing is lost if the future is dropped.
    async fn accept(&mut self) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
        loop {
            // The semaphore is never closed.
            let permit = match self.permit.take() {
                Some(permit) => permit,
                None => match Arc::clone(&self.permits).acquire_owned().await {
                    Ok(permit) => permit,
                    Err(_) => std::future::pending().await,
                },
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.failing = false;
                    return (permit, stream, peer);
                }
                Err(error) => {
                    self.permit = Some(permit);
                    self.failed(&error).await;
                }
            }
        }
    }

    /// Reports an error once, and waits if it may last, as that of too many open files.
    async fn failed(&mut self, error: &io::Error) {
        self.metrics.accept_errors.inc();
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        if !self.failing {
            self.failing = true;
            tracing::error!(%error, "connections cannot be accepted");
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
