//! Finding a PostgreSQL server and its password through the environment, as psql does, and the authorities of a ClickHouse
//! server. Each store is opened in a child process with an environment of its own.

use crate::server::{OnClickhouse, OnPostgres, execute, server};
use crate::support::Engine;
use ooni_store::BlockingStore;
use ooni_testkit::certificate::Authority;
use ooni_testkit::http_server::{tls_config, tls_termination};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::fs;
use std::io::copy;
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

/// The child process that [`migrated`] starts.
#[test]
#[ignore = "a child process of other tests"]
fn migrate() {
    match BlockingStore::migrate(&std::env::var("STORE").unwrap()) {
        Ok(_) => println!("\nresult: connects"),
        Err(error) => println!("\nresult: {error}"),
    }
}

/// Migrates the store of a URL in a process that has only these connection variables. Returns "connects" or the error.
pub(crate) fn migrated(url: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "environment::migrate", "--ignored", "--nocapture", "--test-threads", "1"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG") || name.starts_with("SSL_CERT_")) {
        child.env_remove(name);
    }
    let home = tempfile::tempdir().unwrap();
    child.env("STORE", url).env("HOME", home.path()).envs(variables.iter().copied());
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let result = said.lines().find_map(|line| line.strip_prefix("result: "));
    result.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// A folder with a socket like that of a server, which forwards to a port.
fn socket_to(port: u16) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.55439")).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let (mut from, mut to) = (server, client);
            thread::spawn(move || {
                let _ = copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    });
    folder
}

// See tokio-postgres-rustls#6 and #38, chirpstack#912, rauthy#1508: a server that listens only on a Unix socket. As in libpq,
// TLS is not used on a socket; the server would refuse it.
#[test]
fn a_server_on_a_unix_socket() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::empty();
    let folder = socket_to(server().port);
    let socket = folder.path().to_str().unwrap();
    let database = engine.url().rsplit_once('/').unwrap().1.to_owned();
    let escaped = socket.replace('/', "%2F");
    for url in [
        format!("postgres:///{database}?host={socket}&port=55439&user=test"),
        format!("postgres:///{database}?host={socket}&port=55439&user=test&sslmode=disable"),
        format!("postgres:///{database}?host={socket}&port=55439&user=test&sslmode=require"),
        format!("postgres://test@{escaped}:55439/{database}"),
    ] {
        assert_eq!(migrated(&url, &[]), "connects", "{url}");
    }
    let variables = [("PGHOST", socket), ("PGPORT", "55439"), ("PGUSER", "test"), ("PGDATABASE", &database)];
    assert_eq!(migrated("postgres://", &variables), "connects");
    assert_eq!(migrated("postgres://", &[&variables[..], &[("PGSSLMODE", "verify-full")]].concat()), "connects");
}

/// A server that requires a password of the role `asked`, with the role's database `pw`.
fn server_with_password() -> Server {
    let server = Server::postgres(false).unwrap();
    execute(&server, "postgres", "CREATE ROLE asked LOGIN PASSWORD 'se:c\\ret'");
    execute(&server, "postgres", "CREATE DATABASE pw OWNER asked");
    let ask = "sed -i \"1i host all asked 127.0.0.1/32 scram-sha-256\" pg_hba.conf";
    execute(&server, "postgres", &format!("COPY (SELECT) TO PROGRAM '{ask}'"));
    execute(&server, "postgres", "SELECT pg_reload_conf()");
    let url = format!("postgres://asked:wrong@127.0.0.1:{}/pw", server.port);
    while migrated(&url, &[]) == "connects" {}
    server
}

