//! What is logged when the server starts, and what can prevent it, in sentences that say what to do.

use crate::command::output::Failure;
use crate::config::{Config, ignored_variables};
use crate::intake;
use crate::version;
use ooni_store::without_password;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// Logs what the server is and where its data are. Port 0 is replaced by the port that the system chose.
pub(super) fn log(config: &Config, listen: SocketAddr) {
    tracing::info!(
        version = version::text(),
        listen = %listen,
        state_dir = %config.state_dir.display(),
        store = without_password(&config.store_uri()),
        archive = without_password(&config.archive_location()),
        "starting"
    );
    for ignored in ignored_variables(std::env::vars_os()) {
        tracing::warn!("{ignored}");
    }
}

/// Creates the state directory if it does not exist, and checks that it can be written.
///
/// # Errors
/// A sentence.
pub(super) fn prepare(state_dir: &Path) -> Result<(), String> {
    let written = fs::create_dir_all(state_dir).and_then(|()| tempfile::tempfile_in(state_dir));
    written.map(drop).map_err(|error| {
        let shown = state_dir.display();
        format!("the state directory {shown} cannot be written: {error}; choose another one with --state-dir")
    })
}

/// The error of a server that did not start, or failed.
pub(super) fn failure(state_dir: &Path, error: anyhow::Error) -> Failure {
    match error.downcast_ref() {
        Some(intake::Error::Locked(_)) => Failure::Failed(format!(
            "the state directory {} is in use by another process; stop it, or choose another directory with --state-dir",
            state_dir.display()
        )),
        _ => error.into(),
    }
}
