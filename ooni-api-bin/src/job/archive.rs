//! The job `archive`: archives the hours of the intake log that are over. In a server, a task does it all the time.

use super::Report;
use super::jobs::Run;
use anyhow::bail;

pub(super) async fn run(_: &Run<'_>) -> anyhow::Result<Report> {
    bail!("the archiver runs in the server only")
}
