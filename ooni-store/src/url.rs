//! URLs of stores.

use crate::error::{Error, ErrorKind};
use ooni_core::hex::hex;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Whether this has the form of a store's URL, known or not.
pub fn is_url(text: &str) -> bool {
    let scheme = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    text.strip_prefix("sqlite:").is_some() || text.split_once("://").is_some_and(|(name, _)| scheme(name))
}

/// Whether this is the URL of a database on a PostgreSQL server.
pub(crate) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Whether this is the URL of a database on a ClickHouse server.
pub(crate) fn is_clickhouse(url: &str) -> bool {
    url.starts_with("clickhouse://")
}

/// The file that the URL of an SQLite store names; what belongs to the store lies beside it.
///
/// # Errors
/// The URL is none of an SQLite store.
pub fn sqlite_path(url: &str) -> Result<&Path, Error> {
    let refuse = |message: &str| Err(Error::new(ErrorKind::Invalid, message).of(&without_password(url)));
    match url.strip_prefix("sqlite:") {
        Some("") => refuse("no file is named: sqlite:PATH"),
        // A second slash would be an empty host, and SQLite would keep the first in memory: neither is meant.
        Some(path) if path.starts_with("//") || path == ":memory:" => refuse("not a path of a file: sqlite:PATH"),
        Some(path) => Ok(Path::new(path)),
        None => refuse("no store of this kind is supported; there are sqlite:PATH, postgres://… and clickhouse://…"),
    }
}

/// Where files that belong to a store have their place, as the start of their names: beside the file of an SQLite store;
/// for servers in the folder of the default store, named after the server.
///
/// # Errors
/// The URL is none of a store.
pub fn local_path(url: &str) -> Result<PathBuf, Error> {
    if !is_postgres(url) && !is_clickhouse(url) {
        return sqlite_path(url).map(Path::to_owned);
    }
    let hash = hex(Sha256::digest(without_password(url)).into_iter().take(8));
    Ok(Path::new("ooni-data").join(format!("server-{hash}")))
}

/// A URL fit to be shown.
pub fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}…{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(sqlite_path("sqlite:a/b.db").unwrap(), Path::new("a/b.db"));
        assert_eq!(sqlite_path("sqlite:/a/b.db").unwrap(), Path::new("/a/b.db"));
        for (url, said) in [
            ("sqlite:", "sqlite:: no file is named: sqlite:PATH"),
            ("sqlite:///a", "sqlite:///a: not a path of a file: sqlite:PATH"),
            ("sqlite::memory:", "sqlite::memory:: not a path of a file: sqlite:PATH"),
            (
                "a.db",
                "a.db: no store of this kind is supported; there are sqlite:PATH, postgres://… and clickhouse://…",
            ),
            (
                "mysql://me:secret@host/db",
                "mysql://…@host/db: no store of this kind is supported; there are sqlite:PATH, postgres://… and clickhouse://…",
            ),
        ] {
            assert_eq!(sqlite_path(url).unwrap_err().to_string(), said);
        }
        for (text, is) in [("sqlite:x", true), ("clickhouse://x", true), ("a.jsonl", false), ("C:\\x", false)] {
            assert_eq!(is_url(text), is, "{text}");
        }
    }
}
