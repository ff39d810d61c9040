//! Processor time: of this thread, and of commands that have exited.
//!
//! Elapsed time also depends on the machine's other work, so it is recorded but not judged.

use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Processor time and elapsed time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Seconds of processor time; for commands, user and system time.
    pub cpu: f64,
    /// Elapsed seconds.
    pub wall: f64,
}

impl Spent {
    /// The time of one of `passes` passes.
    #[must_use]
    pub fn per_pass(self, passes: u32) -> Self {
        let passes = f64::from(passes.max(1));
        Self { cpu: self.cpu / passes, wall: self.wall / passes }
    }
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.wall += other.wall;
    }
}

/// Times work of the calling thread.
///
/// # Errors
/// The system has no such clock.
pub fn of_thread(work: impl FnOnce()) -> anyhow::Result<Spent> {
    let (start, wall) = (thread_cpu()?, Instant::now());
    work();
    Ok(Spent { cpu: (thread_cpu()? - start).as_secs_f64(), wall: wall.elapsed().as_secs_f64() })
}

/// The processor time of this process.
///
/// # Errors
/// The system has no such clock.
pub fn process_cpu() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).context("no processor time clock")?;
    Ok(time.into())
}

fn thread_cpu() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("no processor time clock")?;
    Ok(time.into())
}

/// Times commands: everything that exits as a child of this process while `work` runs.
///
/// # Errors
/// Errors of `work`; or the system does not report the times of children.
pub fn of_children<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Spent)> {
    let (start, wall) = (children_cpu()?, Instant::now());
    let result = work()?;
    let wall = wall.elapsed().as_secs_f64();
    Ok((result, Spent { cpu: children_cpu()? - start, wall }))
}

fn children_cpu() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("no processor time of child processes")?;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_costs_no_processor_time() {
        let spent = of_thread(|| std::thread::sleep(Duration::from_millis(20))).unwrap();
        assert!(spent.wall >= 0.02 && spent.cpu < spent.wall, "{spent:?}");
    }

    #[test]
    fn of_one_pass() {
        let mut spent = Spent { cpu: 1.0, wall: 2.0 };
        spent += spent;
        assert_eq!(spent.per_pass(4), Spent { cpu: 0.5, wall: 1.0 });
    }
}
