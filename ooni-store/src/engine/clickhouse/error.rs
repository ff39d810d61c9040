//! [`ClickhouseError`]: what goes wrong with a ClickHouse server, and the error of the store that it is mapped to.

use crate::error::{Error, ErrorKind};
use crate::url::without_password;

/// What goes wrong.
#[derive(Debug)]
pub(super) enum ClickhouseError {
    /// The server says so.
    Database { code: u32, message: String },
    /// There is no way to it, or it is no ClickHouse.
    Lost(String),
    /// What is in there is not for us.
    Schema(String),
    /// It was opened for reading only.
    ReadOnly,
    /// A value is not what it has to be.
    Foreign,
    /// It took too long.
    Timeout,
    /// Others are served.
    Busy(&'static str),
}

impl ClickhouseError {
    /// The one place where it is mapped.
    pub(super) fn of(self, url: &str) -> Error {
        let (kind, message) = match self {
            ClickhouseError::Database { code, message } => {
                (ErrorKind::Other, format!("{message} (ClickHouse error {code})"))
            }
            ClickhouseError::Lost(message) => (ErrorKind::Unavailable, message),
            ClickhouseError::Schema(message) => (ErrorKind::Other, message),
            ClickhouseError::ReadOnly => return Error::read_only().of(&without_password(url)),
            ClickhouseError::Foreign => return Error::foreign().of(&without_password(url)),
            ClickhouseError::Timeout => return Error::timeout().of(&without_password(url)),
            ClickhouseError::Busy(why) => (ErrorKind::Busy, why.to_owned()),
        };
        Error::new(kind, message).of(&without_password(url))
    }
}
