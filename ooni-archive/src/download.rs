//! [`Downloader`]: downloads a file by its URL, with limits of size and time, retries and redirects.
//!
//! It uses the proxies and certificate authorities of the environment, as requests to object storage do. Objects of an
//! archive are not downloaded here: their checksums are known and verified.

use crate::blobs::{Counters, Failure, FailureKind, HttpClient, HttpResponse, RequestBody, Retries, RetryPolicy};
use hyper::header::{
    ACCEPT, CONTENT_LENGTH, ETAG, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, RETRY_AFTER, USER_AGENT,
};
use hyper::{Request, StatusCode};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::time::Duration;
use url::Url;

/// Maximum number of redirects.
const MOST_REDIRECTS: usize = 10;
/// Size of the write buffer.
const BUFFER: usize = 256 << 10;
/// Maximum bytes of a version, so that a server cannot make callers keep long texts.
const LONGEST_VERSION: usize = 1000;

/// Downloads files. Clones share connections.
#[derive(Clone, Debug)]
pub struct Downloader {
    http: HttpClient,
    retry: RetryPolicy,
    user_agent: HeaderValue,
}

/// Which version of a file a server sent: what it needs to know to answer "not modified".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The header `Last-Modified`.
    pub last_modified: Option<String>,
}

/// The result of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Downloaded {
    /// The file was downloaded.
    File {
        /// Its size.
        bytes: u64,
        /// Its version.
        version: Version,
    },
    /// The file is still the version that the caller has.
    NotModified,
}

/// Why a file cannot be downloaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {why}")]
pub struct DownloadError {
    /// The URL, without its query.
    pub url: String,
    /// What went wrong.
    pub why: String,
    /// Whether the server says that there is no such file.
    pub is_missing: bool,
}

impl Downloader {
    /// A client with these timeouts and retries, which sends this `User-Agent`.
    ///
    /// # Errors
    /// A sentence: a variable of the environment or the `User-Agent` cannot be used.
    pub fn new(retry: RetryPolicy, user_agent: &str) -> Result<Downloader, String> {
        let user_agent = HeaderValue::from_str(user_agent).map_err(|_| "the User-Agent has invalid characters")?;
        Ok(Downloader { http: HttpClient::new(&retry)?, retry, user_agent })
    }

    /// Downloads a file of at most `most` bytes, replacing the content of `file`. With `known`, the version that the caller
    /// has, an unmodified file is not downloaded again.
    ///
    /// The content of `file` is undefined after an error, and empty if the file is not modified.
    ///
    /// # Errors
    /// The file cannot be downloaded, or it has more than `most` bytes.
    pub async fn get(
        &self,
        url: &str,
        most: u64,
        known: Option<&Version>,
        file: &mut File,
    ) -> Result<Downloaded, DownloadError> {
        let failed = |failure: Failure| DownloadError {
            url: shown(url),
            why: failure.why,
            is_missing: failure.kind == FailureKind::NotFound,
        };
        let parsed = parse(url).map_err(failed)?;
        let counters = Counters::default();
        let mut retries = Retries::new(&self.retry, &counters);
        loop {
            match self.attempt(&parsed, most, known, file).await {
                Ok(downloaded) => return Ok(downloaded),
                Err(failure) => retries.wait(failure).await.map_err(failed)?,
            }
        }
    }

