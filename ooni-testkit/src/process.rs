//! Sends signals to processes that tests started.

use std::process::Command;

/// Sends a signal, such as `INT`, to a process, with the shell's builtin: a minimal system has no program `kill`.
///
/// # Panics
/// The process does not exist.
#[allow(clippy::panic)] // the test fails if the signal cannot be sent
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name]).arg(pid.to_string()).status();
    if !status.as_ref().is_ok_and(|status| status.success()) {
        panic!("cannot send signal {name} to process {pid}: {status:?}");
    }
}
