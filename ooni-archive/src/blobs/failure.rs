//! [`Failure`]: why a request failed, and whether a retry may help.
//!
//! Messages contain error codes of servers, but not their texts, which may repeat what was signed.

use hyper::StatusCode;
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Why a request failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// An error message without the name of the object.
    pub(crate) why: String,
    /// How long the server asks clients to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// Whether a retry may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The object does not exist.
    NotFound,
    /// A retry fails in the same way.
    Permanent,
    /// The response is not what was requested. If it is invalid in the same way twice, the network is not the cause.
    InvalidResponse,
    /// A retry may help.
    Transient,
}

impl Failure {
    fn new(kind: FailureKind, why: impl Into<String>) -> Failure {
        Failure { kind, why: why.into(), retry_after: None }
    }

    pub(crate) fn not_found(why: impl Into<String>) -> Failure {
        Failure::new(FailureKind::NotFound, why)
    }

    pub(crate) fn permanent(why: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Permanent, why)
    }

    pub(crate) fn invalid_response(why: impl Into<String>) -> Failure {
        Failure::new(FailureKind::InvalidResponse, why)
    }

    pub(crate) fn transient(why: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Transient, why)
    }

    /// The failure for a file that cannot be read or written.
    pub(crate) fn of_file(what: impl fmt::Display, error: &io::Error) -> Failure {
        let why = format!("{what}: {error}");
        match error.kind() {
            ErrorKind::NotFound => Failure::not_found(why),
            // Somebody may free space, or the file system may come back.
            ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::StaleNetworkFileHandle
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted => Failure::transient(why),
            _ => Failure::permanent(why),
        }
    }

    /// Nothing was received, or sent, for this time.
    pub(crate) fn idle(time: Duration) -> Failure {
        Failure::transient(format!("the server sent nothing for {time:?}"))
    }

    /// A request took longer than this time.
    pub(crate) fn too_slow(time: Duration) -> Failure {
        Failure::transient(format!("the request took more than {time:?}"))
    }

    pub(crate) fn changed() -> Failure {
        Failure::permanent("the object has changed since it was listed")
    }

    /// The failure for a response with an error status. `code` is the S3 error code in its body, if any.
    pub(crate) fn of_status(status: StatusCode, code: &str, retry_after: Option<Duration>) -> Failure {
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        let status_and_code = match code.as_str() {
            "" => format!("HTTP {}", status.as_u16()),
            code => format!("HTTP {}, {code}", status.as_u16()),
        };
        match (status.as_u16(), code.as_str()) {
            (408 | 425 | 429 | 500.., _) | (_, "RequestTimeout" | "SlowDown" | "Throttling") => Failure {
                retry_after,
                ..Failure::transient(format!("the server is overloaded or failing ({status_and_code})"))
            },
            (_, "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody") => {
                Failure::invalid_response(format!("the server received other bytes than were sent ({status_and_code})"))
            }
            (404, "NoSuchBucket") => Failure::permanent(format!("no such bucket ({status_and_code})")),
            (404, _) => Failure::not_found(format!("no such object ({status_and_code})")),
            (407, _) => Failure::permanent(format!("the proxy rejects the credentials ({status_and_code})")),
            (_, "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "ExpiredToken" | "InvalidToken" | "NotSignedUp") => {
                Failure::permanent(format!("the server rejects the credentials ({status_and_code})"))
            }
            (_, "RequestTimeTooSkewed") => {
                Failure::permanent(format!("the clocks of this machine and the server differ ({status_and_code})"))
            }
            (401 | 403, _) => Failure::permanent(format!("access denied ({status_and_code})")),
            (412 | 416, _) => {
                Failure::permanent(format!("the object has changed since it was listed ({status_and_code})"))
            }
            (300..=399, _) | (_, "AuthorizationHeaderMalformed") => {
                Failure::permanent(format!("the bucket is in another region or at another server ({status_and_code})"))
            }
            _ => Failure::permanent(format!("the server refuses the request ({status_and_code})")),
        }
    }

    /// The failure for a connection that could not be opened or broke.
    pub(crate) fn of_connection(error: &(dyn Error + 'static)) -> Failure {
        let causes = causes(error);
        let root = causes.last().map(ToString::to_string).unwrap_or_default();
        for cause in &causes {
            if let Some(error) = cause.downcast_ref::<rustls::Error>() {
                return match error {
                    rustls::Error::DecryptError | rustls::Error::General(_) => {
                        Failure::transient(format!("TLS: {error}"))
                    }
                    _ => Failure::permanent(format!("TLS: {error}")),
                };
            }
            let text = cause.to_string();
            if text.contains("proxy authorization required") {
                return Failure::permanent("the proxy demands credentials");
            }
            // `EAI_AGAIN` is the only temporary error of the resolver.
            if text.starts_with("failed to lookup address information") && !text.contains("Temporary failure") {
                return Failure::permanent(format!("unknown host: {text}"));
            }
        }
        if causes.iter().any(|cause| cause.downcast_ref::<ProxyError>().is_some()) {
            return Failure::permanent(root);
        }
        Failure::transient(format!("the connection failed: {root}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// A proxy that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ProxyError(pub(crate) String);

/// An error and its sources, outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    let mut causes = vec![error];
    let mut error = error;
    loop {
        // `source` of an I/O error skips the error that it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let next = match wrapped {
            Some(wrapped) => wrapped as &(dyn Error + 'static),
            None => match error.source() {
                Some(source) => source,
                None => return causes,
            },
        };
        causes.push(next);
        error = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_inside_of_io_errors_are_found() {
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(ErrorKind::InvalidData, certificate));
        let failure = Failure::of_connection(&wrapped);
        assert_eq!(failure.kind, FailureKind::Permanent);
        assert_eq!(failure.why, "TLS: invalid peer certificate: UnknownIssuer");
        let refused = io::Error::from(ErrorKind::ConnectionRefused);
        assert_eq!(Failure::of_connection(&refused).kind, FailureKind::Transient);
        for (text, kind) in [
            ("failed to lookup address information: Name or service not known", FailureKind::Permanent),
            ("failed to lookup address information: Temporary failure in name resolution", FailureKind::Transient),
        ] {
            assert_eq!(Failure::of_connection(&io::Error::other(text)).kind, kind, "{text}");
        }
    }

    #[test]
    fn statuses() {
        let kind = |status, code| Failure::of_status(StatusCode::from_u16(status).unwrap(), code, None).kind;
        for (status, code, expected) in [
            (503, "SlowDown", FailureKind::Transient),
            (429, "", FailureKind::Transient),
            (400, "RequestTimeout", FailureKind::Transient),
            (404, "NoSuchKey", FailureKind::NotFound),
            (404, "NoSuchBucket", FailureKind::Permanent),
            (400, "BadDigest", FailureKind::InvalidResponse),
            (403, "SignatureDoesNotMatch", FailureKind::Permanent),
            (301, "PermanentRedirect", FailureKind::Permanent),
            (407, "", FailureKind::Permanent),
        ] {
            assert_eq!(kind(status, code), expected, "{status} {code}");
        }
    }
}
