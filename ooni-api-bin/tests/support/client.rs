//! A client of HTTP/1.1 that sends bytes as they are.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// A connection.
pub struct Client<S = TcpStream> {
    stream: BufReader<S>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        Client::new(TcpStream::connect(address).unwrap())
    }

    /// Nothing more is sent.
    pub fn shutdown_write(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Whether nothing can be read at this moment.
    pub fn is_silent(&mut self) -> bool {
        self.stream.get_ref().set_nonblocking(true).unwrap();
        let result = self.stream.fill_buf().map(<[u8]>::len);
        self.stream.get_ref().set_nonblocking(false).unwrap();
        result.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// A handle to send while this one receives.
    pub fn sender(&self) -> TcpStream {
        self.stream.get_ref().try_clone().unwrap()
    }
}

impl<S: Read + Write> Client<S> {
    pub fn new(stream: S) -> Client<S> {
        Client { stream: BufReader::new(stream) }
    }

    pub fn write(&mut self, bytes: &(impl AsRef<[u8]> + ?Sized)) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// Sends a request and returns its response.
    pub fn send(&mut self, request: &(impl AsRef<[u8]> + ?Sized)) -> Reply {
        self.write(request);
        let method = request.as_ref().split(|byte| *byte == b' ').next().unwrap();
        self.reply_to(std::str::from_utf8(method).unwrap_or_default())
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    pub fn post(&mut self, path: &str, body: &(impl AsRef<[u8]> + ?Sized)) -> Reply {
        self.send(&post(path, "", body.as_ref()))
    }

    /// The next response, to a method that is not HEAD.
    pub fn reply(&mut self) -> Reply {
        self.reply_to("")
    }

    pub fn reply_to(&mut self, method: &str) -> Reply {
        self.try_reply(method).unwrap().expect("the connection was closed before a response")
    }

    /// The next response; `None` if the connection is closed.
    pub fn try_reply(&mut self, method: &str) -> io::Result<Option<Reply>> {
        let Some(line) = self.line()? else { return Ok(None) };
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{line:?} is not a status line"));
        let mut headers = Vec::new();
        while let Some(line) = self.line()?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is not a header"));
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        if method == "HEAD" || matches!(status, 100 | 204 | 304) {
            return Ok(Some(reply));
        }
        if reply.header("transfer-encoding") == Some("chunked") {
            self.chunks(&mut reply.body)?;
        } else {
            let length = reply.header("content-length").expect("a response has a length").parse().unwrap();
            reply.body.resize(length, 0);
            self.stream.read_exact(&mut reply.body)?;
        }
        Ok(Some(reply))
    }

    /// What is left until the server closes the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.strip_suffix("\r\n").map(str::to_owned))
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let size = u64::from_str_radix(&self.line()?.expect("the size of a chunk"), 16).unwrap();
            (&mut self.stream).take(size).read_to_end(body)?;
            assert_eq!(self.line()?.as_deref(), Some(""), "a chunk was cut off");
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// A request with a body; `headers` are whole lines.
pub fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// All values of a header, joined.
    pub fn values(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value);
        values.collect::<Vec<_>>().join(", ")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The text of an error response, which must be JSON.
    pub fn error(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-cache"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        self.json()["error"].as_str().unwrap_or_else(|| panic!("no error in {self:?}")).to_owned()
    }
}
