//! [`Stores`]: the database of measurements and that of the application tables, which may not be reachable yet.

use crate::backoff::Backoff;
use crate::config::Config;
use crate::http;
use ooni_store::{Deadline, ErrorKind, Store, StoreOptions};
use std::time::Duration;
use tokio::sync::watch;

/// Pauses between attempts to open a store.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// The databases. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stores {
    measurements: Connection,
    application: Connection,
    /// The same databases with connections of their own, which reads cannot use up.
    of_services: Services,
    /// `reads.timeout`.
    read_timeout: Duration,
}

/// Databases for probe services and `/health`.
#[derive(Clone, Debug)]
struct Services {
    measurements: Connection,
    application: Connection,
}

/// A database that is opened in the background if it cannot be reached at once.
#[derive(Clone, Debug)]
struct Connection {
    opened: watch::Receiver<Option<Store>>,
}

impl Stores {
    /// Opens the databases of a configuration. One that cannot be reached is tried again until it can.
    ///
    /// # Errors
    /// A database that can be reached cannot be used, as when its schema is that of another version.
    pub async fn open(config: &Config) -> Result<Stores, ooni_store::Error> {
        let (uri, app_uri) = (config.store_uri(), config.app_store_uri());
        let is_shared = uri == app_uri;
        let measurements = Connection::open(uri.clone(), Purpose::All).await?;
        let application =
            if is_shared { measurements.clone() } else { Connection::open(app_uri.clone(), Purpose::All).await? };
        let read_timeout = Duration::from_secs(config.reads.timeout);
        let of_services = {
            let measurements = Connection::open(uri, Purpose::Services).await?;
            let application =
                if is_shared { measurements.clone() } else { Connection::open(app_uri, Purpose::Services).await? };
            Services { measurements, application }
        };
        Ok(Stores { measurements, application, of_services, read_timeout })
    }

    /// The database of measurements, if it is open.
    ///
    /// # Errors
    /// 503 while it has not been reached.
    pub fn measurements(&self) -> Result<Store, http::Error> {
        self.measurements.get()
    }

    /// The database of the application tables, if it is open. The same as that of measurements, unless that is ClickHouse.
    ///
    /// # Errors
    /// 503 while it has not been reached.
    pub fn application(&self) -> Result<Store, http::Error> {
        self.application.get()
    }

    /// The database of measurements for probe services and `/health`, if it is open. Nothing can be written.
    ///
    /// # Errors
    /// 503 while it has not been reached.
    pub fn measurements_for_services(&self) -> Result<Store, http::Error> {
        self.of_services.measurements.get()
    }

    /// The database of the application tables for probe services, if it is open. Nothing can be written.
    ///
    /// # Errors
    /// 503 while it has not been reached.
    pub fn application_for_services(&self) -> Result<Store, http::Error> {
        self.of_services.application.get()
    }

    /// The database of measurements for a request: `reads.timeout` from now is the deadline of all its queries.
    ///
    /// # Errors
    /// 503 while it has not been reached.
    pub fn reads(&self) -> Result<Store, http::Error> {
        Ok(self.measurements()?.with_deadline(self.read_deadline()))
    }

    /// The deadline of a request that begins now, for one that reads both databases.
    pub fn read_deadline(&self) -> Deadline {
        Deadline::after(self.read_timeout)
    }

    /// Waits until the database of measurements is open.
    pub async fn wait_for_measurements(&self) -> Option<Store> {
        self.measurements.wait().await
    }

    /// Waits until the database of the application tables is open.
    pub async fn wait_for_application(&self) -> Option<Store> {
        self.application.wait().await
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// Reads, and all that is written.
    All,
    /// Probe services, whose queries are few and short.
    Services,
}

impl Purpose {
    async fn open(self, url: &str) -> Result<Store, ooni_store::Error> {
        let options = StoreOptions::default();
        match self {
            Purpose::All => Store::open(url, options).await,
            Purpose::Services => {
                let application_name = format!("{} services", options.application_name);
                let few = StoreOptions { lookup_readers: 2, aggregation_readers: 2, application_name, ..options };
                Store::open_to_read(url, few).await
            }
        }
    }
}

impl Connection {
    async fn open(url: String, purpose: Purpose) -> Result<Connection, ooni_store::Error> {
        let (sender, opened) = watch::channel(None);
        match purpose.open(&url).await {
            Ok(store) => drop(sender.send(Some(store))),
            Err(error) if is_temporary(&error) => {
                tracing::warn!(%error, "the store cannot be reached yet");
                tokio::spawn(retry(url, purpose, sender));
            }
            Err(error) => return Err(error),
        }
        Ok(Connection { opened })
    }

    fn get(&self) -> Result<Store, http::Error> {
        let store = self.opened.borrow().clone();
        store.ok_or_else(|| http::Error::unavailable("the database is not available", 10))
    }

    /// `None` if the database turned out to be unusable.
    async fn wait(&self) -> Option<Store> {
        let mut opened = self.opened.clone();
        opened.wait_for(Option::is_some).await.ok().and_then(|store| store.clone())
    }
}

/// Whether a later attempt may succeed: not if the URL or the schema is wrong.
fn is_temporary(error: &ooni_store::Error) -> bool {
    error.is_retryable() || is_unresolved(error)
}

/// Whether the name of the host cannot be resolved, which is often so for a moment after the boot of a machine. For commands
/// that is a permanent error, and resolvers do not say which names will never exist.
fn is_unresolved(error: &ooni_store::Error) -> bool {
    const RESOLVER: [&str; 2] = ["failed to lookup address information", "dns error"]; // of std, of hyper-util
    error.kind() == ErrorKind::Other && RESOLVER.iter().any(|text| error.message().contains(text))
}

/// Opens a store until it succeeds or all receivers are gone.
async fn retry(url: String, purpose: Purpose, sender: watch::Sender<Option<Store>>) {
    let mut retries = RETRIES;
    loop {
        tokio::select! {
            () = tokio::time::sleep(retries.pause()) => {}
            () = sender.closed() => return,
        }
        match purpose.open(&url).await {
            Ok(store) => {
                tracing::info!("the store is available");
                let _ = sender.send(Some(store));
                return;
            }
            Err(error) => tracing::warn!(%error, "the store cannot be reached"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn open(url: &str) -> Result<Connection, ooni_store::Error> {
        Connection::open(url.to_owned(), Purpose::All).await
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_reached_is_tried_again() {
        for url in [
            "postgres://me@none.invalid/db",
            "clickhouse://me@none.invalid/db",
            "postgres://me@127.0.0.1:1/db?sslmode=disable",
        ] {
            let connection = open(url).await.unwrap();
            assert!(connection.get().is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_wrong_url_is_an_error() {
        for url in
            ["mysql://me@127.0.0.1/db", "postgres://me@none.invalid/db?sslmode=nonsense", "sqlite:/proc/1/none/ooni.db"]
        {
            open(url).await.unwrap_err();
        }
    }
}
