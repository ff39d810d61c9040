//! Messages to the service manager (`sd_notify`): that the server is ready, that it stops, and that it is alive.
//!
//! Without the variable `NOTIFY_SOCKET` in the environment, nothing is sent.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The socket of the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The socket that the environment names. One that cannot be used is reported in the log.
    pub fn from_environment() -> Notifier {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let socket = variable("NOTIFY_SOCKET").and_then(|name| match open(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be notified");
                None
            }
        });
        let micros = variable("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        Notifier { socket, watchdog: micros.filter(|micros| *micros > 0).map(Duration::from_micros) }
    }

    /// The server answers requests.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// The server is stopping.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Says that the server is alive, twice in the time that the service manager allows, for as long as the future runs.
    pub async fn keep_alive(&self) {
        let Some(limit) = self.watchdog.filter(|_| self.socket.is_some()) else { return std::future::pending().await };
        loop {
            self.send("WATCHDOG=1");
            tokio::time::sleep(limit / 2).await;
        }
    }

    /// A message that cannot be sent is dropped.
    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

/// A name that starts with `@` is that of an abstract socket.
fn open(name: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    #[cfg(target_os = "linux")]
    let address = match name.strip_prefix('@') {
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    #[cfg(not(target_os = "linux"))]
    let address = SocketAddr::from_pathname(name)?;
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
