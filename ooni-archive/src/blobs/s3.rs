//! A bucket of an S3 server: listing all pages, and what its errors mean.

use super::{Blob, Counters, Listing, RetryPolicy};
use s3::{AddressingStyle, Auth, Client, Error};
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio::time::{sleep, timeout};

pub(crate) use s3::Credentials;

/// Pages of one listing; a server that goes on after so many will go on for ever.
const MOST_PAGES: u32 = 20_000;

/// A bucket, or what is below a prefix of it.
pub(crate) struct S3 {
    pub(super) client: Client,
    pub(super) bucket: String,
    /// What comes before keys: empty, or with a `/` at its end.
    pub(super) prefix: String,
    name: String,
    pub(super) retry: RetryPolicy,
    /// Whether an ETag that looks like an MD5 is held against what was downloaded.
    pub(super) checksums: bool,
}

/// Position a bucket is and how it is spoken to.
#[derive(Debug)]
pub(crate) struct Bucket<'b> {
    pub(crate) bucket: &'b str,
    pub(crate) prefix: &'b str,
    pub(crate) region: &'b str,
    /// A server of another address than Amazon's.
    pub(crate) endpoint: Option<&'b str>,
    /// Nothing for requests that are not signed.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) retry: RetryPolicy,
    pub(crate) checksums: bool,
}

impl S3 {
    /// Asks nothing of the server yet.
    ///
    /// # Errors
    /// A sentence, when the address or the credentials cannot be right.
    pub(crate) fn new(place: Bucket<'_>) -> Result<S3, String> {
        let Bucket { bucket, region, endpoint, credentials, retry, checksums, .. } = place;
        let mut name = format!("s3://{bucket}");
        let prefix = match place.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => {
                name = format!("{name}/{prefix}");
                format!("{prefix}/")
            }
        };
        let (url, style) = match endpoint {
            Some(url) => (url.to_owned(), AddressingStyle::Path),
            None => (format!("https://s3.{region}.amazonaws.com"), AddressingStyle::Auto),
        };
        let client = Client::builder(url).map(|builder| {
            builder
                .region(region)
                .auth(credentials.map_or(Auth::Anonymous, Auth::Static))
                .addressing_style(style)
                .timeout(retry.silence)
                .max_attempts(1) // those of `RetryPolicy` count what was tried, and resume
                .user_agent(concat!("ooni-fastpath/", env!("CARGO_PKG_VERSION")))
        });
        let failed = |error: Error| format!("{name}: {error}");
        let client = client.map_err(failed)?.build().map_err(failed)?;
        Ok(S3 { client, bucket: bucket.to_owned(), prefix, name, retry, checksums })
    }

    /// How it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Lists all pages.
    ///
    /// # Errors
    /// A sentence that names the place.
    pub(crate) async fn list(&self, listing: Listing<'_>, counters: &Counters) -> Result<(), String> {
        let Listing { prefix, found, .. } = listing;
        let page = |page: Page| {
            page.blobs.into_iter().for_each(&mut *found);
        };
        self.pages(prefix, None, counters, page).await
    }

    /// The folders directly below a prefix, named as the keys in them begin, with a `/` at the end.
    ///
    /// # Errors
    /// A sentence that names the place.
    pub(crate) async fn folders(&self, prefix: &str, counters: &Counters) -> Result<Vec<String>, String> {
        let mut folders = Vec::new();
        self.pages(prefix, Some("/"), counters, |page| folders.extend(page.folders)).await?;
        Ok(folders)
    }

    async fn pages(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        counters: &Counters,
        mut each: impl FnMut(Page) + Send,
    ) -> Result<(), String> {
        let failed = |why: &str| format!("{}/{prefix}: cannot be listed: {why}", self.name);
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let page = self.again(counters, || self.page(prefix, delimiter, token.as_deref())).await;
            let mut page = page.map_err(|why| failed(&why))?;
            let next = page.next.take();
            let Some(next) = next else {
                each(page);
                return Ok(());
            };
            if token.as_ref() == Some(&next) {
                return Err(failed("the server gives the same page for ever"));
            }
            token = Some(next);
            each(page);
        }
        Err(failed("the server gives pages without end"))
    }

    /// One page of a listing.
    async fn page(&self, prefix: &str, delimiter: Option<&str>, token: Option<&str>) -> Result<Page, Failure> {
        let prefix = format!("{}{prefix}", self.prefix);
        let mut request = self.client.objects().list_v2(&self.bucket).prefix(&prefix);
        if let Some(delimiter) = delimiter {
            request = request.delimiter(delimiter);
        }
        if let Some(token) = token {
            request = request.continuation_token(token);
        }
        let answer = timeout(self.retry.request, request.send());
        let answer = answer.await.map_err(|_| self.too_slow())?.map_err(|error| failure(&error))?;
        let own = |key: String| match key.starts_with(&prefix) {
            true => Ok(key[self.prefix.len()..].to_owned()),
            false => Err(Failure::Final("the server lists keys that were not asked for".to_owned())),
        };
        let next = answer.next_continuation_token.filter(|token| answer.is_truncated && !token.is_empty());
        if answer.is_truncated && next.is_none() {
            return Err(Failure::Final("the server says that there is more, but not where".to_owned()));
        }
        let blobs = answer
            .contents
            .into_iter()
            .map(|object| Ok(Blob { key: own(object.key)?, size: object.size, etag: object.etag }))
            .collect::<Result<_, _>>()?;
        let folders = answer.common_prefixes.into_iter().map(own).collect::<Result<_, _>>()?;
        Ok(Page { blobs, folders, next })
    }

    /// Tries something until it works, cannot work, or has failed too often.
    async fn again<T, F>(&self, counters: &Counters, attempt: impl Fn() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut failures = 0;
        loop {
            let failure = match attempt().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            failures += 1;
            self.wait(failure, failures, counters).await?;
        }
    }

    /// Waits before something is tried again.
    ///
    /// # Errors
    /// A sentence, when it is not.
    pub(super) async fn wait(&self, failure: Failure, failures: u32, counters: &Counters) -> Result<(), String> {
        match failure {
            Failure::Final(why) => Err(why),
            Failure::Again { why, .. } if failures >= self.retry.attempts => Err(format!("{why}, {failures} times")),
            Failure::Again { after, .. } => {
                let wait = self.retry.wait(failures);
                sleep(wait.max(after.unwrap_or_default().min(self.retry.longest_wait))).await;
                Counters::add(&counters.retries, 1);
                Ok(())
            }
        }
    }

    pub(super) fn too_slow(&self) -> Failure {
        Failure::again(format!("the request took more than {:?}", self.retry.request))
    }
}

