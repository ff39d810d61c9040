//! [`Connection`]: a client that costs little beside the server that it measures.

use anyhow::{Context, Result, bail};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection over which one request after the other is sent.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'b> {
    /// Its status.
    pub status: u16,
    /// Its body as it was sent, with the sizes of its chunks, if it has any.
    pub body: &'b [u8],
}

/// What a head says about the body after it.
enum Length {
    Bytes(usize),
    Chunked,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The connection is closed, or the answer is not HTTP.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            self.receive().await?;
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let (status, length) = parse(&self.received[..head])?;
        let end = match length {
            Length::Bytes(bytes) => head + bytes,
            Length::Chunked => self.end_of_chunks(head).await?,
        };
        while self.received.len() < end {
            self.receive().await?;
        }
        Ok(Answer { status, body: &self.received[head..end] })
    }

    /// The end of chunks that begin at `at`.
    async fn end_of_chunks(&mut self, mut at: usize) -> Result<usize> {
        loop {
            let Some(line) = self.received.get(at..).and_then(|rest| find(rest, b"\r\n")) else {
                self.receive().await?;
                continue;
            };
            let size = std::str::from_utf8(&self.received[at..at + line])?;
            let size = usize::from_str_radix(size.trim(), 16).context("not the size of a chunk")?;
            at += line + 2 + size + 2;
            if size == 0 {
                return Ok(at);
            }
        }
    }

    async fn receive(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn parse(head: &[u8]) -> Result<(u16, Length)> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.get(9..12).and_then(|status| status.parse().ok()).context("not an answer of HTTP")?;
    if head.contains("\r\ntransfer-encoding: chunked\r\n") {
        return Ok((status, Length::Chunked));
    }
    match head.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()) {
        Some(bytes) => Ok((status, Length::Bytes(bytes))),
        None => bail!("an answer without a length"),
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
