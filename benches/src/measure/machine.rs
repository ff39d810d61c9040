//! The machine and versions of a run.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The context of the numbers of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// When the run began, UTC, `2024-03-01T00:00:00Z`.
    pub started: String,
    /// Model of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// `rustc --version`.
    pub rustc: String,
    /// The commit, with `-dirty` if files differ from it.
    pub commit: String,
    /// `/proc/loadavg` when the run began: more than 0 means that the machine was doing other work.
    pub load: String,
}

const UNKNOWN: &str = "unknown";

impl Machine {
    /// Describes this machine. What cannot be determined is `unknown`.
    #[must_use]
    pub fn here() -> Self {
        let line = |path: &str| fs::read_to_string(path).map_or(UNKNOWN.into(), |text| text.trim().to_owned());
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            started: says("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
            processor: processor(&cpuinfo).unwrap_or(UNKNOWN).to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: line("/proc/sys/kernel/osrelease"),
            rustc: says("rustc", &["--version"]),
            commit: says("git", &["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]),
            load: line("/proc/loadavg"),
        }
    }

    /// The name of a folder for results of this machine on this day: `2024-03-01-amd-epyc`.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let day = self.started.split('T').next().unwrap_or(UNKNOWN);
        let mut name = day.to_owned();
        for word in self.processor.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            name.push('-');
            name.push_str(&word.to_ascii_lowercase());
        }
        name
    }
}

fn processor(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// The output of a command, run in the source folder.
fn says(program: &str, args: &[&str]) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(program);
    if here.is_dir() {
        command.current_dir(here);
    }
    let output = command.args(args).output().ok().filter(|output| output.status.success());
    output.map_or(UNKNOWN.into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\nflags\t: fpu\n";
        let machine = Machine {
            started: "2024-03-01T10:11:12Z".into(),
            processor: processor(cpuinfo).unwrap().into(),
            processors: 2,
            kernel: String::new(),
            rustc: String::new(),
            commit: String::new(),
            load: String::new(),
        };
        assert_eq!(machine.folder_name(), "2024-03-01-intel-r-xeon-r-cpu-2-20ghz");
        assert_eq!(processor("nothing"), None);
    }

    #[test]
    fn unknown_commands() {
        assert_eq!(says("no-such-command", &[]), "unknown");
    }
}
