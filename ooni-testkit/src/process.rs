//! Signals to processes that tests start.

use std::process::Command;

/// Sends a signal, such as `INT`, to a process. The shell does it: a bare machine has no program `kill`.
///
/// # Panics
/// The process does not exist.
#[allow(clippy::panic)] // a test that cannot send its signal has failed
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name]).arg(pid.to_string()).status();
    if !status.as_ref().is_ok_and(|status| status.success()) {
        panic!("signal {name} cannot be sent to process {pid}: {status:?}");
    }
}
