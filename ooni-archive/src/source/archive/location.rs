//! [`Location`]: where a part of the archive is, parsed from the command line.

use super::place::{Options, Place};
use crate::blobs::{Blobs, Bucket, Credentials, Directory, HttpClient, RetryPolicy, S3};
use crate::layout::Layout;
use std::env;
use std::path::{Path, PathBuf};

/// OONI's public buckets: name, region and what is in it.
const OONI: [(&str, &str, Layout); 2] =
    [("ooni-data", "us-east-1", Layout::Canned), ("ooni-data-eu-fra", "eu-central-1", Layout::Raw)];

/// Region of signed requests if neither the URL nor the environment names one.
const DEFAULT_REGION: &str = "us-east-1";

/// A place with a part of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder that contains `raw/` or `canned/`, or that folder itself.
    Directory(PathBuf),
    /// A bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// The part of keys before `raw/` and `canned/`.
        prefix: String,
        /// The URL of a server other than Amazon's, with path-style addressing.
        endpoint: Option<String>,
        /// Region of the bucket; `None` takes the one of the environment.
        region: Option<String>,
        /// Whether requests are not signed, whatever credentials there are.
        unsigned: bool,
        /// The only layout that is kept there, if that is known.
        only: Option<Layout>,
    },
}

impl Location {
    /// Parses a folder, `file:` before a folder, or `s3://BUCKET[/PREFIX]`.
    ///
    /// # Errors
    /// A sentence, for an invalid address.
    pub fn parse(text: &str, endpoint: Option<&str>) -> Result<Location, String> {
        if let Some(folder) = text.strip_prefix("file:").filter(|folder| !folder.is_empty()) {
            // Three slashes are two, before an empty host, and that of an absolute path.
            let folder = folder.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(folder);
            return Ok(Location::Directory(PathBuf::from(folder)));
        }
        let Some(place) = text.strip_prefix("s3://") else {
            return match text.split_once("://") {
                Some(_) => Err(format!("{text}: a source is a folder or s3://BUCKET[/PREFIX]")),
                None if text.is_empty() => Err("a source is a folder or s3://BUCKET[/PREFIX]".to_owned()),
                None => Ok(Location::Directory(PathBuf::from(text))),
            };
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if bucket.is_empty() || !bucket.chars().all(usual) {
            return Err(format!("{text}: not a valid bucket name"));
        }
        let prefix = prefix.trim_matches('/');
        if prefix.split('/').any(|part| matches!(part, "." | "..")) || prefix.chars().any(char::is_control) {
            return Err(format!("{text}: not a valid prefix"));
        }
        let public = OONI.into_iter().find(|(name, ..)| *name == bucket && endpoint.is_none());
        Ok(Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            region: public.map(|(_, region, _)| region.to_owned()),
            unsigned: public.is_some(),
            only: None,
        })
    }

    /// OONI's public buckets, or buckets of the same names elsewhere.
    pub fn ooni(endpoint: Option<&str>) -> Vec<Location> {
        let bucket = |(bucket, region, layout): (&str, &str, Layout)| Location::S3 {
            bucket: bucket.to_owned(),
            prefix: String::new(),
            endpoint: endpoint.map(str::to_owned),
            region: Some(region.to_owned()),
            unsigned: true,
            only: Some(layout),
        };
        OONI.into_iter().map(bucket).collect()
    }

    /// Opens it for reading; buckets need a client.
    pub(super) fn open(self, options: &Options, http: Option<&HttpClient>) -> Result<Place, String> {
        match self {
            Location::Directory(root) => open_directory(&root),
            Location::S3 { bucket, prefix, endpoint, region, unsigned, only } => {
                let http = http.cloned().map_or_else(|| HttpClient::new(&options.retry), Ok)?;
                let place = Bucket {
                    bucket: &bucket,
                    prefix: &prefix,
                    region: &region.unwrap_or_else(usual_region),
                    endpoint: endpoint.as_deref(),
                    credentials: if unsigned { None } else { credentials(variable)? },
                    retry: options.retry,
                    checksums: options.checksums,
                };
                Ok(Place { blobs: Blobs::S3(Box::new(S3::new(http, place)?)), only })
            }
        }
    }

