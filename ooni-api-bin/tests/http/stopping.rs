//! The end of a server: requests in progress are answered.

use crate::routes::{Gate, server};
use crate::support::Server;
use crate::support::client::{Client, post};
use ooni_api::app::App;
use ooni_api::clock::Clock;
use ooni_api::config::Config;
use ooni_api::http::HttpServer;
use ooni_api::router::{ROUTES, Router};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;

/// Asks a server to stop, and waits until it accepts no more connections.
fn begin_to_stop(server: &mut Server) {
    server.ask_to_stop();
    while !TcpStream::connect(server.address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        std::thread::yield_now();
    }
}

#[test]
fn requests_in_progress_are_answered() {
    let mut server = server(|_| {});
    let gate = Gate::named("in progress");
    let mut idle = server.connect();
    assert_eq!(idle.get("/param/x").status, 200);
    let mut waiting = server.connect();
    waiting.write("GET /wait/in%20progress HTTP/1.1\r\n\r\n");
    let mut sending = server.connect();
    let request = post("/payload/in%20progress", "", &[b'a'; 1000]);
    let (start, rest) = request.split_at(request.len() - 500);
    sending.write(start);
    gate.wait_for(1);
    while !server.get("/metrics").text().contains("busy_workers_count 3\n") {
        std::thread::yield_now();
    }
    begin_to_stop(&mut server);
    assert_eq!(idle.rest(), b"");
    sending.write(rest);
    gate.wait_for(1);
    gate.open();
    assert_eq!(waiting.reply().json()["waited"], true);
    assert_eq!(sending.reply().json()["length"], 1000);
    server.stop();
}

#[test]
fn requests_that_take_too_long_are_not() {
    let mut server = server(|config| config.server.shutdown_timeout = 1);
    let gate = Gate::named("too long");
    let mut waiting = server.connect();
    waiting.write("GET /wait/too%20long HTTP/1.1\r\n\r\n");
    gate.wait_for(1);
    begin_to_stop(&mut server);
    server.stop();
    assert_eq!(waiting.rest(), b"");
}

#[test]
fn the_whole_server_stops() {
    let server = Server::start(|_| {});
    assert_eq!(server.get("/version").status, 200);
    server.stop();
}

#[test]
fn two_listeners() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { state_dir: directory.path().into(), ..Config::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (app, _tasks) = App::open(config, Clock::system()).await.unwrap();
        let app = Arc::new(app);
        let server = HttpServer::open(&app.config, &app.metrics).unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(());
        let mut addresses = Vec::new();
        let mut listeners = tokio::task::JoinSet::new();
        for routes in [&crate::routes::ROUTES[..1], ROUTES] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let (server, app, mut stopped) = (server.clone(), Arc::clone(&app), stopped.clone());
            let router = Router::new(routes).unwrap();
            let stopped = async move { drop(stopped.changed().await) };
            listeners.spawn(async move { server.serve(listener, router, app, None, stopped).await });
        }
        let statuses = |address| ["/text/1", "/version"].map(|path| Client::connect(address).get(path).status);
        assert_eq!(addresses.into_iter().map(statuses).collect::<Vec<_>>(), [[200, 404], [404, 200]]);
        stop.send(()).unwrap();
        assert_eq!(listeners.join_all().await, [(), ()]);
    });
}
