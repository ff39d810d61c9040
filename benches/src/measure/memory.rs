//! The most memory that a command had, looked up while it runs.
//!
//! The system counts it for one process at a time only until that ends, and for all ended children only together. So it
//! is asked every few milliseconds; what a command takes in its very last moment is missed.

use std::fs;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between one look and the next.
const PAUSE: Duration = Duration::from_millis(4);

/// Looks at a process.
#[derive(Debug)]
pub struct Watch {
    /// Its end ends the watch.
    stop: Sender<()>,
    thread: JoinHandle<Option<u64>>,
}

impl Watch {
    /// Begins to look at a process.
    #[must_use]
    pub fn begin(process: u32) -> Self {
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            let mut most = None;
            loop {
                most = most.max(peak(process));
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return most;
                }
            }
        });
        Self { stop, thread }
    }

    /// The most bytes that it had; none where the system does not say, or the process was gone at once.
    #[must_use]
    pub fn end(self) -> Option<u64> {
        drop(self.stop);
        self.thread.join().ok().flatten()
    }
}

fn peak(process: u32) -> Option<u64> {
    high_water(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_process_and_of_none() {
        assert!(Watch::begin(std::process::id()).end().unwrap() > 1 << 20);
        assert_eq!(high_water("Name:\tx\nVmHWM:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(high_water("Name:\tzombie\n"), None);
    }
}