    /// Opens it for writing. A folder is created.
    pub(crate) fn open_for_writing(self, retry: RetryPolicy) -> Result<Blobs, String> {
        match self {
            Location::Directory(root) => {
                let directory = Directory::new(root.clone());
                directory.create().map_err(|error| format!("{}: cannot be created: {error}", root.display()))?;
                Ok(Blobs::Directory(directory))
            }
            Location::S3 { bucket, prefix, endpoint, region, .. } => {
                let place = Bucket {
                    bucket: &bucket,
                    prefix: &prefix,
                    region: &region.unwrap_or_else(usual_region),
                    endpoint: endpoint.as_deref(),
                    // No server lets everybody write, whoever may read.
                    credentials: credentials(variable)?,
                    retry,
                    checksums: true,
                };
                Ok(Blobs::S3(Box::new(S3::new(HttpClient::new(&retry)?, place)?)))
            }
        }
    }
}

/// A variable of the environment that is not empty.
fn variable(name: &'static str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The region of a bucket whose location names none.
fn usual_region() -> String {
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).unwrap_or_else(|| DEFAULT_REGION.to_owned())
}

fn open_directory(root: &Path) -> Result<Place, String> {
    if !root.is_dir() {
        return Err(format!("{}: no such folder", root.display()));
    }
    let has = |layout: Layout| root.join(layout.top()).is_dir();
    let named = |layout: &Layout| root.file_name().is_some_and(|name| name == layout.top());
    // The folder with the days may have been given.
    let inside = Layout::ALL.into_iter().find(named).filter(|_| !Layout::ALL.into_iter().any(has));
    let (root, only) = match (inside, root.parent()) {
        (Some(layout), Some(parent)) if parent == Path::new("") => (Path::new("."), Some(layout)),
        (Some(layout), Some(parent)) => (parent, Some(layout)),
        _ => (root, None),
    };
    Ok(Place { blobs: Blobs::Directory(Directory::new(root.to_owned())), only })
}

/// The credentials in the environment; they are never shown.
fn credentials(variable: impl Fn(&'static str) -> Option<String>) -> Result<Option<Credentials>, String> {
    match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        (None, None) => Ok(None),
        (Some(key_id), Some(secret)) => {
            Ok(Some(Credentials { key_id, secret, session_token: variable("AWS_SESSION_TOKEN") }))
        }
        _ => Err("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: one of them is not set".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let s3 = |text, endpoint| match Location::parse(text, endpoint) {
            Ok(Location::S3 { bucket, prefix, endpoint, region, unsigned, only: None }) => {
                (bucket, prefix, endpoint.is_some(), region, unsigned)
            }
            other => panic!("{text}: {other:?}"),
        };
        let bucket = |name: &str, prefix: &str| (name.to_owned(), prefix.to_owned());
        for (text, wanted) in [
            ("s3://mine", bucket("mine", "")),
            ("s3://mine/", bucket("mine", "")),
            ("s3://mine/a/b/", bucket("mine", "a/b")),
        ] {
            let (name, prefix, endpoint, region, unsigned) = s3(text, None);
            assert_eq!(((name, prefix), endpoint, region, unsigned), (wanted, false, None, false));
        }
        let frankfurt = Some("eu-central-1".to_owned());
        assert_eq!(s3("s3://ooni-data-eu-fra", None).3, frankfurt);
        assert!(s3("s3://ooni-data", None).4);
        // Another server may have buckets of these names.
        assert!(s3("s3://ooni-data", Some("http://127.0.0.1:1")).2);
        assert!(!s3("s3://ooni-data", Some("http://127.0.0.1:1")).4);
        for (text, folder) in
            [("a/b", "a/b"), ("file:a/b", "a/b"), ("file:/a/b", "/a/b"), ("file:///a/b", "/a/b"), ("a:b", "a:b")]
        {
            assert_eq!(Location::parse(text, None), Ok(Location::Directory(folder.into())));
        }
        for text in ["", "s3://", "s3:///x", "s3://a b", "s3://a/../b", "https://x", "gs://x"] {
            assert!(Location::parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_go_together() {
        let with = |set: &'static [(&str, &str)]| {
            credentials(move |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        let (id, secret) = (("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hush"));
        assert!(with(&[]).unwrap().is_none());
        assert!(credentials(|name| (name == id.0).then(|| id.1.to_owned())).is_err());
        assert!(credentials(|name| (name == secret.0).then(|| secret.1.to_owned())).is_err());
        let whole = with(&[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_SESSION_TOKEN", "t")]);
        let whole = whole.unwrap().unwrap();
        assert_eq!(whole.session_token.as_deref(), Some("t"));
        assert!(!format!("{whole:?}").contains("hush"));
    }
}
