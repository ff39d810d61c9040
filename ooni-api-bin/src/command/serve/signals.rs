//! Signals that stop the server, and one that does not.

use std::io;
use std::process;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGTERM or SIGINT. After that, a second one ends the process with the exit code that a shell gives a process
/// that the signal killed.
///
/// # Errors
/// Signals cannot be handled.
pub(super) fn shutdown() -> io::Result<impl Future<Output = ()> + Send> {
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    Ok(async move {
        let kind = signals.next().await;
        tracing::info!(signal = name(kind), "stopping");
        tokio::spawn(async move {
            let kind = signals.next().await;
            tracing::warn!(signal = name(kind), "ended before all requests were answered");
            process::exit(128 + kind.as_raw_value());
        });
    })
}

/// Makes a write beyond the limit of file sizes an error, as on a full disk. By default `SIGXFSZ` ends the process.
///
/// # Errors
/// The signal cannot be handled.
pub(super) fn survive_file_size_limit() -> io::Result<()> {
    // The handler stays when the stream is dropped.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

fn name(kind: SignalKind) -> &'static str {
    if kind == SignalKind::terminate() { "SIGTERM" } else { "SIGINT" }
}
