//! [`Pace`]: when the next request of a connection is due.

use std::time::{Duration, Instant};

/// When a connection sends its requests.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    due: Instant,
    interval: Duration,
}

impl Pace {
    /// The pace of one of several connections, which take turns, so that together they send so many requests per second.
    pub fn of(number: usize, connections: usize, rate: f64, begin: Instant) -> Pace {
        let interval = Duration::from_secs_f64(connections as f64 / rate);
        Pace { due: begin + interval.mul_f64(number as f64 / connections as f64), interval }
    }

    /// Waits until the next request is due. Returns that time, which is in the past if the last answer was late.
    pub async fn wait(&mut self) -> Instant {
        let due = self.due;
        tokio::time::sleep_until(due.into()).await;
        self.due += self.interval;
        due
    }
}
