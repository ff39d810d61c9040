//! [`PgError`]: the errors of the PostgreSQL engine, whether a retry can help, and their messages.

use crate::error::{Error, ErrorKind};
use crate::tls::with_causes;
use ooni_core::time::DateTime;
use std::io;
use tokio_postgres::error::SqlState;

/// An error of the PostgreSQL engine.
#[derive(Debug)]
pub(super) enum PgError {
    /// Reported by the server or the connection.
    Database(tokio_postgres::Error),
    /// The request cannot succeed, for this reason.
    Refused(String),
    /// The rows have more bytes than this.
    TooLarge(usize),
    /// The deadline of the call has passed.
    Timeout,
    /// Too many callers wait for a connection.
    Busy,
    /// The wait for the lock of a table timed out; the message names the table.
    Locked(String),
    /// These months are being loaded in bulk.
    Loading(Vec<DateTime>),
    /// These months have no partition yet. It is created in a transaction of its own, and the change is made again.
    NoPartition(Vec<DateTime>),
    /// The server accepts no connection, or does not answer in time.
    Unreachable,
    /// The connection was lost at COMMIT, and the transaction was not committed.
    NotCommitted,
    /// The connection was lost at COMMIT, and the outcome could not be determined.
    OutcomeUnknown,
}

impl From<tokio_postgres::Error> for PgError {
    fn from(error: tokio_postgres::Error) -> PgError {
        PgError::Database(error)
    }
}

/// Errors of a server that is starting, stopping, or asks for a retry.
const TRANSIENT: [SqlState; 8] = [
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    SqlState::IDLE_SESSION_TIMEOUT,
    SqlState::TOO_MANY_CONNECTIONS,
];

/// Connection errors for which a retry may succeed. Others, such as an unknown host or certificate, are permanent.
const LOST: [io::ErrorKind; 13] = [
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::ConnectionRefused,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::Interrupted,
    io::ErrorKind::NetworkDown,
    io::ErrorKind::NetworkUnreachable,
    io::ErrorKind::NotConnected,
    // The socket of a server that is restarting.
    io::ErrorKind::NotFound,
    io::ErrorKind::TimedOut,
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::WouldBlock,
];

impl PgError {
    pub(super) fn foreign() -> PgError {
        PgError::Refused(Error::foreign().message().to_owned())
    }

    /// Whether a retry on another connection may succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            PgError::Unreachable | PgError::NotCommitted => true,
            PgError::Database(error) => match error.code() {
                Some(code) => TRANSIENT.contains(code),
                None => error.is_closed() || io_kind(error).is_some_and(|kind| LOST.contains(&kind)),
            },
            _ => false,
        }
    }

    /// Whether it may have occurred after the server did what was requested.
    pub(super) fn is_ambiguous(&self) -> bool {
        match self {
            PgError::Database(error) => error.code().is_none_or(|code| TRANSIENT[..3].contains(code)),
            PgError::Timeout | PgError::Unreachable => true,
            _ => false,
        }
    }

    /// Whether a read is retried on another connection. It is not if the server has too many connections.
    pub(super) fn is_lost(&self) -> bool {
        self.is_transient()
            && !matches!(self, PgError::Database(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS))
    }

    /// The error of the store with this URL, which must be safe to show.
    pub(super) fn of(self, url: &str) -> Error {
        let message = match &self {
            PgError::Refused(message) | PgError::Locked(message) => message.clone(),
            PgError::Timeout => return Error::timeout().of(url),
            PgError::TooLarge(max_bytes) => return Error::too_large(*max_bytes).of(url),
            PgError::Loading(months) => return Error::loading(months).of(url),
            PgError::NoPartition(_) => "a month has no partition".to_owned(),
            PgError::Busy => "too many queries are waiting".to_owned(),
            PgError::Unreachable => "the server does not answer".to_owned(),
            PgError::NotCommitted | PgError::OutcomeUnknown => {
                "the connection was lost while the change was being committed".to_owned()
            }
            PgError::Database(error) => match error.code() {
                Some(&SqlState::LOCK_NOT_AVAILABLE) => "another process is writing to the database".to_owned(),
                Some(&SqlState::QUERY_CANCELED) => return Error::timeout().of(url),
                _ => sentence(error),
            },
        };
        let error = Error::new(self.kind(), message);
        let error = if matches!(self, PgError::OutcomeUnknown) { error.outcome_unknown() } else { error };
        match self {
            PgError::Database(source) => error.of(url).with_source(source),
            _ => error.of(url),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            PgError::Busy | PgError::Locked(_) | PgError::Loading(_) => ErrorKind::Busy,
            PgError::TooLarge(_) => ErrorKind::TooLarge,
            PgError::Timeout => ErrorKind::Timeout,
            PgError::Database(error) => match error.code() {
                Some(&(SqlState::TOO_MANY_CONNECTIONS | SqlState::LOCK_NOT_AVAILABLE)) => ErrorKind::Busy,
                _ if self.is_transient() => ErrorKind::Unavailable,
                _ => ErrorKind::Other,
            },
            PgError::Unreachable | PgError::NotCommitted | PgError::OutcomeUnknown => ErrorKind::Unavailable,
            PgError::Refused(_) | PgError::NoPartition(_) => ErrorKind::Other,
        }
    }
}

fn io_kind(error: &tokio_postgres::Error) -> Option<io::ErrorKind> {
    std::error::Error::source(error)?.downcast_ref::<io::Error>().map(io::Error::kind)
}

/// The message of the server or the system, with advice for some errors.
fn sentence(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} (PostgreSQL error {})", said.message(), said.code().code());
    }
    let said = with_causes(error);
    let hint = match &said {
        said if said.contains("invalid peer certificate: UnknownIssuer") => {
            "; name the authority that issued the certificate with sslrootcert=FILE or PGSSLROOTCERT"
        }
        said if said.contains("server does not support TLS") => "; sslmode=disable connects without it",
        _ => "",
    };
    said + hint
}
