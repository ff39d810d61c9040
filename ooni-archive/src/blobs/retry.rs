//! [`RetryPolicy`]: timeouts, and how often a request is retried. [`Retries`]: the one retry loop of this crate.

use super::counters::Counters;
use super::failure::{Failure, FailureKind};
use std::future::Future;
use std::time::Duration;
use tokio::time::sleep;

/// Timeouts and retries of requests to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Maximum number of consecutive attempts that fail without progress.
    pub attempts: u32,
    /// Upper bound of the wait before the second attempt; it doubles with each further attempt.
    pub first_wait: Duration,
    /// Upper bound of the wait before any attempt.
    pub longest_wait: Duration,
    /// How long a server may take to connect, to respond or to send the next bytes.
    pub idle_timeout: Duration,
    /// How long a request may take in all. A download keeps what it has received until then.
    pub request_timeout: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts: 8,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// The wait after this many consecutive failures, with jitter so that clients do not retry all at once.
    fn wait(&self, failures: u32) -> Duration {
        let longest = self.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.longest_wait);
        longest.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// The failures of one request so far.
#[derive(Debug)]
pub(crate) struct Retries<'r> {
    policy: &'r RetryPolicy,
    counters: &'r Counters,
    failures: u32,
    /// Why the last invalid response was invalid.
    invalid: Option<String>,
}

impl<'r> Retries<'r> {
    pub(crate) fn new(policy: &'r RetryPolicy, counters: &'r Counters) -> Retries<'r> {
        Retries { policy, counters, failures: 0, invalid: None }
    }

    /// Called after progress: earlier failures no longer count.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits until the next attempt.
    ///
    /// # Errors
    /// The failure, when it is permanent, when the response is invalid in the same way twice, or after too many attempts.
    pub(crate) async fn wait(&mut self, failure: Failure) -> Result<(), Failure> {
        self.failures += 1;
        let repeated = match failure.kind {
            FailureKind::NotFound | FailureKind::Permanent => return Err(failure),
            FailureKind::InvalidResponse => {
                self.invalid.replace(failure.why.clone()).is_some_and(|before| before == failure.why)
            }
            FailureKind::Transient => false,
        };
        if repeated || self.failures >= self.policy.attempts {
            return Err(Failure { why: format!("{} ({} attempts)", failure.why, self.failures), ..failure });
        }
        let demanded = failure.retry_after.unwrap_or_default().min(self.policy.longest_wait);
        sleep(self.policy.wait(self.failures).max(demanded)).await;
        Counters::add(&self.counters.retries, 1);
        Ok(())
    }

    /// Repeats a request until it succeeds or [`Retries::wait`] fails.
    pub(crate) async fn run<T, F>(mut self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        loop {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(failure) => self.wait(failure).await?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let retry = RetryPolicy::default();
        for failures in 1..100 {
            let longest = Duration::from_millis(500 << (failures - 1).min(10)).min(retry.longest_wait);
            for _ in 0..20 {
                let wait = retry.wait(failures);
                assert!(wait <= longest && wait >= longest / 2, "{failures}: {wait:?}");
            }
        }
    }
}
