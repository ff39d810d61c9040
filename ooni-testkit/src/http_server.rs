//! A minimal HTTP server whose responses a test defines, and a proxy. Each connection serves one request.

#![allow(clippy::unwrap_used)] // the test fails if its server does

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
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
pub fn serve_tls(
    config: Arc<rustls::ServerConfig>,
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> HttpServer {
    HttpServer::start(move |stream, asked| {
        let session = rustls::ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut stream = rustls::StreamOwned::new(session, stream);
        exchange(&mut stream, asked, &answer)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
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
            let path = path.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server.write_all(format!("GET /{path}").as_bytes())?;
        }
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_server); // either side may close first
            to_server.shutdown(Shutdown::Write)
        });
        io::copy(&mut server, &mut client)?;
        client.shutdown(Shutdown::Write)
    })
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
    let head = head(&mut stream).unwrap_or_default();
    asked.lock().unwrap().push(head.clone());
    stream.write_all(&answer(&head))?;
    stream.flush()
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
