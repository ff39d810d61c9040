//! [`StoreLock`]: a lock that one process at a time can hold.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::fs::File;
use tokio_postgres::Client;

/// The error of stores without locks.
pub(crate) const NO_LOCKS: &str = "a store on ClickHouse has no locks; use those of the application database";

/// A lock taken with [`Store::try_lock`](crate::Store::try_lock). It is held until it is dropped or the process ends; on
/// PostgreSQL also until its runtime ends. A server releases it a moment later.
#[must_use = "dropping a lock releases it"]
pub struct StoreLock(Held);

/// What holds a lock.
enum Held {
    /// A locked file.
    File { _file: File },
    /// A connection to a server.
    Session(Client),
}

impl fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLock").finish_non_exhaustive()
    }
}

impl StoreLock {
    pub(crate) fn of_file(file: File) -> StoreLock {
        StoreLock(Held::File { _file: file })
    }

    pub(crate) fn of_session(client: Client) -> StoreLock {
        StoreLock(Held::Session(client))
    }

    /// Whether it is still held. A lock on a server is lost when its connection is.
    pub fn is_held(&self) -> bool {
        match &self.0 {
            Held::File { .. } => true,
            Held::Session(client) => !client.is_closed(),
        }
    }
}

/// Checks the name of a lock, which can be part of a file name.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    match (1..=64).contains(&name.len()) && name.bytes().all(is_plain) {
        true => Ok(()),
        false => {
            let message = "a lock's name has at most 64 lower-case letters, digits, hyphens and underscores";
            Err(Error::new(ErrorKind::Invalid, message))
        }
    }
}
