//! [`Reload`]: a request to read files again now, instead of when their change is noticed.

use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Tells the parts of the server that have files to read them again. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    requests: watch::Sender<u64>,
}

impl Reload {
    /// Asks for it.
    pub fn request(&self) {
        self.requests.send_modify(|count| *count += 1);
    }

    /// Future requests. `changed` returns after each one, or once after several.
    pub fn requests(&self) -> watch::Receiver<u64> {
        self.requests.subscribe()
    }

    /// Makes SIGHUP a request, as long as this process runs.
    ///
    /// # Errors
    /// Signals cannot be handled.
    pub fn at_hangup(&self) -> io::Result<()> {
        let mut signals = signal(SignalKind::hangup())?;
        let reload = self.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                tracing::info!("reloading after SIGHUP");
                reload.request();
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_part_sees_requests() {
        let reload = Reload::default();
        let mut parts = [reload.requests(), reload.requests()];
        assert!(parts.iter().all(|part| !part.has_changed().unwrap()));
        reload.request();
        reload.request();
        for part in &mut parts {
            part.changed().await.unwrap();
            assert!(!part.has_changed().unwrap());
        }
    }
}
