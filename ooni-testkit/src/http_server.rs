//! A minimal HTTP server whose responses a test defines, also with TLS, and proxies. Each connection serves one request.

#![allow(clippy::unwrap_used)] // the test fails if its server does

use crate::certificate::Certificate;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server on a free port of 127.0.0.1; its threads end with the process.
#[derive(Clone)]
pub struct HttpServer {
    /// `127.0.0.1:PORT`
    pub address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpServer {
    /// The heads of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn start(serve: impl Fn(TcpStream, &Mutex<Vec<String>>) -> io::Result<()> + Send + Sync + 'static) -> HttpServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (serve, heads) = (Arc::new(serve), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (serve, heads) = (Arc::clone(&serve), Arc::clone(&heads));
                thread::spawn(move || serve(stream, &heads)); // a client may close the connection at any time
            }
        });
        HttpServer { address, asked }
    }
}

/// Serves HTTP. `answer` returns the complete response, as it is sent, to a request with this head.
pub fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |stream, asked| exchange(stream, asked, &answer))
}

/// Serves HTTPS in the same way. A connection without a request is recorded as an empty head.
pub fn serve_tls(config: Arc<ServerConfig>, answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |stream, asked| {
        let mut stream = with_tls(&config, stream)?;
        exchange(&mut stream, asked, &answer)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}

/// A server that decrypts each request and forwards it to one server without TLS.
pub fn tls_termination(config: Arc<ServerConfig>, target: &str) -> HttpServer {
    let target = target.to_owned();
    HttpServer::start(move |stream, asked| {
        let mut stream = with_tls(&config, stream)?;
        let (head, body) = request(&mut stream)?;
        asked.lock().unwrap().push(head.clone());
        let mut server = TcpStream::connect(&target)?;
        server.write_all(head.replacen("\r\n", CLOSES, 1).as_bytes())?;
        server.write_all(&body)?;
        let mut response = Vec::new();
        server.read_to_end(&mut response)?;
        let line = response.windows(2).position(|end| end == b"\r\n").unwrap();
        stream.write_all(&[&response[..line], CLOSES.as_bytes(), &response[line + 2..]].concat())?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}

/// The end of a first line, and a header that ends the connection.
const CLOSES: &str = "\r\nConnection: close\r\n";

fn with_tls(config: &Arc<ServerConfig>, stream: TcpStream) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(session, stream))
}

/// The configuration of a server with this certificate.
pub fn tls_config(certificate: &Certificate) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// A SOCKS5 proxy that connects every request to one server. With `credentials`, it refuses requests with another user and
/// password. The addresses that it was asked for, `HOST:PORT`, are its requests.
pub fn socks5(target: &str, credentials: Option<(&str, &str)>) -> HttpServer {
    let target = target.to_owned();
    let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
    HttpServer::start(move |mut client, asked| {
        let [version] = array(&mut client)?;
        let methods = text(&mut client)?;
        let method = if credentials.is_some() { 2 } else { 0 };
        if version != 5 || !methods.as_bytes().contains(&method) {
            return client.write_all(&[5, 0xff]);
        }
        client.write_all(&[5, method])?;
        if let Some(expected) = &credentials {
            let [_version] = array(&mut client)?;
            let is_expected = *expected == (text(&mut client)?, text(&mut client)?);
            client.write_all(&[1, u8::from(!is_expected)])?;
            if !is_expected {
                return Ok(());
            }
        }
        let host = match array(&mut client)? {
            [5, 1, 0, 1] => Ipv4Addr::from(array::<4>(&mut client)?).to_string(),
            [5, 1, 0, 3] => text(&mut client)?,
            other => return Err(io::Error::other(format!("{other:?}"))),
        };
        let port = u16::from_be_bytes(array(&mut client)?);
        asked.lock().unwrap().push(format!("{host}:{port}"));
        let server = TcpStream::connect(&target)?;
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        join(client, server)
    })
}

fn array<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A text after its length in one byte.
fn text(stream: &mut impl Read) -> io::Result<String> {
    let [length] = array(stream)?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// A proxy that connects every request to one server, by `CONNECT` or by forwarding. With `credentials`, the text after
/// `Basic `, it refuses requests that lack them.
pub fn proxy(target: &str, credentials: Option<&str>) -> HttpServer {
    let (target, credentials) = (target.to_owned(), credentials.map(str::to_owned));
    HttpServer::start(move |mut client, asked| {
        let head = head(&mut client)?;
        asked.lock().unwrap().push(head.clone());
        let wanted = credentials.as_ref().map(|credentials| format!("proxy-authorization: basic {credentials}"));
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("proxy-authorization"));
        if wanted.is_some_and(|wanted| line.is_none_or(|line| !line.eq_ignore_ascii_case(&wanted))) {
            return client.write_all(&answer("407 Proxy Authentication Required", "", b""));
        }
        let mut server = TcpStream::connect(&target)?;
        if head.starts_with("CONNECT ") {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        } else {
            let (_, path) = head.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap();
            let path = path.replacen("\r\n", CLOSES, 1);
            server.write_all(format!("GET /{path}").as_bytes())?;
        }
        join(client, server)
    })
}

/// Forwards in both directions until both sides have ended.
fn join(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server); // either side may close first
        to_server.shutdown(Shutdown::Write)
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}

/// A response with this status, these header lines, each with its line end, and this body.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn exchange<S: Read + Write>(
    mut stream: S,
    asked: &Mutex<Vec<String>>,
    answer: &impl Fn(&str) -> Vec<u8>,
) -> io::Result<()> {
    // The body is read as well: the response could be lost if the connection is closed before.
    let (head, _body) = request(&mut stream).unwrap_or_default();
    asked.lock().unwrap().push(head.clone());
    stream.write_all(&answer(&head))?;
    stream.flush()
}

/// The head of a request and its body, whose length the head says.
fn request(stream: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    let head = head(stream)?;
    let length = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
    let mut body = vec![0; head.lines().find_map(length).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

/// The head of a request, including its empty line.
fn head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 64 << 10 {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
