//! One connection, from its TLS handshake to its end.

use super::exchange::Site;
use super::state::State;
use super::stream::Stream;
use super::tls::Tls;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

/// Requests of an HTTP/2 connection that may be in progress at the same time.
const MAX_STREAMS: u32 = 100;
/// What an HTTP/2 client may send of a body before it is read, in bytes: of one, and of all of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What is kept of a response of HTTP/2 after it was complete, in bytes: enough to be sent before the connection is idle for too
/// long, even if the client is slow.
const SEND_BUFFER: usize = 64 << 10;
/// How long an idle connection may take to end after it was told to.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What hyper demands of the size of headers, in bytes.
const MIN_HEADER_BYTES: usize = 8192;

/// How connections are served.
#[derive(Clone, Debug)]
pub(super) struct Protocol {
    builder: auto::Builder<TokioExecutor>,
    header_timeout: Duration,
    body_timeout: Duration,
}

impl Protocol {
    pub(super) fn new(settings: &crate::config::Server) -> Protocol {
        let header_timeout = Duration::from_secs(settings.header_timeout);
        let max_header_bytes = settings.max_header_bytes.max(MIN_HEADER_BYTES);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // `serve` has a timeout that includes the detection of the protocol, and answers with 408.
            .header_read_timeout(None)
            .max_headers(settings.max_headers)
            .max_buf_size(max_header_bytes);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(header_timeout)
            .keep_alive_timeout(header_timeout)
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(max_header_bytes).unwrap_or(u32::MAX));
        Protocol { builder, header_timeout, body_timeout: Duration::from_secs(settings.body_timeout) }
    }

    /// Serves a connection until it ends by itself, is idle for too long, or is asked to stop.
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<&Tls>,
        site: Arc<Site>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let state = Arc::new(State::new(site.metrics().clone()));
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            return self.http(stream, peer, site, state, stopped).await;
        };
        let handshake = timeout(self.header_timeout, TlsAcceptor::from(tls.current()).accept(stream));
        let result = tokio::select! {
            result = handshake => result,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        match result {
            Ok(Ok(stream)) => self.http(stream, peer, site, state, stopped).await,
            Ok(Err(error)) => {
                state.metrics.tls_errors.inc();
                tracing::debug!(%error, "a TLS handshake failed");
            }
            Err(_) => state.metrics.tls_errors.inc(),
        }
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        site: Arc<Site>,
        state: Arc<State>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let service = service_fn({
            let state = Arc::clone(&state);
            move |request| {
                let (site, state) = (Arc::clone(&site), Arc::clone(&state));
                async move { Ok::<_, Infallible>(site.answer(state, peer.ip(), request).await) }
            }
        });
        let stream = TokioIo::new(Stream::new(stream, Arc::clone(&state)));
        let connection = self.builder.serve_connection(stream, service);
        tokio::pin!(connection);
        let deadline = tokio::time::sleep_until(self.next_check(&state));
        tokio::pin!(deadline);
        let (mut stopping, mut expired) = (false, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended"); // the client's doing
                    }
                    return;
                }
                _ = stopped.wait_for(|stopped| *stopped), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = deadline.as_mut() => {
                    let now = Instant::now();
                    let blocked = state.blocked_until(self.body_timeout).is_some_and(|until| until <= now);
                    if blocked || expired && state.is_idle() {
                        return;
                    }
                    if expired {
                        deadline.as_mut().reset(now + LAST_WORDS); // a request arrived just before its end
                    } else if state.idle_until(self.header_timeout).is_some_and(|until| until <= now) {
                        expired = true;
                        match state.is_http2() {
                            true => connection.as_mut().graceful_shutdown(),
                            false => state.expire(),
                        }
                        deadline.as_mut().reset(now + LAST_WORDS);
                    } else {
                        deadline.as_mut().reset(self.next_check(&state));
                    }
                }
            }
        }
    }

    /// When the connection may next be idle or blocked for too long.
    fn next_check(&self, state: &State) -> Instant {
        let now = Instant::now();
        let idle = state.idle_until(self.header_timeout).unwrap_or(now + self.header_timeout);
        let blocked = state.blocked_until(self.body_timeout).unwrap_or(now + self.body_timeout);
        idle.min(blocked)
    }
}
