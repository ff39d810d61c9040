//! [`Connect`]: connects to the places of [`Settings`], with TLS, and creates connection pools.

use super::error::PgError;
use super::password_file::{self, Wanted};
use super::settings::{Place, Settings};
use crate::tls::{Verify, tls, with_causes};
use crate::url::without_password;
use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, TimeoutType};
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode as Encryption;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The default connection timeout.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options of every connection. JIT compilation would cost more than these queries. Timeouts set for a role or database are
/// disabled, because the deadline of the call applies. The server detects within seconds that a client process has ended,
/// within two minutes that its machine is unreachable, and within five that it is idle in a transaction.
const OPTIONS: &str = "-c jit=off -c TimeZone=UTC -c client_connection_check_interval=2s \
    -c plan_cache_mode=force_custom_plan -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 \
    -c idle_in_transaction_session_timeout=5min -c tcp_keepalives_idle=60 -c tcp_keepalives_interval=15 \
    -c tcp_keepalives_count=4";

/// Parameters that are passed to the driver unchanged, and the driver's names for them.
const PASSED_ON: [(&str, &str); 11] = [
    ("application_name", "application_name"),
    ("channel_binding", "channel_binding"),
    ("connect_timeout", "connect_timeout"),
    ("keepalives", "keepalives"),
    ("keepalives_count", "keepalives_retries"),
    ("keepalives_idle", "keepalives_idle"),
    ("keepalives_interval", "keepalives_interval"),
    ("load_balance_hosts", "load_balance_hosts"),
    ("sslnegotiation", "sslnegotiation"),
    ("target_session_attrs", "target_session_attrs"),
    ("tcp_user_timeout", "tcp_user_timeout"),
];

/// The values of `sslmode`, as libpq defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

const SSL_MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Prefer),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

/// How to connect.
#[derive(Clone)]
pub(super) struct Connect {
    /// One configuration per place, in the order in which they are tried.
    places: Arc<[Config]>,
    pub(super) tls: Tls,
    /// The connection timeout.
    pub(super) patience: Duration,
    /// Why the password file was ignored.
    note: Option<Arc<str>>,
    /// The URL without its password.
    pub(super) url: Arc<str>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Connect {
    /// Reads the URL and the environment of this process.
    ///
    /// # Errors
    /// The URL or a variable is invalid, or a file that one of them names cannot be read.
    pub(super) fn new(url: &str, application_name: &str) -> Result<Connect, PgError> {
        let refuse = |why: String| PgError::Refused(format!("invalid URL of a PostgreSQL database: {why}"));
        let settings = Settings::new(url, &|name| std::env::var(name).ok()).map_err(refuse)?;
        let places = settings.places().map_err(refuse)?;
        let is_remote = places.iter().any(|(place, _)| place.is_remote());
        let mode = settings.choice("sslmode", &SSL_MODES).map_err(refuse)?;
        let mode = mode.unwrap_or(match is_remote || settings.get("sslrootcert").is_some() {
            true => SslMode::VerifyFull,
            false => SslMode::Prefer,
        });
        let roots = settings.get("sslrootcert");
        let verify = match mode {
            SslMode::VerifyFull => Verify::Host,
            SslMode::VerifyCa => Verify::Authority,
            SslMode::Require if roots.is_some() => Verify::Authority,
            _ => Verify::Nothing,
        };
        let base = base(&settings, application_name).map_err(refuse)?;
        let mut note = None;
        let mut passwords = None;
        if base.get_password().is_none()
            && let Some(file) = settings.get("passfile")
        {
            match password_file::read(Path::new(file)) {
                Ok(text) => passwords = text,
                Err(ignored) => note = Some(ignored.into()),
            }
        }
        let of_place = |(place, port): &(Place, u16)| {
            let mut config = base.clone();
            config.port(*port);
            config.ssl_mode(match (mode, place) {
                // No TLS over sockets, as in libpq.
                (SslMode::Disable, _) | (_, Place::Socket(_)) => Encryption::Disable,
                (SslMode::Prefer, _) => Encryption::Prefer,
                _ => Encryption::Require,
            });
            match place {
                Place::Socket(folder) => drop(config.host_path(folder)),
                Place::Host(name, address) => {
                    config.host(name);
                    address.map(|address| config.hostaddr(address));
                }
            }
            if let Some(text) = &passwords {
                let user = config.get_user().unwrap_or_default();
                let database = config.get_dbname().unwrap_or(user);
                let wanted = Wanted { hosts: &place.names(), port: *port, database, user };
                password_file::find(text, &wanted).map(|password| config.password(password));
            }
            config
        };
        Ok(Connect {
            places: places.iter().map(of_place).collect(),
            tls: Tls(MakeRustlsConnect::new(tls(roots, verify).map_err(PgError::Refused)?)),
            patience: base.get_connect_timeout().copied().unwrap_or(PATIENCE),
            note,
            url: without_password(url).into(),
        })
    }

    /// Connects to the first place that accepts a connection.
    ///
    /// # Errors
    /// The error of the last place.
    pub(super) async fn connect(&self) -> Result<Client, PgError> {
        // The timeout also covers a server that accepts the connection and does not answer.
        let connected = tokio::time::timeout(self.patience, self.start()).await;
        match connected {
            Ok(Ok((client, _))) => Ok(client),
            Ok(Err(error)) => Err(self.named(error)),
            Err(_) => Err(PgError::Unreachable),
        }
    }

    /// Converts the error of a connection. A missing password gets a message with advice.
    pub(super) fn named(&self, error: Error) -> PgError {
        let said = with_causes(&error);
        if !said.contains("password missing") {
            return PgError::Database(error);
        }
        let ways = "the server asks for a password: set PGPASSWORD, or add a line to the password file (~/.pgpass or PGPASSFILE)";
        PgError::Refused(match &self.note {
            Some(note) => format!("{ways}; {note}"),
            None => ways.to_owned(),
        })
    }

    /// Converts the error of a connection pool.
    pub(super) fn pooled(&self, error: PoolError) -> PgError {
        match error {
            PoolError::Backend(error) => self.named(error),
            PoolError::Timeout(TimeoutType::Wait) => PgError::Timeout,
            PoolError::Timeout(_) => PgError::Unreachable,
            error => PgError::Refused(with_causes(&error)),
        }
    }

    async fn start(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let mut places = self.places.iter();
        loop {
            let Some(config) = places.next() else { return Config::new().connect(self.tls.clone()).await.map(start) };
            match config.connect(self.tls.clone()).await {
                Err(_) if places.len() > 0 => {}
                connected => return connected.map(start),
            }
        }
    }

    /// Creates a pool of connections.
    pub(super) fn pool(&self, connections: usize) -> Result<Pool, PgError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(Config::new(), self.clone(), recycling);
        let pool = Pool::builder(manager).max_size(connections).runtime(deadpool_postgres::Runtime::Tokio1).build();
        pool.map_err(|error| PgError::Refused(format!("cannot create a connection pool: {error}")))
    }
}

