//! [`ClickhouseError`]: the errors of the ClickHouse engine, whether a retry can help, and their messages.

use crate::error::{Error, ErrorKind};
use crate::tls::with_causes;
use crate::url::without_password;
use hyper::StatusCode;
use std::error::Error as StdError;
use std::io;

/// An error of the ClickHouse engine.
#[derive(Debug)]
pub(super) enum ClickhouseError {
    /// An exception of the server. The same statement would fail again.
    Exception { code: u32, message: String },
    /// The connection cannot be established. Nothing was sent.
    Unreachable(String),
    /// The connection was lost, or the server cannot execute the statement now. The statement may have been executed.
    Lost(String),
    /// The URL, the certificate or the tables are not usable.
    Refused(String),
    /// The result, or the memory it needs, exceeds a limit of the server.
    TooLarge(String),
    /// The store was opened for reading only.
    ReadOnly,
    /// The database contains a value that this program does not write.
    Foreign,
    /// The deadline passed.
    Timeout,
    /// The server or this process is overloaded, or another process holds the lease.
    Busy(&'static str),
}

/// TIMEOUT_EXCEEDED, TOO_SLOW (the estimate exceeds the limit), QUERY_WAS_CANCELLED.
const TIMEOUT: [u32; 3] = [159, 160, 394];

/// QUOTA_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, NO_FREE_CONNECTION, SERVER_OVERLOADED.
const BUSY: [u32; 4] = [201, 202, 203, 745];

/// MEMORY_LIMIT_EXCEEDED, for a query or for the server.
const MEMORY: u32 = 241;

/// TOO_MANY_ROWS, SET_SIZE_LIMIT_EXCEEDED, TOO_MANY_BYTES, TOO_MANY_ROWS_OR_BYTES.
const TOO_LARGE: [u32; 4] = [158, 191, 307, 396];

/// Temporary errors: SOCKET_TIMEOUT, NETWORK_ERROR, QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING, NO_ZOOKEEPER, ABORTED (at a
/// shutdown), TABLE_IS_READ_ONLY, TOO_MANY_PARTS, ALL_CONNECTION_TRIES_FAILED, TOO_FEW_LIVE_REPLICAS,
/// UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE, UNKNOWN_STATUS_OF_INSERT, KEEPER_EXCEPTION.
const TRANSIENT: [u32; 12] = [209, 210, 216, 225, 236, 242, 252, 279, 285, 286, 319, 999];

impl ClickhouseError {
    /// Whether a retry of the statement may succeed.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, ClickhouseError::Unreachable(_) | ClickhouseError::Lost(_))
    }

    /// Whether the server may have executed the statement despite the error.
    pub(super) fn is_ambiguous(&self) -> bool {
        matches!(self, ClickhouseError::Lost(_) | ClickhouseError::Timeout)
    }

    /// The error of the store of this URL.
    pub(super) fn of(self, url: &str) -> Error {
        let (kind, message) = match self {
            ClickhouseError::Exception { code, message } => {
                (ErrorKind::Other, format!("{message} (ClickHouse error {code})"))
            }
            ClickhouseError::Unreachable(message) | ClickhouseError::Lost(message) => (ErrorKind::Unavailable, message),
            ClickhouseError::Refused(message) => (ErrorKind::Other, message),
            ClickhouseError::TooLarge(message) => (ErrorKind::TooLarge, message),
            ClickhouseError::ReadOnly => return Error::read_only().of(&without_password(url)),
            ClickhouseError::Foreign => return Error::foreign().of(&without_password(url)),
            ClickhouseError::Timeout => return Error::timeout().of(&without_password(url)),
            ClickhouseError::Busy(why) => (ErrorKind::Busy, why.to_owned()),
        };
        Error::new(kind, message).of(&without_password(url))
    }

    /// An error of the HTTP client. An unknown host, an untrusted certificate, or another protocol is permanent.
    pub(super) fn of_client(error: &hyper_util::client::legacy::Error) -> ClickhouseError {
        let message = with_causes(error);
        match () {
            () if is_permanent(error) => ClickhouseError::Refused(message),
            () if error.is_connect() => ClickhouseError::Unreachable(message),
            () => ClickhouseError::Lost(message),
        }
    }

