//! [`Deadline`]: when a call must finish. It is set once per call and applies to the wait for a connection, every retry and
//! every statement.

use crate::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// When a call must finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No deadline.
    pub const NEVER: Deadline = Deadline(None);

    /// A deadline `limit` from now.
    pub fn after(limit: Duration) -> Deadline {
        Deadline(Instant::now().checked_add(limit))
    }

    /// A deadline at `moment`.
    pub const fn at(moment: Instant) -> Deadline {
        Deadline(Some(moment))
    }

    /// The time left: [`Duration::MAX`] without a deadline, zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.map_or(Duration::MAX, |moment| moment.saturating_duration_since(Instant::now()))
    }

    /// Whether there is no deadline.
    pub const fn is_never(self) -> bool {
        self.0.is_none()
    }

    /// Whether it has passed.
    pub fn is_over(self) -> bool {
        self.0.is_some_and(|moment| Instant::now() >= moment)
    }

    /// This deadline, or one `limit` from now if that is earlier.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Deadline {
        if self.remaining() > limit { Deadline::after(limit) } else { self }
    }

    /// Runs a future until the deadline, then drops it.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    pub(crate) async fn run<T>(self, future: impl Future<Output = T>) -> Result<T, Error> {
        match self.0 {
            None => Ok(future.await),
            Some(_) => timeout(self.remaining(), future).await.map_err(|_| Error::timeout()),
        }
    }
}