/// Runs a connection until its client is dropped. Its errors are returned by the queries that fail.
fn start<S, T>((client, connection): (Client, tokio_postgres::Connection<S, T>)) -> (Client, JoinHandle<()>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    (client, tokio::spawn(async move { drop(connection.await) }))
}

impl deadpool_postgres::Connect for Connect {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(self.start())
    }
}

/// The configuration that all places share.
fn base(settings: &Settings, application_name: &str) -> Result<Config, String> {
    let mut all = String::new();
    for (name, own_name) in PASSED_ON {
        let Some(value) = settings.get(name) else { continue };
        let pair = format!("{own_name}='{}' ", value.replace('\\', "\\\\").replace('\'', "\\'"));
        pair.parse::<Config>().map_err(|_| format!("invalid value `{value}` for `{name}`"))?;
        all += &pair;
    }
    let mut config = all.parse::<Config>().map_err(|error| with_causes(&error))?;
    config.user(match settings.get("user") {
        Some(user) => user.to_owned(),
        None => whoami::username().map_err(|_| "no user is given, and the user of this process has no name")?,
    });
    settings.get("dbname").map(|database| config.dbname(database));
    settings.get("password").map(|password| config.password(password));
    config.options(settings.get("options").map_or_else(|| OPTIONS.to_owned(), |own| format!("{OPTIONS} {own}")));
    if config.get_application_name().is_none() {
        config.application_name(application_name);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    Ok(config)
}

/// TLS for connections. A socket never uses TLS and has no host name, but the driver requires one.
#[derive(Clone)]
pub(super) struct Tls(MakeRustlsConnect);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, name: &str) -> Result<Self::TlsConnect, Self::Error> {
        let name = if name.is_empty() { "localhost" } else { name };
        <MakeRustlsConnect as MakeTlsConnect<Socket>>::make_tls_connect(&mut self.0, name)
    }
}