impl fmt::Debug for S3 {
    /// Without the client, which has the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3").field(&self.name).finish()
    }
}

/// One page of a listing.
struct Page {
    blobs: Vec<Blob>,
    folders: Vec<String>,
    /// What to ask for the next one with.
    next: Option<String>,
}

/// Why something did not work, and whether it may do so another time.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may.
    Again { why: String, after: Option<Duration> },
    /// It will not.
    Final(String),
}

impl Failure {
    pub(super) fn again(why: String) -> Failure {
        Failure::Again { why, after: None }
    }
}

/// What an error means. Texts of servers are not passed on but for their codes: they may hold what was signed.
pub(super) fn failure(error: &Error) -> Failure {
    let again = |why: String| {
        let after = match error {
            Error::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        };
        Failure::Again { why, after }
    };
    let Some(status) = error.status() else {
        return match error {
            Error::Transport { message, source } => again(format!(
                "the connection failed: {}",
                source.as_ref().map_or(message.clone(), |source| root(&**source))
            )),
            Error::Decode { .. } => again("the answer makes no sense".to_owned()),
            error => Failure::Final(error.to_string()),
        };
    };
    let code: String = error.code().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).take(60).collect();
    let said = match code.as_str() {
        "" => format!("HTTP {}", status.as_u16()),
        code => format!("HTTP {}, {code}", status.as_u16()),
    };
    match (status.as_u16(), code.as_str()) {
        (408 | 425 | 429 | 500.., _) | (_, "RequestTimeout" | "SlowDown" | "Throttling") => {
            again(format!("the server could not answer ({said})"))
        }
        (404, "NoSuchBucket") => Failure::Final(format!("there is no such bucket ({said})")),
        (404, _) => Failure::Final(format!("it is not there ({said})")),
        (_, "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "ExpiredToken" | "InvalidToken" | "NotSignedUp") => {
            Failure::Final(format!("the server does not accept the credentials ({said})"))
        }
        (401 | 403, _) => Failure::Final(format!("access denied ({said})")),
        (412 | 416, _) => Failure::Final(format!("it has changed since it was listed ({said})")),
        (300..=399, _) | (_, "AuthorizationHeaderMalformed") => {
            Failure::Final(format!("the bucket is in another region or at another server ({said})"))
        }
        _ => Failure::Final(format!("the server refuses ({said})")),
    }
}

/// What is behind an error.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
