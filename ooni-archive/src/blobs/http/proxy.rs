//! [`Proxies`] of the environment, and [`ProxyConnector`], which connects through them.

use crate::blobs::failure::ProxyError;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::env;
use std::error::Error;
use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

/// Variables with the URL of a proxy; each is also read in lower case.
const VARIABLES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Schemes of proxies that are supported. With `socks5`, names are resolved here; with `socks5h`, by the proxy.
const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

type BoxError = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// The proxies of the environment.
#[derive(Debug)]
pub(super) struct Proxies(Matcher);

impl Proxies {
    /// Reads the environment.
    ///
    /// # Errors
    /// A sentence that names a variable whose value is not the URL of a supported proxy. The value is not shown, because it
    /// may contain a password.
    pub(super) fn of_environment() -> Result<Proxies, String> {
        let target = Uri::from_static("http://host/");
        for name in VARIABLES.into_iter().flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()]) {
            let value = env::var(&name).unwrap_or_default();
            if value.is_empty() {
                continue;
            }
            let Some(proxy) = Matcher::builder().all(value.trim()).build().intercept(&target) else {
                return Err(format!("{name}: not the URL of a proxy, such as http://USER:PASSWORD@HOST:PORT"));
            };
            let scheme = proxy.uri().scheme_str().unwrap_or_default();
            if !SCHEMES.contains(&scheme) {
                let supported = SCHEMES.join(", ");
                return Err(format!("{name}: {scheme} proxies are not supported; supported are {supported}"));
            }
        }
        // The matcher applies `*` to all names, but not to addresses.
        let no_proxy = env::var("NO_PROXY").or_else(|_| env::var("no_proxy")).unwrap_or_default();
        let is_none = no_proxy.split(',').any(|entry| entry.trim() == "*");
        Ok(Proxies(if is_none { Matcher::builder().build() } else { Matcher::from_env() }))
    }

    /// The proxy credentials to send with a request. Through a tunnel, they were sent when it was opened.
    pub(super) fn credentials(&self, target: &Uri) -> Option<HeaderValue> {
        match target.scheme() == Some(&Scheme::HTTP) {
            true => self.0.intercept(target)?.basic_auth().cloned(),
            false => None,
        }
    }
}

/// Opens connections, directly or through a proxy. TLS to the target is added by the caller.
#[derive(Clone, Debug)]
pub(super) struct ProxyConnector {
    proxies: Arc<Proxies>,
    /// Connects to a proxy, with TLS if it requires that, or to the target without TLS.
    direct: HttpsConnector<HttpConnector>,
}

impl ProxyConnector {
    pub(super) fn new(proxies: Arc<Proxies>, tls: &Arc<ClientConfig>, timeout: Duration) -> ProxyConnector {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        ProxyConnector { proxies, direct: HttpsConnector::from((tcp, Arc::clone(tls))) }
    }
}

impl Service<Uri> for ProxyConnector {
    type Response = ProxyStream;
    type Error = BoxError;
    type Future = Connecting<ProxyStream>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Connecting<ProxyStream> {
        let (proxy, mut direct) = (self.proxies.0.intercept(&target), self.direct.clone());
        Box::pin(async move {
            let is_https = target.scheme() == Some(&Scheme::HTTPS);
            let address = without_tls(&target, if is_https { 443 } else { 80 })?;
            let Some(proxy) = proxy else {
                return Ok(ProxyStream { stream: direct.call(address).await?, forwards: false });
            };
            let (stream, forwards) = match proxy.uri().scheme_str() {
                Some("socks5") => (socks(&proxy, direct, resolved(&address).await?).await?, false),
                Some("socks5h") => (socks(&proxy, direct, address).await?, false),
                _ if is_https => (tunnel(&proxy, direct, target).await?, false),
                _ => (direct.call(proxy.uri().clone()).await?, true),
            };
            Ok(ProxyStream { stream, forwards })
        })
    }
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

async fn tunnel(proxy: &Intercept, direct: HttpsConnector<HttpConnector>, target: Uri) -> Result<Stream, BoxError> {
    let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
    if let Some(credentials) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(credentials.clone());
    }
    Ok(tunnel.call(target).await?)
}

/// Connects through a SOCKS5 proxy to a target with a port.
async fn socks(proxy: &Intercept, mut direct: HttpsConnector<HttpConnector>, target: Uri) -> Result<Stream, BoxError> {
    let proxy_address = without_tls(proxy.uri(), 1080)?;
    // An error of `SocksV5` would not say why it cannot connect.
    let stream = direct.call(proxy_address.clone()).await?;
    let mut socks = SocksV5::new(proxy_address, Opened(Some(stream)));
    let auth = proxy.raw_auth();
    if let Some((user, password)) = auth {
        socks = socks.with_auth(user.to_owned(), password.to_owned());
    }
    socks.call(target).await.map_err(|error| {
        // The type of the error is private.
        let text = error.to_string();
        let is_refused = ["credentials not accepted", "does not support user/pass authentication"];
        match (is_refused.iter().any(|refused| text.contains(refused)), auth) {
            (true, Some(_)) => ProxyError("the proxy rejects the credentials".to_owned()).into(),
            (true, None) => ProxyError("the proxy demands credentials".to_owned()).into(),
            (false, _) => error.into(),
        }
    })
}

/// The target with an address instead of a name.
async fn resolved(target: &Uri) -> Result<Uri, BoxError> {
    let authority = target.authority().map(Authority::as_str).unwrap_or_default();
    let address = lookup_host(authority).await?.next();
    let address = address.ok_or_else(|| ProxyError(format!("unknown host: {authority} has no address")))?;
    Ok(Uri::builder().scheme(Scheme::HTTP).authority(address.to_string()).path_and_query("/").build()?)
}

/// A connector that returns an open connection.
struct Opened(Option<Stream>);

impl Service<Uri> for Opened {
    type Response = Stream;
    type Error = ProxyError;
    type Future = Ready<Result<Stream, ProxyError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| ProxyError("the connection to the proxy is in use".to_owned())))
    }
}

/// The same host and port, to be connected to without TLS.
fn without_tls(uri: &Uri, port: u16) -> Result<Uri, BoxError> {
    let authority = match (uri.host(), uri.port()) {
        (Some(host), None) => Authority::try_from(format!("{host}:{port}"))?,
        (Some(host), Some(port)) => Authority::try_from(format!("{host}:{port}"))?,
        (None, _) => return Err(ProxyError("an address without a host".to_owned()).into()),
    };
    Ok(Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query("/").build()?)
}

/// A connection to a target or to a proxy.
#[derive(Debug)]
pub(super) struct ProxyStream {
    stream: Stream,
    /// Whether the connection is to a forwarding proxy, which needs absolute URLs.
    forwards: bool,
}

impl Connection for ProxyStream {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.forwards)
    }
}

impl Read for ProxyStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl Write for ProxyStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, from)
    }
}
