//! `ooni-api serve`.

mod signals;
mod start;

use super::output::{Failure, settings};
use crate::cli::serve::Serve;
use crate::clock::Clock;
use crate::config::Config;
use crate::listen::listen;
use crate::{log, run};
use std::path::PathBuf;
use std::time::Duration;

/// How long tasks that cannot be cancelled may take at the end.
const LAST_TASKS: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Serve) -> Result<(), Failure> {
    let config = settings(arguments.settings.state.config.as_deref(), &arguments.flags())?;
    let missing: Vec<String> = (arguments.import.iter().filter(|path| !path.exists()))
        .map(|path| format!("--import: {}: no such file or folder", path.display()))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::Usage(missing));
    }
    log::start(&config.log).map_err(Failure::Failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    let served = runtime.block_on(serve(config, arguments.import.clone()));
    runtime.shutdown_timeout(LAST_TASKS);
    served
}

async fn serve(config: Config, import: Vec<PathBuf>) -> Result<(), Failure> {
    let handled = signals::survive_file_size_limit().and_then(|()| signals::shutdown());
    let shutdown = handled.map_err(|error| Failure::Failed(format!("signals cannot be handled: {error}")))?;
    start::prepare(&config.state_dir).map_err(Failure::Failed)?;
    let listener = listen(config.server.listen, "--listen").await.map_err(Failure::Failed)?;
    let state_dir = config.state_dir.clone();
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    start::log(&config, address);
    run::run_and_import(config, listener, Clock::system(), import, shutdown)
        .await
        .map_err(|error| start::failure(&state_dir, error))?;
    tracing::info!("stopped");
    Ok(())
}
