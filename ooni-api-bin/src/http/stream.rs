//! [`Stream`]: the bytes of a connection, with what hyper leaves to others.
//!
//! - Requests with both `Content-Length` and `Transfer-Encoding` are noticed ([`Framing`]).
//! - Responses that hyper makes itself, to what it cannot parse, get a JSON body.
//! - A client that is slow to send its headers gets 408 before the connection is closed.
//! - A connection that is closed before a request was read is closed in a way that lets the client read the response.

use super::error::Error;
use super::framing::Framing;
use super::state::State;
use hyper::StatusCode;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long to read and discard what a client still sends after the last response. Without that the client may get a
/// reset before the response.
const LINGER: Duration = Duration::from_secs(2);
/// Responses of hyper are shorter, in bytes.
const MAX_REPLACED: usize = 200;
/// How many reads of discarded bytes may follow each other before the server does something else.
const MAX_READS: usize = 16;

/// A stream of a connection.
pub(super) struct Stream<S> {
    inner: S,
    state: Arc<State>,
    framing: Framing,
    /// What is written in place of a response of hyper, and how much of it was written.
    replacement: Option<(Vec<u8>, usize)>,
    closing: Closing,
}

enum Closing {
    Open,
    Lingering(Pin<Box<Sleep>>),
    Closed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    pub(super) fn new(inner: S, state: Arc<State>) -> Stream<S> {
        Stream { inner, state, framing: Framing::default(), replacement: None, closing: Closing::Open }
    }

    /// Writes 408 if a part of a request was received.
    fn answer_slow_headers(&mut self, cx: &mut Context<'_>) {
        if self.framing.is_in_head() && self.state.is_idle() {
            self.framing = Framing::default();
            self.state.refused("408");
            let answer = answer("HTTP/1.1 408 Request Timeout\r\n", &Error::request_timeout());
            // There is room for it: nothing else was written since the last response.
            let _ = Pin::new(&mut self.inner).poll_write(cx, &answer);
            let _ = Pin::new(&mut self.inner).poll_flush(cx);
        }
    }

    fn poll_replacement(&mut self, cx: &mut Context<'_>, original: usize) -> Poll<io::Result<usize>> {
        while let Some((bytes, written)) = &mut self.replacement {
            *written += ready!(Pin::new(&mut self.inner).poll_write(cx, &bytes[*written..]))?;
            if *written == bytes.len() {
                self.replacement = None;
            }
        }
        Poll::Ready(Ok(original))
    }

    fn written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.state.wrote(result.is_ready());
        result
    }

    /// Reads and discards until the client has closed the connection, or for some time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Closing::Lingering(sleep) = &mut self.closing else { return Poll::Ready(()) };
        let mut discarded = [0; 8192];
        for _ in 0..MAX_READS {
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut discarded);
            match ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state.is_expired() {
            this.answer_slow_headers(cx);
            return Poll::Ready(Ok(())); // the end, for hyper
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        if let Some(request) = this.framing.feed(&buffer.filled()[before..]) {
            this.state.set_ambiguous(request);
        }
        if this.framing.is_http2() {
            this.state.set_http2();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.replacement.is_none()
            && bytes.len() < MAX_REPLACED
            && this.state.is_idle()
            && let Some((status, replacement)) = replacement(bytes)
        {
            this.state.refused(status.as_str());
            this.state.set_unread(true);
            this.replacement = Some((replacement, 0));
        }
        let result = match this.replacement {
            Some(_) => this.poll_replacement(cx, bytes.len()),
            None => Pin::new(&mut this.inner).poll_write(cx, bytes),
        };
        this.written(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [only] => self.poll_write(cx, only),
            _ => {
                let this = self.get_mut();
                let result = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
                this.written(result)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Closing::Open = this.closing {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.closing = match this.state.is_unread() {
                true => Closing::Lingering(Box::pin(tokio::time::sleep(LINGER))),
                false => Closing::Closed,
            };
        }
        ready!(this.poll_linger(cx));
        this.closing = Closing::Closed;
        Poll::Ready(Ok(()))
    }
}

/// What to write instead of a response of hyper, which is one without a body and without a request id.
fn replacement(bytes: &[u8]) -> Option<(StatusCode, Vec<u8>)> {
    let head = std::str::from_utf8(bytes.strip_suffix(b"\r\n\r\n")?).ok()?;
    if !head.starts_with("HTTP/1.1 4") || !head.contains("\r\ncontent-length: 0\r\n") || head.contains("x-request-id") {
        return None;
    }
    let (status_line, rest) = head.split_once("\r\n")?;
    let status = StatusCode::from_bytes(status_line.get(9..12)?.as_bytes()).ok()?;
    let date = rest.split("\r\n").find(|line| line.starts_with("date:"))?;
    let error = Error::new(status, status.canonical_reason().unwrap_or_default());
    Some((status, answer(&format!("{status_line}\r\n{date}\r\n"), &error)))
}

/// A whole response that closes the connection.
fn answer(start: &str, error: &Error) -> Vec<u8> {
    let body = error.text();
    let headers = "content-type: application/json\r\ncache-control: no-cache\r\naccess-control-allow-origin: *\r\n\
                   x-content-type-options: nosniff\r\nconnection: close\r\n";
    format!("{start}{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
