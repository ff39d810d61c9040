//! [`Fetcher`]: gets a source of data, which is a file or a URL, as a local file.

use crate::version::VERSION;
use anyhow::{Context, bail, ensure};
use ooni_archive::blobs::RetryPolicy;
use ooni_archive::download::{DownloadError, Downloaded, Downloader, Version};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// Where data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file or directory.
    Path(PathBuf),
    /// A URL that begins with `http://` or `https://`.
    Url(String),
}

/// Gets sources.
#[derive(Clone, Debug)]
pub struct Fetcher {
    retry: RetryPolicy,
    folder: PathBuf,
}

/// A source as a local file.
#[derive(Debug)]
pub enum Fetched {
    /// The file itself.
    Local(PathBuf),
    /// A downloaded file, and its version at the server.
    Downloaded(NamedTempFile, Version),
    /// The server says that the known version is still the current one.
    NotModified,
}

impl Source {
    /// Parses the value of a setting.
    pub fn parse(text: &str) -> Source {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => Source::Url(text.to_owned()),
            _ => {
                let path = text.strip_prefix("file://").or_else(|| text.strip_prefix("file:"));
                Source::Path(PathBuf::from(path.unwrap_or(text)))
            }
        }
    }

    /// A file in this directory, or below this URL.
    pub fn join(&self, name: &str) -> Source {
        match self {
            Source::Path(path) => Source::Path(path.join(name)),
            Source::Url(url) => Source::Url(format!("{}/{name}", url.trim_end_matches('/'))),
        }
    }

    /// The directory, if it is one.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Source::Path(path) if path.is_dir() => Some(path),
            _ => None,
        }
    }

    /// The URL, if it is one.
    pub fn url(&self) -> Option<&str> {
        match self {
            Source::Path(_) => None,
            Source::Url(url) => Some(url),
        }
    }
}

impl Fetched {
    /// The file; `None` if it is not modified.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Fetched::Local(path) => Some(path),
            Fetched::Downloaded(file, _) => Some(file.path()),
            Fetched::NotModified => None,
        }
    }

    /// The version of a downloaded file.
    pub fn version(&self) -> Option<Version> {
        match self {
            Fetched::Downloaded(_, version) => Some(version.clone()),
            Fetched::Local(_) | Fetched::NotModified => None,
        }
    }
}

impl Fetcher {
    /// Downloads to temporary files in this folder, with these timeouts and retries.
    pub fn new(retry: RetryPolicy, folder: PathBuf) -> Fetcher {
        Fetcher { retry, folder }
    }

    /// Gets a file of at most `most` bytes. With a `known` version, a file that is not modified is not downloaded again.
    ///
    /// # Errors
    /// It cannot be read or downloaded, or it is larger. [`is_missing`] says whether it does not exist.
    pub async fn fetch(&self, source: &Source, most: u64, known: Option<&Version>) -> anyhow::Result<Fetched> {
        match source {
            Source::Path(path) => {
                let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
                ensure!(metadata.is_file(), "{}: not a file", path.display());
                let size = metadata.len();
                ensure!(size <= most, "{}: the file has more than {most} bytes", path.display());
                Ok(Fetched::Local(path.clone()))
            }
            Source::Url(url) => {
                let (retry, folder) = (self.retry, self.folder.clone());
                // Reads the certificates of the system.
                let opened = spawn_blocking(move || {
                    let downloader = Downloader::new(retry, &format!("ooni-api/{VERSION}"))?;
                    let file = NamedTempFile::new_in(&folder);
                    file.map(|file| (downloader, file)).map_err(|error| format!("{}: {error}", folder.display()))
                });
                let (downloader, mut file) = match opened.await? {
                    Ok(opened) => opened,
                    Err(why) => bail!(why),
                };
                Ok(match downloader.get(url, most, known, file.as_file_mut()).await? {
                    Downloaded::File { version, .. } => Fetched::Downloaded(file, version),
                    Downloaded::NotModified => Fetched::NotModified,
                })
            }
        }
    }

    /// Gets a file of at most `most` bytes as a whole.
    ///
    /// # Errors
    /// As [`Fetcher::fetch`].
    pub async fn fetch_bytes(
        &self,
        source: &Source,
        most: u64,
        known: Option<&Version>,
    ) -> anyhow::Result<(Option<Vec<u8>>, Option<Version>)> {
        let fetched = self.fetch(source, most, known).await?;
        let content = match fetched.path() {
            Some(path) => Some(fs::read(path).with_context(|| path.display().to_string())?),
            None => None,
        };
        Ok((content, fetched.version()))
    }
}

/// Whether an error of [`Fetcher::fetch`] is that a server has no such file.
pub fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<DownloadError>().is_some_and(|error| error.is_missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let url = |text: &str| Source::Url(text.to_owned());
        let path = |text: &str| Source::Path(PathBuf::from(text));
        for (text, expected) in [
            ("https://example.org/a", url("https://example.org/a")),
            ("HTTP://example.org/a", url("HTTP://example.org/a")),
            ("file:///srv/lists", path("/srv/lists")),
            ("file:lists", path("lists")),
            ("lists", path("lists")),
            ("ftp://example.org/a", path("ftp://example.org/a")),
        ] {
            assert_eq!(Source::parse(text), expected, "{text}");
        }
        assert_eq!(Source::parse("https://example.org/a/").join("b.csv"), url("https://example.org/a/b.csv"));
        assert_eq!(Source::parse("lists").join("b.csv"), path("lists/b.csv"));
    }
}