// See rust-postgres#729, graph-node#4336, flatterer#32: the password is in PGPASSWORD or a password file, as for psql.
#[test]
fn passwords_from_the_environment() {
    skip_without!(Server::shared_postgres());
    let server = server_with_password();
    let port = server.port.to_string();
    let url = format!("postgres://asked@127.0.0.1:{port}/pw?sslmode=disable");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pass");
    let write = |text: &str, mode: u32| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    let of_file = [("PGPASSFILE", file.to_str().unwrap())];
    let line = format!("other:*:*:*:wrong\n127.0.0.1:{port}:*:asked:se\\:c\\\\ret\n");

    assert_eq!(migrated(&url, &[("PGPASSWORD", "se:c\\ret")]), "connects");
    write(&line, 0o600);
    assert_eq!(migrated(&url, &of_file), "connects");
    let home = tempfile::tempdir().unwrap();
    fs::copy(&file, home.path().join(".pgpass")).unwrap();
    assert_eq!(migrated(&url, &[("HOME", home.path().to_str().unwrap())]), "connects");
    fs::write(
        home.path().join(".pg_service.conf"),
        format!("[ooni]\nhost=127.0.0.1\nport={port}\nuser=asked\ndbname=pw\n"),
    )
    .unwrap();
    let service = [("HOME", home.path().to_str().unwrap()), ("PGSERVICE", "ooni")];
    assert_eq!(migrated("postgres://", &service), "connects");
    assert_eq!(migrated("postgres://?service=ooni", &service[..1]), "connects");

    let refused = |variables: &[(&str, &str)]| migrated(&url, variables);
    let asks =
        "the server asks for a password: set PGPASSWORD, or add a line to the password file (~/.pgpass or PGPASSFILE)";
    assert!(refused(&[]).ends_with(asks), "{}", refused(&[]));
    write(&line, 0o644);
    let said = refused(&of_file);
    assert!(
        said.contains(asks) && said.ends_with("others have access to it; its permissions must be 0600 or less"),
        "{said}"
    );
    let said = refused(&[("PGPASSWORD", "wrong")]);
    assert!(said.contains("password authentication failed for user \"asked\"") && !said.contains("wrong"), "{said}");
}

#[test]
fn variables_and_parameters_of_a_connection() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::empty();
    let name =
        [("PGAPPNAME", "a name's \\ own"), ("PGCONNECT_TIMEOUT", "7"), ("PGOPTIONS", "-c search_path=ours,public")];
    engine.query("CREATE SCHEMA ours");
    assert_eq!(migrated(&engine.url(), &name), "connects");
    assert_eq!(engine.query("SELECT version FROM ours.schema_version").len(), 1);

    for (rest, variables, said) in [
        (
            "sslmode=maybe",
            &[][..],
            "invalid value `maybe` for `sslmode`: expected one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "",
            &[("PGSSLMODE", "maybe")],
            "invalid value `maybe` for `sslmode`: expected one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("", &[("PGCONNECT_TIMEOUT", "soon")], "invalid value `soon` for `connect_timeout`"),
        ("", &[("PGSERVICE", "none")], "no service file defines the service `none`"),
        ("frob=1", &[], "unknown parameter `frob`"),
    ] {
        let error = migrated(&format!("{}?{rest}", engine.url()), variables);
        assert!(error.ends_with(&format!("invalid URL of a PostgreSQL database: {said}")), "{error}");
    }
}

// Beyond loopback, the server must be authenticated. Linux connects 0.0.0.0 to this machine.
#[test]
fn off_loopback_tls_is_the_default() {
    skip_without!(Server::shared_postgres());
    let url = OnPostgres::empty().url().replace("127.0.0.1", "0.0.0.0");
    let said = migrated(&url, &[]);
    assert!(said.ends_with("server does not support TLS; sslmode=disable connects without it"), "{said}");
    assert_eq!(migrated(&format!("{url}?sslmode=disable"), &[]), "connects");
    assert_eq!(migrated(&url, &[("PGSSLMODE", "prefer")]), "connects");
}

#[test]
fn certificate_authorities_of_clickhouse() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::empty();
    let address = engine.address();
    let authority = Authority::new("private").unwrap();
    let server = tls_termination(tls_config(&authority.issue(&["127.0.0.1"]).unwrap()), &address);
    let url = engine.url().replace(&address, &server.address) + "?secure=1";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority.pem).unwrap();
    let (file, folder) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
    for variable in [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folder)] {
        assert_eq!(migrated(&url, &[variable]), "connects", "{variable:?}");
    }
    assert_eq!(migrated(&format!("{url}&sslrootcert={file}"), &[("SSL_CERT_FILE", "/nonexistent")]), "connects");
    assert!(server.asked().iter().all(|head| head.starts_with("POST /?")), "{:?}", server.asked());
    assert!(engine.query("SELECT version FROM schema_version").len() > 1);

    let refused = |url: &str, variable: &[(&str, &str)], why: &str| {
        let said = migrated(url, variable);
        assert!(said.contains(why), "{said}");
    };
    refused(&url, &[], "invalid peer certificate: UnknownIssuer");
    let localhost = url.replace("127.0.0.1", "localhost");
    refused(&localhost, &[("SSL_CERT_FILE", file)], "certificate not valid for name \"localhost\"");
    refused(&url, &[("SSL_CERT_FILE", "/nonexistent")], "SSL_CERT_FILE: ");
    refused(&url, &[("SSL_CERT_DIR", "/nonexistent")], "SSL_CERT_DIR: ");
    // Without TLS, no authorities are needed.
    assert_eq!(migrated(&engine.url(), &[("SSL_CERT_FILE", "/nonexistent")]), "connects");
}
