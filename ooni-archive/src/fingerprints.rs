//! The fingerprint lists: built in, or loaded from a folder.
//!
//! The lists are those of `ooni/blocking-fingerprints` (see `data/fingerprints/README.md`). Matching is in
//! `ooni_core::fingerprint`.

use ooni_core::fingerprint::{Fingerprints, LoadError};
use ooni_core::hex::hex;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io};
use thiserror::Error;

/// The built-in list of false DNS answers, CSV.
pub const DNS: &[u8] = include_bytes!("../data/fingerprints/fingerprints_dns.csv");
/// The built-in list of block pages, CSV.
pub const HTTP: &[u8] = include_bytes!("../data/fingerprints/fingerprints_http.csv");

/// Where the built-in lists come from, and their licence.
pub const NOTICE: &str = "The built-in fingerprint lists are those of https://github.com/ooni/blocking-fingerprints \
                          at 171641e, by OONI, licensed CC BY-SA 4.0.";

/// Why lists cannot be loaded.
#[derive(Debug, Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A row of a list is invalid.
    #[error(transparent)]
    Wrong(#[from] LoadError),
}

/// The lists of a folder, or the built-in ones.
///
/// # Errors
/// As [`from_folder`].
pub fn lists(folder: Option<&Path>) -> Result<Fingerprints, Error> {
    folder.map_or_else(built_in, from_folder)
}

/// The built-in lists.
///
/// # Errors
/// None, unless this was built with broken lists.
pub fn built_in() -> Result<Fingerprints, Error> {
    from_bytes(DNS, HTTP)
}

/// The lists `fingerprints_dns.csv` and `fingerprints_http.csv` of a folder.
///
/// # Errors
/// When a file cannot be read, or one of its rows is invalid.
pub fn from_folder(folder: &Path) -> Result<Fingerprints, Error> {
    let file = |name| {
        let path = folder.join(name);
        fs::read(&path).map_err(|source| Error::Unreadable { path, source })
    };
    from_bytes(&file("fingerprints_dns.csv")?, &file("fingerprints_http.csv")?)
}

/// The lists in these texts, CSV.
///
/// # Errors
/// When a row is invalid.
pub fn from_bytes(dns: &[u8], http: &[u8]) -> Result<Fingerprints, Error> {
    Ok(Fingerprints::from_csv(dns, http, list_sha256(dns, http))?)
}

/// The hash of the lists that rows refer to: the SHA-256 of the DNS list followed by the HTTP list, in hexadecimal.
pub fn list_sha256(dns: &[u8], http: &[u8]) -> String {
    hex(Sha256::new().chain_update(dns).chain_update(http).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_lists_are_complete() {
        let lists = built_in().unwrap();
        assert_eq!((lists.dns().len(), lists.http().len()), (226, 1729));
        assert_eq!(lists.list_sha256(), list_sha256(DNS, HTTP));
        assert_eq!(list_sha256(b"", b"abc"), list_sha256(b"abc", b""));
        assert_eq!(list_sha256(b"a", b"bc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