    /// The error of a response whose status is not 200, from its body: `Code: 60. DB::Exception: Table x does not exist.
    /// (UNKNOWN_TABLE) …`
    pub(super) fn of_response(status: StatusCode, text: &str) -> ClickhouseError {
        let code = text.strip_prefix("Code: ").and_then(|rest| rest.split_once('.'));
        let Some((Ok(code), rest)) = code.map(|(code, rest)| (code.parse::<u32>(), rest)) else {
            let message = format!("answers with HTTP status {status}");
            return match status {
                StatusCode::TOO_MANY_REQUESTS => ClickhouseError::Busy("the server has too many requests"),
                status if status.is_server_error() => ClickhouseError::Lost(message),
                _ => ClickhouseError::Refused(message),
            };
        };
        // The message is cut where it begins to quote the statement.
        let words = rest.trim_start_matches(" DB::Exception: ");
        let end = [": While ", ": In scope ", " In scope ", "\n"].iter().filter_map(|mark| words.find(mark)).min();
        let message = words[..end.unwrap_or(words.len())].trim().to_owned();
        match code {
            code if TIMEOUT.contains(&code) => ClickhouseError::Timeout,
            code if BUSY.contains(&code) => ClickhouseError::Busy("the server has too many queries"),
            MEMORY if message.contains("(total)") => ClickhouseError::Busy("the server is out of memory"),
            code if code == MEMORY || TOO_LARGE.contains(&code) => {
                ClickhouseError::TooLarge(format!("{message} (ClickHouse error {code})"))
            }
            code if TRANSIENT.contains(&code) => ClickhouseError::Lost(format!("{message} (ClickHouse error {code})")),
            code => ClickhouseError::Exception { code, message },
        }
    }
}

fn is_permanent(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let is_other_protocol = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        if error.is::<rustls::Error>() || is_other_protocol || error.to_string() == "dns error" {
            return true;
        }
        // `source` of an `io::Error` skips the error that it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_have_kinds() {
        let of = |text: &str| ClickhouseError::of_response(StatusCode::INTERNAL_SERVER_ERROR, text);
        for (text, kind, is_transient, message) in [
            (
                "Code: 159. DB::Exception: Timeout exceeded: elapsed 1.1 s",
                ErrorKind::Timeout,
                false,
                "the query timed out",
            ),
            ("Code: 394. DB::Exception: Query was cancelled", ErrorKind::Timeout, false, "the query timed out"),
            (
                "Code: 202. DB::Exception: Too many simultaneous queries",
                ErrorKind::Busy,
                false,
                "the server has too many",
            ),
            ("Code: 745. DB::Exception: CPU is overloaded", ErrorKind::Busy, false, "the server has too many queries"),
            ("Code: 999. DB::Exception: Session expired", ErrorKind::Unavailable, true, "Session expired (ClickHouse"),
            (
                "Code: 209. DB::Exception: Timeout exceeded while",
                ErrorKind::Unavailable,
                true,
                "Timeout exceeded while",
            ),
            ("Code: 210. DB::Exception: Connection refused", ErrorKind::Unavailable, true, "Connection refused ("),
            (
                "Code: 241. DB::Exception: Memory limit (total) exceeded: would use 2 GiB: While executing X",
                ErrorKind::Busy,
                false,
                "the server is out of memory",
            ),
            (
                "Code: 241. DB::Exception: Memory limit (for query) exceeded: would use 2 GiB: While executing X",
                ErrorKind::TooLarge,
                false,
                "Memory limit (for query) exceeded: would use 2 GiB (ClickHouse error 241)",
            ),
            (
                "Code: 158. DB::Exception: Limit for rows exceeded",
                ErrorKind::TooLarge,
                false,
                "Limit for rows exceeded (",
            ),
            (
                "Code: 81. DB::Exception: Database x does not exist. (UNKNOWN_DATABASE)",
                ErrorKind::Other,
                false,
                "Database x does not exist. (UNKNOWN_DATABASE) (ClickHouse error 81)",
            ),
            (
                "Code: 516. DB::Exception: me: Authentication failed",
                ErrorKind::Other,
                false,
                "me: Authentication failed (ClickHouse error 516)",
            ),
            (
                "Code: 47. DB::Exception: Unknown identifier `x`: In scope SELECT x. (UNKNOWN_IDENTIFIER)",
                ErrorKind::Other,
                false,
                "Unknown identifier `x` (ClickHouse error 47)",
            ),
            ("<html>", ErrorKind::Unavailable, true, "answers with HTTP status 500 Internal Server Error"),
        ] {
            assert_eq!(of(text).is_transient(), is_transient, "{text}");
            let error = of(text).of("clickhouse://me:secret@host");
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.message().starts_with(message), "{error}");
            let public = error.public_message();
            assert!(!public.contains("host") && !public.contains("ClickHouse"), "{public}");
        }
        let of = |status| ClickhouseError::of_response(status, "").of("clickhouse://host").kind();
        assert_eq!(of(StatusCode::NOT_FOUND), ErrorKind::Other);
        assert_eq!(of(StatusCode::TOO_MANY_REQUESTS), ErrorKind::Busy);
        assert_eq!(of(StatusCode::BAD_GATEWAY), ErrorKind::Unavailable);
    }
}
