//! [`RetryPolicy`]: how often a call is retried after a lost connection, and the pauses between attempts. All retries of
//! this crate use it.

use crate::deadline::Deadline;
use std::time::Duration;
use tokio::time::sleep;

/// How often something is attempted and how long the pauses are. Each pause is twice as long as the one before, up to a
/// maximum, and shortened at random by up to half so that many clients do not come back at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    attempts: u32,
    first_pause: Duration,
    max_pause: Duration,
}

impl RetryPolicy {
    /// For changes and for reads without a deadline: about 40 s, in which a server can restart.
    pub(crate) const PATIENT: RetryPolicy =
        RetryPolicy { attempts: 14, first_pause: Duration::from_millis(50), max_pause: RetryPolicy::MAX_PAUSE };

    /// For reads with a deadline, which ends them first if the server does not come back.
    pub(crate) const READ: RetryPolicy =
        RetryPolicy { attempts: 12, first_pause: Duration::from_millis(25), max_pause: RetryPolicy::MAX_PAUSE };

    /// For a lock that is requested for a moment at a time, until the deadline.
    pub(crate) const LOCK: RetryPolicy =
        RetryPolicy { attempts: u32::MAX, first_pause: Duration::from_millis(50), max_pause: Duration::from_secs(1) };

    const MAX_PAUSE: Duration = Duration::from_secs(8);

    /// Starts counting the attempts of a call.
    pub(crate) fn start(self, deadline: Deadline) -> Attempts {
        Attempts { left: self.attempts, pause: self.first_pause, max_pause: self.max_pause, deadline }
    }
}

/// The attempts that a call has left.
#[derive(Debug)]
pub(crate) struct Attempts {
    left: u32,
    pause: Duration,
    max_pause: Duration,
    deadline: Deadline,
}

impl Attempts {
    /// Pauses before another attempt. Returns false at once if no attempt is left or the pause would pass the deadline.
    pub(crate) async fn again(&mut self) -> bool {
        match self.next_pause() {
            Some(pause) => {
                sleep(pause).await;
                true
            }
            None => false,
        }
    }

    fn next_pause(&mut self) -> Option<Duration> {
        self.left = self.left.saturating_sub(1);
        let pause = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = (self.pause * 2).min(self.max_pause);
        (self.left > 0 && pause < self.deadline.remaining()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_end_with_the_attempts() {
        let mut attempts = RetryPolicy::PATIENT.start(Deadline::NEVER);
        let pauses: Vec<Duration> = std::iter::from_fn(|| attempts.next_pause()).collect();
        assert_eq!(pauses.len(), 13);
        assert!(pauses[0] <= Duration::from_millis(50) && pauses[12] <= RetryPolicy::MAX_PAUSE);
        let all: Duration = pauses.iter().sum();
        assert!((Duration::from_secs(20)..Duration::from_secs(60)).contains(&all), "{all:?}");
    }

    #[test]
    fn no_pause_exceeds_the_deadline() {
        assert_eq!(RetryPolicy::PATIENT.start(Deadline::after(Duration::ZERO)).next_pause(), None);
        let far = Deadline::after(Duration::from_secs(3600));
        assert!(RetryPolicy::READ.start(far).next_pause().is_some());
    }
}
