use crate::support::{Server, get, program, ran, signal};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn the_first_run_reports_what_is_missing_and_a_signal_ends_it() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]);
        let missing = ["test_lists", "geolocation", "psiphon_config", "tor_targets"];
        for part in missing {
            while server.event("")["missing"] != part {}
        }
        let health = server.json("/health");
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"), "{health:#}");
        for part in missing {
            assert!(health["missing"].as_array().unwrap().contains(&part.into()), "{health:#}");
        }
        assert_eq!(health["store"]["reachable"], true, "{health:#}");
        assert_eq!(health["credentials"], "not_configured", "{health:#}");
        assert_eq!(health["intake"]["accepted"], 0, "{health:#}");
        assert_eq!(server.json("/version")["version"], env!("CARGO_PKG_VERSION"));
        assert!(folder.path().join("ooni-data/ooni.db").exists());
        server.signal("HUP");
        server.event("reloading");
        assert_eq!(server.get("/version").0, 200);
        server.signal(signal);
        assert_eq!(server.event("stopping")["signal"], format!("SIG{signal}"));
        server.event("stopped");
        assert_eq!(server.wait(), Some(0));
    }
}

#[test]
fn the_start_line_has_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--db-uri", "postgres://ooni:hunter2@127.0.0.1:1/ooni"]);
    // The server is there although its store is not.
    let health = server.json("/health");
    assert_eq!((&health["status"], &health["errors"][0]), (&"degraded".into(), &"db_error".into()), "{health:#}");
    assert_eq!(server.stop(), Some(0));
    let mut command =
        program(&["serve", "--listen", "127.0.0.1:0", "--db-uri", "postgres://ooni:hunter2@127.0.0.1:1/ooni"]);
    let mut child = command.current_dir(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = [0; 200];
    child.stderr.as_mut().unwrap().read_exact(&mut log).unwrap();
    child.kill().unwrap();
    let log = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--state-dir", "file/state"]);
    command.current_dir(folder.path());
    let (code, _, errors) = ran(command);
    assert_eq!(code, 1);
    assert!(
        errors.starts_with("ooni-api: the state directory file/state cannot be written: Not a directory"),
        "{errors}"
    );
    assert!(errors.ends_with("choose another one with --state-dir\n"), "{errors}");
}

#[test]
fn an_address_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = address.local_addr().unwrap().to_string();
    let mut command = program(&["serve", "--listen", &taken]);
    command.current_dir(folder.path());
    let (code, _, errors) = ran(command);
    assert_eq!(code, 1);
    let expected = format!("ooni-api: cannot listen on {taken}: another program is using this address");
    assert!(errors.starts_with(&expected), "{errors}");
}

#[test]
fn a_second_server_does_not_share_the_state_directory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.get("/version").0, 200);
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--log-level", "off"]);
    command.current_dir(folder.path());
    let (code, _, errors) = ran(command);
    assert_eq!(code, 1);
    assert!(errors.starts_with("ooni-api: the state directory ooni-data is in use by another process"), "{errors}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn imported_measurements_are_scored_and_imported_once() {
    let folder = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
    let examples = examples.to_str().unwrap();
    let server = Server::start(folder.path(), &["--import", examples]);
    let first = server.event("import")["imported"].as_str().unwrap().to_owned();
    let imported: u64 = first.split(' ').next().unwrap().parse().unwrap();
    assert!(imported > 5, "{first}");
    let health = server.json("/health");
    assert_eq!(health["intake"]["accepted"], imported, "{health:#}");
    let scoring = &health["scoring"];
    let of = |name: &str| scoring[name].as_u64().unwrap();
    let total = of("stored") + of("discarded") + of("rejected") + of("refused") + of("pending");
    assert_eq!(total, imported, "{health:#}");
    assert_eq!(server.stop(), Some(0));
    let server = Server::start(folder.path(), &["--import", examples]);
    let second = server.event("import")["imported"].as_str().unwrap().to_owned();
    assert!(second.starts_with(&format!("0 imported, {imported} already there")), "{second}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn metrics_need_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.get("/metrics").0, 401);
    let (status, head, text) = server.metrics();
    assert_eq!(status, 200, "{text}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    for line in [
        "ooniapi_intake_accepted_total 0",
        "ooniapi_store_up 1",
        concat!("build_info{build_label=\"\",version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert_eq!(server.stop(), Some(0));

    let password = folder.path().join("password");
    fs::write(&password, "hunter2\n").unwrap();
    let variables = [("OONI_API_METRICS_PASSWORD_FILE", password.to_str().unwrap())];
    let server = Server::with_variables(folder.path(), &[], &variables);
    let (status, head, _) = server.get("/metrics");
    assert_eq!((status, server.metrics().0), (401, 401));
    assert!(head.contains("www-authenticate: basic realm=\"metrics\""), "{head}");
    let with =
        |credentials: &str| get(server.address, "/metrics", &format!("Authorization: Basic {credentials}\r\n")).0;
    assert_eq!((with("cHJvbTpodW50ZXIy"), with("cHJvbTpodW50ZXIz")), (200, 401));
    fs::remove_file(&password).unwrap();
    assert_eq!(with("cHJvbTpodW50ZXIy"), 500);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn metrics_can_have_a_listener_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with_variables(folder.path(), &[], &[("OONI_API_METRICS_LISTEN", "127.0.0.1:0")]);
    let address: SocketAddr = server.event("listening")["listen"].as_str().unwrap().parse().unwrap();
    let status = |address, path| get(address, path, "").0;
    assert_eq!((status(address, "/metrics"), status(address, "/health"), status(address, "/version")), (200, 200, 404));
    assert_eq!((server.get("/metrics").0, server.get("/health").0), (404, 200));
    assert_eq!(server.stop(), Some(0));
    // Others can reach this address.
    let server = Server::with_variables(folder.path(), &[], &[("OONI_API_METRICS_LISTEN", "0.0.0.0:0")]);
    let address: SocketAddr = server.event("listening")["listen"].as_str().unwrap().parse().unwrap();
    assert_eq!(get(([127, 0, 0, 1], address.port()).into(), "/metrics", "").0, 401);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    // A request whose body does not come keeps the server from stopping.
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(stream, "POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n").unwrap();
    assert_eq!(server.get("/version").0, 200);
    server.signal("TERM");
    server.event("stopping");
    server.signal("INT");
    assert_eq!(server.wait(), Some(130));
}

#[test]
fn a_log_that_nobody_reads_does_not_stop_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = program(&["serve", "--listen", &address.to_string(), "--log-level", "debug"]);
    let mut child = command.current_dir(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    while TcpStream::connect(address).is_err() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(get(address, "/version", "").0, 200);
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_service_manager_is_notified() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let next = || {
        let mut message = [0; 64];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20000")];
    let server = Server::with_variables(folder.path(), &[], &variables);
    assert_eq!([next(), next(), next()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    assert_eq!(server.get("/version").0, 200);
    server.signal("TERM");
    let mut message = next();
    while message == "WATCHDOG=1" {
        message = next();
    }
    assert_eq!(message, "STOPPING=1");
    assert_eq!(server.wait(), Some(0));
}
