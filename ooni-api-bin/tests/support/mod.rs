//! A server on a free port with a state directory of its own, and clients.

#![allow(dead_code, unreachable_pub)] // no test program uses all of it

pub mod client;
pub mod gate;
pub mod recorded;

use self::client::{Client, Reply};
use ooni_api::app::App;
use ooni_api::clock::Clock;
use ooni_api::config::Config;
use ooni_api::http::HttpServer;
use ooni_api::router::{Route, Router};
use ooni_api::run::run;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running server. It stops when it is dropped, without waiting for its requests.
pub struct Server {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<anyhow::Result<()>>>,
    directory: TempDir,
}

impl Server {
    /// A server with all its routes. `change` changes the default configuration.
    pub fn start(change: impl FnOnce(&mut Config)) -> Server {
        Server::start_at(Clock::system(), change)
    }

    /// The same, with another clock.
    pub fn start_at(clock: Clock, change: impl FnOnce(&mut Config)) -> Server {
        Server::serve(change, |config, listener, stopped| run(config, listener, clock, stopped))
    }

    /// A server with other routes.
    pub fn with_routes(routes: &'static [Route], change: impl FnOnce(&mut Config)) -> Server {
        Server::serve(change, move |config, listener, stopped| async move {
            let (app, _) = App::open(config, Clock::system()).await?;
            let app = Arc::new(app);
            let server = HttpServer::open(&app.config, &app.metrics)?;
            let router = Router::new(routes).map_err(anyhow::Error::msg)?;
            server.serve(listener, router, app, server.tls(), stopped).await;
            Ok(())
        })
    }

    fn serve<F>(
        change: impl FnOnce(&mut Config),
        serve: impl FnOnce(Config, TcpListener, Stopped) -> F + Send + 'static,
    ) -> Server
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { state_dir: directory.path().join("state"), ..Config::default() };
        change(&mut config);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped: Stopped = Box::pin(async { drop(stopped.await) });
        let served = runtime.spawn(serve(config, listener, stopped));
        Server { address, runtime: Some(runtime), stop: Some(stop), served: Some(served), directory }
    }

    /// The state directory.
    pub fn state_dir(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    /// A directory that is removed with the server.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The response to a request, as it is sent, on a connection of its own.
    pub fn send(&self, request: &(impl AsRef<[u8]> + ?Sized)) -> Reply {
        self.connect().send(request)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.connect().get(path)
    }

    /// The text of `/metrics`, by the generated password.
    pub fn metrics(&self) -> String {
        let password = std::fs::read_to_string(self.state_dir().join("secrets/metrics_password")).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nAuthorization: Bearer {}\r\n\r\n", password.trim_end());
        self.send(&request).text().to_owned()
    }

    /// The value of a metric, with its labels in the name.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    pub fn post(&self, path: &str, body: &(impl AsRef<[u8]> + ?Sized)) -> Reply {
        self.connect().post(path, body)
    }

    /// Asks the server to stop.
    pub fn ask_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has stopped, after asking it to.
    pub fn stop(mut self) {
        if self.stop.is_some() {
            self.ask_to_stop();
        }
        let served = self.served.take().unwrap();
        self.runtime.as_ref().unwrap().block_on(served).unwrap().unwrap();
    }
}

type Stopped = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits until something is so that happens soon, such as that the server notices the end of a connection.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < std::time::Duration::from_secs(120), "{what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
