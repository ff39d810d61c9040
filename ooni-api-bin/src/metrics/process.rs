//! Metrics of the process itself, read from `/proc/self` when they are asked for. Elsewhere than on Linux they stay 0.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge};
use std::fs;
use std::sync::{Mutex, PoisonError};

/// Ticks of the times in `/proc`: the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory, files and processor time.
pub(super) struct Process {
    resident: IntGauge,
    virtual_memory: IntGauge,
    files: IntGauge,
    max_files: IntGauge,
    threads: IntGauge,
    started: IntGauge,
    processor: Mutex<Counter>,
}

impl Process {
    pub(super) fn new() -> Result<Process, prometheus::Error> {
        Ok(Process {
            resident: IntGauge::new("process_resident_memory_bytes", "Resident memory in bytes")?,
            virtual_memory: IntGauge::new("process_virtual_memory_bytes", "Virtual memory in bytes")?,
            files: IntGauge::new("process_open_fds", "Open file descriptors")?,
            max_files: IntGauge::new("process_max_fds", "Maximum number of open file descriptors")?,
            threads: IntGauge::new("process_threads", "Threads")?,
            started: IntGauge::new("process_start_time_seconds", "Start of the process, in seconds since 1970")?,
            processor: Mutex::new(Counter::new(
                "process_cpu_seconds_total",
                "Processor time of user and system in seconds",
            )?),
        })
    }

    fn gauges(&self) -> [&IntGauge; 6] {
        [&self.resident, &self.virtual_memory, &self.files, &self.max_files, &self.threads, &self.started]
    }

    /// A value that cannot be read keeps the last one.
    fn refresh(&self, processor: &Counter) {
        let status = read("status");
        let size = |name| field(&status, name)?.checked_mul(1024_i64);
        set(&self.resident, size("VmRSS:"));
        set(&self.virtual_memory, size("VmSize:"));
        set(&self.threads, field(&status, "Threads:"));
        set(&self.max_files, field(&read("limits"), "Max open files"));
        // The directory that is being read is one of them.
        let files = fs::read_dir("/proc/self/fd").map(|files| files.count().saturating_sub(1));
        set(&self.files, files.ok().and_then(|count| i64::try_from(count).ok()));
        let times = Times::read();
        set(&self.started, times.as_ref().and_then(Times::started));
        if let Some(times) = times {
            processor.inc_by((times.processor - processor.get()).max(0.0));
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let processor = self.processor.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&processor);
        let mut families: Vec<_> = self.gauges().into_iter().flat_map(Collector::collect).collect();
        families.extend(processor.collect());
        families
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default()
}

fn set(gauge: &IntGauge, value: Option<i64>) {
    if let Some(value) = value {
        gauge.set(value);
    }
}

/// The first number after the name at the start of a line.
fn field(text: &str, name: &str) -> Option<i64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// The times in `/proc/self/stat`.
struct Times {
    /// Processor time in seconds.
    processor: f64,
    /// Seconds from the start of the system to that of the process.
    after_boot: f64,
}

impl Times {
    fn read() -> Option<Times> {
        let stat = read("stat");
        // The name of the program is in parentheses and may contain any character.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Times { processor: seconds(11)? + seconds(12)?, after_boot: seconds(19)? })
    }

    fn started(&self) -> Option<i64> {
        let boot = field(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
        Some(boot + self.after_boot as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn values_are_plausible() {
        let process = Process::new().unwrap();
        let opened = fs::File::open("/proc/self/stat").unwrap();
        process.collect();
        let [resident, virtual_memory, files, max_files, threads, started] = process.gauges().map(IntGauge::get);
        assert!(1 << 20 < resident && resident < virtual_memory, "{resident} {virtual_memory}");
        assert!((4..max_files).contains(&files), "{files} {max_files}");
        assert!(threads >= 2, "{threads}");
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
        assert!((now - 3600..=now + 1).contains(&started), "{started}");
        drop(opened);
    }
}
