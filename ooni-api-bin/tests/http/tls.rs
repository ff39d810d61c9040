//! TLS: HTTP/1.1 and HTTP/2 by ALPN, HTTP/2 without TLS, and certificates that change.

use crate::routes::server;
use crate::support::Server;
use crate::support::client::Client;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ooni_testkit::certificate::{Authority, Certificate};
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

const ROOT: &str = "server.example";

fn write(directory: &Path, certificate: &Certificate) {
    fs::write(directory.join("key.pem"), &certificate.key_pem).unwrap();
    fs::write(directory.join("certificate.pem"), &certificate.pem).unwrap();
}

/// A server with a certificate in a directory.
fn encrypted(directory: &Path) -> Server {
    server(|config| {
        config.server.tls_certificate = directory.join("certificate.pem");
        config.server.tls_key = directory.join("key.pem");
        config.server.header_timeout = 1;
    })
}

fn client(authority: &Authority, versions: &[&'static SupportedProtocolVersion], protocol: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

fn connect(
    server: &Server,
    config: &Arc<ClientConfig>,
    name: &'static str,
) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    let connection = ClientConnection::new(Arc::clone(config), name.try_into().unwrap()).unwrap();
    Client::new(StreamOwned::new(connection, TcpStream::connect(server.address).unwrap()))
}

#[test]
fn http1() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours").unwrap();
    write(directory.path(), &authority.issue(&[ROOT]).unwrap());
    let server = encrypted(directory.path());
    for version in [&TLS12, &TLS13] {
        let mut client = connect(&server, &client(&authority, &[version], "http/1.1"), ROOT);
        for _ in 0..2 {
            let reply = client.get("/param/x");
            assert_eq!(reply.json()["value"], "x");
            let hsts = reply.header("strict-transport-security");
            assert_eq!(hsts, Some("max-age=31536000; includeSubDomains"));
        }
        // Large bodies and refusals pass through TLS as well.
        assert_eq!(client.post("/payload", &vec![b'a'; 5_000_000]).json()["length"], 5_000_000);
        assert_eq!(client.get("/text/5000000").body.len(), 5_000_000);
        let reply = client.send("GET /\r\n\r\n");
        assert_eq!((reply.status, &*reply.error()), (400, "Bad Request"));
    }
}

#[test]
fn http2() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours").unwrap();
    write(directory.path(), &authority.issue(&[ROOT]).unwrap());
    let server = encrypted(directory.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connector = tokio_rustls::TlsConnector::from(client(&authority, &[&TLS13], "h2"));
        let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let stream = connector.connect(ROOT.try_into().unwrap(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        conversation(stream).await;
    });
    // Without TLS, by prior knowledge.
    let server = crate::routes::server(|config| config.server.header_timeout = 1);
    runtime.block_on(async {
        conversation(tokio::net::TcpStream::connect(server.address).await.unwrap()).await;
    });
}

/// Many requests at the same time on one HTTP/2 connection, until the server closes it for being idle.
async fn conversation(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = |method: &str, path: &str, body: Vec<u8>| {
        let request = hyper::Request::builder().method(method).uri(format!("http://{ROOT}{path}"));
        let response = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap());
        async move {
            let (parts, body) = response.await.unwrap().into_parts();
            (parts, body.collect().await.unwrap().to_bytes())
        }
    };
    let mut answers = Vec::new();
    for number in 0..300 {
        answers.push((number, tokio::spawn(request("GET", &format!("/param/{number}"), Vec::new()))));
    }
    for (number, answer) in answers {
        let (parts, body) = answer.await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((parts.status.as_u16(), &body["value"]), (200, &number.to_string().into()));
    }
    for (method, path, length, status, text) in [
        ("POST", "/payload", 3_000_000, 200, "\"length\":3000000"),
        ("POST", "/json", 2_000_000, 413, "larger than 1048576 bytes"),
        ("GET", "/panic", 0, 500, "Internal Server Error"),
        ("GET", "/nothing", 0, 404, "Not Found"),
        ("HEAD", "/text/5000", 0, 200, ""),
        ("PATCH", "/payload", 1000, 405, "Method Not Allowed"),
    ] {
        let (parts, body) = request(method, path, vec![b' '; length]).await;
        assert_eq!(parts.status.as_u16(), status, "{path}");
        assert!(std::str::from_utf8(&body).unwrap().contains(text), "{path}: {body:?}");
        if method == "HEAD" {
            assert_eq!((&parts.headers["content-length"], body.len()), (&"5000".parse().unwrap(), 0));
        }
    }
    let mut many = hyper::Request::builder().uri(format!("http://{ROOT}/client"));
    for number in 0..101 {
        many = many.header(format!("x-{number}"), "x");
    }
    let answer = sender.send_request(many.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    assert_eq!(answer.status().as_u16(), 431);
    connection.await.unwrap().unwrap();
    assert!(sender.is_closed());
}

#[test]
fn certificates_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours").unwrap();
    write(directory.path(), &authority.issue(&[ROOT]).unwrap());
    let server = encrypted(directory.path());
    let config = client(&authority, &[&TLS13], "http/1.1");
    let mut before = connect(&server, &config, ROOT);
    assert_eq!(before.get("/param/x").status, 200);

    // What cannot be used changes nothing.
    fs::write(directory.path().join("certificate.pem"), "nothing").unwrap();
    assert_eq!(connect(&server, &config, ROOT).get("/param/x").status, 200);

    write(directory.path(), &authority.issue(&["renewed.server.example"]).unwrap());
    assert_eq!(connect(&server, &config, "renewed.server.example").get("/param/x").status, 200);
    assert_eq!(before.get("/param/x").status, 200);
}

#[test]
fn clients_that_do_not_speak_tls() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours").unwrap();
    write(directory.path(), &authority.issue(&[ROOT]).unwrap());
    let server = encrypted(directory.path());
    // One that says nothing is closed by the timeout, others get an alert.
    assert_eq!(server.connect().rest(), b"");
    let mut plain = server.connect();
    plain.write("GET /param/x HTTP/1.1\r\n\r\n");
    assert!(!plain.rest().starts_with(b"HTTP"));
    assert_eq!(connect(&server, &client(&authority, &[&TLS13], "http/1.1"), ROOT).get("/param/x").status, 200);
}

#[test]
fn settings_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = ooni_api::config::Config { state_dir: directory.path().into(), ..Default::default() };
    let mut error = |certificate: &str, key: &str| {
        config.server.tls_certificate = certificate.into();
        config.server.tls_key = key.into();
        format!("{:#}", ooni_api::http::HttpServer::open(&config, &Default::default()).unwrap_err())
    };
    assert_eq!(error("x.pem", ""), "tls_certificate and tls_key need each other");
    assert!(error("/nonexistent.pem", "/key.pem").starts_with("cannot read the certificate /nonexistent.pem: "));
}
