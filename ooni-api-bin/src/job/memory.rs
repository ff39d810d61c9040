//! [`Memory`]: what a job remembers between runs, in a file of the state directory.

use super::durable;
use crate::clock::Timestamp;
use ooni_archive::download::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// What a job remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// When it last succeeded.
    pub(super) last_success: Option<Timestamp>,
    /// The settings that it had then.
    pub(super) source: String,
    /// What identified the place that it wrote to.
    pub(super) place: Option<String>,
    /// What was downloaded last, by URL.
    downloads: BTreeMap<String, Download>,
}

/// The version of a file that was downloaded, and what was kept because of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Download {
    version: Version,
    content: String,
}

impl Memory {
    /// Reads the file. One that is missing or not readable is empty: the job then does what is not needed.
    pub(super) fn read(path: &Path) -> Memory {
        let read = fs::read(path).and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from));
        read.unwrap_or_else(|error| {
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the memory of a job cannot be read");
            }
            Memory::default()
        })
    }

    /// Writes the file. URLs may have secrets in their queries.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        durable::replace_private(path, &serde_json::to_vec(self)?)
    }

    /// The version that was downloaded from a URL, if what is there now is what was kept of it. A server is asked for changes
    /// only then.
    pub(super) fn known(&self, url: &str, content: &str) -> Option<Version> {
        let download = self.downloads.get(url).filter(|download| download.content == content)?;
        Some(download.version.clone())
    }

    /// Remembers the versions that were downloaded, and what was kept because of them, a text that identifies it. Those of
    /// other URLs are forgotten.
    pub(super) fn remember<'u>(&mut self, downloads: impl IntoIterator<Item = (&'u str, Option<Version>, String)>) {
        let is_known = |version: &Version| version.etag.is_some() || version.last_modified.is_some();
        let with_version = downloads.into_iter().filter_map(|(url, version, content)| {
            Some((url.to_owned(), Download { version: version.filter(is_known)?, content }))
        });
        self.downloads = with_version.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_known_while_the_content_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(Memory::read(&path), Memory::default());
        let version = Version { etag: Some("1".to_owned()), last_modified: None };
        let mut memory = Memory { last_success: Some(Timestamp::from_micros(7)), ..Memory::default() };
        memory
            .remember([("u", Some(version.clone()), "c".to_owned()), ("v", Some(Version::default()), "c".to_owned())]);
        memory.write(&path).unwrap();
        let read = Memory::read(&path);
        assert_eq!(read, memory);
        assert_eq!(read.known("u", "c"), Some(version));
        assert_eq!((read.known("u", "d"), read.known("v", "c"), read.known("w", "c")), (None, None, None));
        fs::write(&path, "{").unwrap();
        assert_eq!(Memory::read(&path), Memory::default());
    }
}