    async fn attempt(
        &self,
        url: &Url,
        most: u64,
        known: Option<&Version>,
        file: &mut File,
    ) -> Result<Downloaded, Failure> {
        file.set_len(0).and_then(|()| file.rewind()).map_err(|error| broken(&error))?;
        let mut response = self.follow(url, known).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Downloaded::NotModified);
        }
        let version = version(response.headers());
        let length = header(response.headers(), &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let too_large = || Failure::permanent(format!("the file has more than {most} bytes"));
        if length.is_some_and(|length| length > most) {
            return Err(too_large());
        }
        let mut bytes = 0;
        let mut buffer = Vec::with_capacity(BUFFER);
        while let Some(part) = response.body_mut().next().await? {
            bytes += part.len() as u64;
            if bytes > most {
                return Err(too_large());
            }
            buffer.extend_from_slice(&part);
            if buffer.len() >= BUFFER {
                file.write_all(&buffer).map_err(|error| broken(&error))?;
                buffer.clear();
            }
        }
        file.write_all(&buffer).and_then(|()| file.flush()).map_err(|error| broken(&error))?;
        Ok(Downloaded::File { bytes, version })
    }

    /// Sends a request and follows redirects. The response has the status 200, or 304 if a version is known.
    async fn follow(&self, url: &Url, known: Option<&Version>) -> Result<HttpResponse, Failure> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.http.send(self.request(&url, known)?).await?;
            let status = response.status();
            match (status, header(response.headers(), &LOCATION)) {
                (StatusCode::OK, _) => return Ok(response),
                (StatusCode::NOT_MODIFIED, _) if known.is_some() => return Ok(response),
                (_, Some(location)) if status.is_redirection() => url = redirected(&url, location)?,
                _ => return Err(of_status(status, response.headers())),
            }
        }
        Err(Failure::permanent("too many redirects"))
    }

    fn request(&self, url: &Url, known: Option<&Version>) -> Result<Request<RequestBody>, Failure> {
        let host = url.host_str().map(|host| match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        });
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Failure::permanent("an invalid header"));
        let mut request = Request::new(RequestBody::default());
        let uri = url.as_str().split('#').next().unwrap_or_default();
        *request.uri_mut() = uri.parse().map_err(|error| Failure::permanent(format!("not a valid URL: {error}")))?;
        let headers = request.headers_mut();
        headers.insert(HOST, value(&host.unwrap_or_default())?);
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        // RFC 9110 §13.1.3: with an ETag, a server ignores the date.
        if let Some(etag) = known.and_then(|known| known.etag.as_deref()) {
            headers.insert(IF_NONE_MATCH, value(etag)?);
        }
        if let Some(date) = known.and_then(|known| known.last_modified.as_deref()) {
            headers.insert(IF_MODIFIED_SINCE, value(date)?);
        }
        Ok(request)
    }
}

fn parse(url: &str) -> Result<Url, Failure> {
    let parsed = Url::parse(url).map_err(|error| Failure::permanent(format!("not a valid URL: {error}")))?;
    check(&parsed)?;
    Ok(parsed)
}

fn check(url: &Url) -> Result<(), Failure> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::permanent("a URL that begins with neither http:// nor https://"));
    }
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(()),
        false => Err(Failure::permanent("a URL with a user name or password, which would not be sent")),
    }
}

/// The target of a redirect. One from HTTPS to HTTP is refused.
fn redirected(from: &Url, location: &str) -> Result<Url, Failure> {
    let to = from.join(location).map_err(|error| Failure::permanent(format!("an invalid redirect: {error}")))?;
    check(&to)?;
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err(Failure::permanent("a redirect from https:// to http://")),
        _ => Ok(to),
    }
}

/// A URL in messages. Its user name, password and query may be secret.
fn shown(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return "the URL".to_owned() };
    let _ = parsed.set_username(""); // fails for a URL that cannot have one
    let _ = parsed.set_password(None);
    parsed.set_query(None);
    parsed.set_fragment(None);
    parsed.into()
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn version(headers: &HeaderMap) -> Version {
    let text = |name| header(headers, name).filter(|text| text.len() <= LONGEST_VERSION).map(str::to_owned);
    Version { etag: text(&ETAG), last_modified: text(&LAST_MODIFIED) }
}

/// The failure for a status that is neither success nor a redirect.
fn of_status(status: StatusCode, headers: &HeaderMap) -> Failure {
    let why = format!("HTTP {}", status.as_u16());
    match status.as_u16() {
        408 | 425 | 429 | 500.. => {
            let after = header(headers, &RETRY_AFTER).and_then(|after| after.trim().parse().ok());
            Failure { retry_after: after.map(Duration::from_secs), ..Failure::transient(why) }
        }
        404 | 410 => Failure::not_found(why),
        _ => Failure::permanent(why),
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::permanent(format!("the file cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("https://me:secret@example.org/a.csv?token=secret#x"), "https://example.org/a.csv");
        assert_eq!(shown("no URL"), "the URL");
    }

    #[test]
    fn urls_that_are_refused() {
        for url in ["", "lists", "ftp://example.org/", "file:///etc/passwd", "https://me:secret@example.org/"] {
            assert!(parse(url).is_err(), "{url}");
        }
        let from = parse("https://example.org/a/b").unwrap();
        assert_eq!(redirected(&from, "../c").unwrap().as_str(), "https://example.org/c");
        assert_eq!(redirected(&from, "//example.com/c").unwrap().as_str(), "https://example.com/c");
        for location in ["http://example.org/a/b", "ftp://example.org/", "http://["] {
            assert!(redirected(&from, location).is_err(), "{location}");
        }
    }
}
