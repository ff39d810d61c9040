//! The peak memory of a command, sampled while it runs.
//!
//! The system reports the peak of a single process only while it runs, and for exited children only collectively. So
//! it is sampled every few milliseconds; the last moments of a command are missed.

use std::fs;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The sampling interval.
const PAUSE: Duration = Duration::from_millis(4);

/// Samples a process.
#[derive(Debug)]
pub struct Watch {
    /// Dropping it ends the sampling.
    stop: Sender<()>,
    thread: JoinHandle<Option<u64>>,
}

impl Watch {
    /// Starts sampling a process.
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

    /// The peak in bytes; `None` if the system does not report it, or the process exited at once.
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
