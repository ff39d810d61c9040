//! [`listen`]: opens a listener, with an error that says what to do.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Listens on an address. `setting` is what it was set by, such as `--listen`.
///
/// # Errors
/// A sentence.
pub async fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| sentence(address, setting, &error))
}

fn sentence(address: SocketAddr, setting: &str, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => {
            format!("another program is using this address; stop it, or choose another address with {setting}")
        }
        ErrorKind::AddrNotAvailable => {
            format!("this machine does not have this address; choose another one with {setting}")
        }
        ErrorKind::PermissionDenied => {
            format!("{error}; use a port from 1024 on, or give the program the capability CAP_NET_BIND_SERVICE")
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {address}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errors_say_what_to_do() {
        let first = listen("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address, "--listen").await.unwrap_err();
        let advice = "another program is using this address; stop it, or choose another address with --listen";
        assert_eq!(error, format!("cannot listen on {address}: {advice}"));
        let error = listen("192.0.2.1:80".parse().unwrap(), "metrics.listen").await.unwrap_err();
        assert!(error.ends_with("choose another one with metrics.listen"), "{error}");
    }
}
