//! Connections: what a URL says about them, TLS, a pool for those that read.

use super::Trouble;
use crate::tls::{tls, with_causes};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Timeouts};
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long to wait for a server, or for a connection that others use.
const PATIENCE: Duration = Duration::from_secs(10);

/// Set on every connection. The planner's compiler costs more than our queries; a server notices within seconds that a
/// program is gone.
const OPTIONS: &str =
    "-c jit=off -c TimeZone=UTC -c client_connection_check_interval=2s -c plan_cache_mode=force_custom_plan";

/// How to connect.
#[derive(Clone)]
pub(super) struct Connect {
    config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl Connect {
    /// What a URL says: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`, as other programs take it. A server's
    /// certificate is always checked where there is one: against the roots of the system, or `sslrootcert=FILE`.
    ///
    /// # Errors
    /// It is no such URL.
    pub(super) fn new(url: &str, application_name: &str) -> Result<Connect, Trouble> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut rest = Vec::new();
        let mut roots = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", file)) => roots = Some(file),
                Some(("sslmode", "verify-ca" | "verify-full")) => rest.push("sslmode=require"),
                _ => rest.push(pair),
            }
        }
        let refuse = |error: &dyn std::error::Error| {
            Trouble::Schema(format!("is no URL of a PostgreSQL database: {}", with_causes(error)))
        };
        let mut config = Config::from_str(&format!("{base}?{}", rest.join("&"))).map_err(|error| refuse(&error))?;
        let options = config.get_options().map_or_else(|| OPTIONS.to_owned(), |own| format!("{OPTIONS} {own}"));
        config.options(options);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name(application_name);
        }
        Ok(Connect { config, tls: MakeRustlsConnect::new(tls(roots).map_err(Trouble::Schema)?) })
    }

    /// Connects.
    pub(super) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        // It ends with its client; what went wrong is told by the query that hears of it.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Connections that are used in turn.
    pub(super) fn pool(&self, connections: usize) -> Result<Pool, Trouble> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), recycling);
        let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
        let pool = Pool::builder(manager).max_size(connections).timeouts(timeouts);
        let pool = pool.runtime(deadpool_postgres::Runtime::Tokio1).build();
        pool.map_err(|error| Trouble::Schema(format!("no pool of connections: {error}")))
    }
}
