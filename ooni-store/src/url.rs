//! URLs of stores.

use crate::error::{Error, ErrorKind};
use ooni_core::hex::hex;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Whether the text has the form of a store URL, supported or not.
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

/// The database file of a SQLite store; other files of the store are beside it.
///
/// # Errors
/// It is not the URL of a SQLite store.
pub fn sqlite_path(url: &str) -> Result<&Path, Error> {
    let refuse = |message: &str| Err(Error::new(ErrorKind::Invalid, message).of(&without_password(url)));
    match url.strip_prefix("sqlite:") {
        Some("") => refuse("missing path: expected sqlite:PATH"),
        // A second slash would be an empty host, and `:memory:` an in-memory database. Neither is supported.
        Some(path) if path.starts_with("//") || path == ":memory:" => {
            refuse("not the path of a file: expected sqlite:PATH")
        }
        Some(path) => Ok(Path::new(path)),
        None => refuse("unsupported store URL: expected sqlite:PATH, postgres://… or clickhouse://…"),
    }
}

/// The path prefix for files that belong to a store: for SQLite, the database file; for a server, a path in the folder
/// of the default store, named after the server.
///
/// # Errors
/// It is not the URL of a store.
pub fn local_path(url: &str) -> Result<PathBuf, Error> {
    if !is_postgres(url) && !is_clickhouse(url) {
        return sqlite_path(url).map(Path::to_owned);
    }
    let hash = hex(Sha256::digest(without_password(url)).into_iter().take(8));
    Ok(Path::new("ooni-data").join(format!("server-{hash}")))
}

/// URL parameters whose values may be shown. The values of others may be passwords or contain one.
const SHOWN: [&str; 15] = [
    "application_name",
    "channel_binding",
    "cluster",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "port",
    "secure",
    "service",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// A URL that is safe to show: without user and password, and without the values of parameters that are not known to be
/// harmless. If the text is not a URL, everything after the word `password` is omitted.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return without_secret(url) };
    let (base, query) = match rest.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (rest, None),
    };
    let mut shown = format!("{scheme}://");
    match base.rfind('@') {
        // A password may contain a `/` that should have been escaped.
        Some(at) => shown += &format!("…{}", &base[at..]),
        // The same for a `?`: then the text before it is the start of the password, not a host.
        None if query.is_some_and(|query| query.contains('@')) && !ends_with_port(base) => return shown + "…",
        None => shown += base,
    }
    if let Some(query) = query {
        let pairs: Vec<String> = query.split('&').map(shown_pair).collect();
        shown += &format!("?{}", pairs.join("&"));
    }
    shown
}

/// Whether the text before the first `/` is empty, a host, or a host with a port.
fn ends_with_port(base: &str) -> bool {
    let authority = base.split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|byte| byte.is_ascii_digit())
}

fn shown_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if SHOWN.contains(&name) => pair.to_owned(),
        Some((name, _)) if name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') => format!("{name}=…"),
        _ => "…".to_owned(),
    }
}

fn without_secret(text: &str) -> String {
    const WORD: &str = "password";
    let is_it = |window: &[u8]| window.eq_ignore_ascii_case(WORD.as_bytes());
    match text.as_bytes().windows(WORD.len()).position(is_it) {
        Some(start) => format!("{}…", &text[..start + WORD.len()]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(sqlite_path("sqlite:a/b.db").unwrap(), Path::new("a/b.db"));
        assert_eq!(sqlite_path("sqlite:/a/b.db").unwrap(), Path::new("/a/b.db"));
        for (url, message) in [
            ("sqlite:", "sqlite:: missing path: expected sqlite:PATH"),
            ("sqlite:///a", "sqlite:///a: not the path of a file: expected sqlite:PATH"),
            ("sqlite::memory:", "sqlite::memory:: not the path of a file: expected sqlite:PATH"),
            ("a.db", "a.db: unsupported store URL: expected sqlite:PATH, postgres://… or clickhouse://…"),
            (
                "mysql://me:secret@host/db",
                "mysql://…@host/db: unsupported store URL: expected sqlite:PATH, postgres://… or clickhouse://…",
            ),
        ] {
            assert_eq!(sqlite_path(url).unwrap_err().to_string(), message);
        }
        for (url, shown) in [
            ("postgres://me:secret@host:1/db", "postgres://…@host:1/db"),
            ("postgres://me@host/db?sslmode=require", "postgres://…@host/db?sslmode=require"),
            ("postgres://host/db", "postgres://host/db"),
            ("postgres:///db?host=/run/x&user=me", "postgres:///db?host=/run/x&user=me"),
            ("postgres://me:sec@ret@host/db", "postgres://…@host/db"),
            ("postgres://me:se/cret@host/db", "postgres://…@host/db"),
            ("postgres://me:se?cret@host/db", "postgres://…"),
            ("postgres://me:s%65cret@host/db", "postgres://…@host/db"),
            ("postgres://host/db?password=secret&sslmode=disable", "postgres://host/db?password=…&sslmode=disable"),
            ("postgres://host/db?sslmode=disable&password=se@cret", "postgres://host/db?sslmode=disable&password=…"),
            ("postgres://host:1/db?p%61ssword=secret", "postgres://host:1/db?…"),
            ("postgres://host/db?password=se&cret", "postgres://host/db?password=…&…"),
            ("postgres://host/db?sslpassword=secret", "postgres://host/db?sslpassword=…"),
            ("clickhouse://me:secret@host/db?password=se@cret", "clickhouse://…@host/db?password=…"),
            ("clickhouse://host/db?secure=1&password=secret", "clickhouse://host/db?secure=1&password=…"),
            ("POSTGRES://me:secret@host", "POSTGRES://…@host"),
            ("host=h password=secret", "host=h password…"),
            ("sqlite:a/b.db", "sqlite:a/b.db"),
            ("a/b@c.db", "a/b@c.db"),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
        }
        for (text, is) in [("sqlite:x", true), ("clickhouse://x", true), ("a.jsonl", false), ("C:\\x", false)] {
            assert_eq!(is_url(text), is, "{text}");
        }
    }
}
