//! [`App`]: everything that a handler or a job may use. There are no globals.

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::stores::Stores;

/// The parts of a running server.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The databases.
    pub stores: Stores,
    /// Metrics.
    pub metrics: Metrics,
}

impl App {
    /// Opens everything that the configuration names, and creates what an empty state directory lacks.
    ///
    /// # Errors
    /// A part cannot be opened.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<App> {
        std::fs::create_dir_all(&config.state_dir)?;
        let stores = Stores::open(&config).await?;
        Ok(App { stores, metrics: Metrics::default(), config, clock })
    }
}
