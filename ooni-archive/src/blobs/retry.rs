//! [`RetryPolicy`]: how long a server is waited for, and how often it is asked again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// How long to wait and how often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Times that something is tried, until nothing new has come of any of them.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles with each one more.
    pub first_wait: Duration,
    /// The longest wait before any attempt.
    pub longest_wait: Duration,
    /// How long a server may send nothing.
    pub silence: Duration,
    /// How long a request may take in all. What came of a download until then is not lost.
    pub request: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts: 8,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            silence: Duration::from_secs(30),
            request: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after so many failures, at random so that not all come back at once.
    pub(crate) fn wait(&self, failures: u32) -> Duration {
        let longest = self.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.longest_wait);
        // Hashers are seeded at random: all the randomness that is needed here.
        let share = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
        longest.mul_f64(0.5 + share / 2.0)
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
