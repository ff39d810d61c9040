//! A bucket of an S3 server: how requests are addressed, signed and redirected.

mod listing;
mod object;
mod sign;
mod write;

pub(crate) use self::object::Received;
pub(crate) use self::sign::Credentials;

use super::failure::Failure;
use super::http::{HttpClient, HttpResponse, RequestBody};
use super::retry::RetryPolicy;
use super::upload::Upload;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::http::uri::{Authority, Parts, Scheme};
use hyper::{Method, Request, Uri};
use ooni_core::hex::hex;
use ooni_core::time::DateTime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use url::Url;

/// Maximum number of redirects of one request, including those to another region.
const MOST_REDIRECTS: u32 = 5;
/// Maximum size of the body of an error.
const ERROR_SIZE: usize = 64 << 10;

/// The characters that are percent-encoded in names and values of signed requests.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for keys, in which `/` is kept.
const ENCODED_KEY: &AsciiSet = &ENCODED.remove(b'/');

/// A bucket, or a prefix in one.
pub(crate) struct S3 {
    http: HttpClient,
    bucket: String,
    /// The prefix of keys: empty, or ends with `/`.
    prefix: String,
    name: String,
    /// `SCHEME://HOST[:PORT][/PATH]`; `None` for Amazon.
    endpoint: Option<String>,
    /// The region of the bucket; updated by redirects.
    region: Mutex<Arc<str>>,
    credentials: Option<Credentials>,
    pub(crate) retry: RetryPolicy,
    /// Whether downloads are verified against ETags that look like MD5 sums.
    pub(super) checksums: bool,
}

/// The address and access settings of a bucket.
#[derive(Debug)]
pub(crate) struct Bucket<'b> {
    pub(crate) bucket: &'b str,
    pub(crate) prefix: &'b str,
    pub(crate) region: &'b str,
    /// The URL of a server other than Amazon's.
    pub(crate) endpoint: Option<&'b str>,
    /// `None` for requests that are not signed.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) retry: RetryPolicy,
    pub(crate) checksums: bool,
}

/// A request for the bucket or an object in it.
#[derive(Debug)]
struct S3Request {
    method: Method,
    /// The whole key; empty for the bucket itself.
    key: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, String)>,
    /// The file that is the body.
    body: Option<Upload>,
}

/// The parts of an error body that are used.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ErrorBody {
    code: String,
    region: String,
}

impl S3Request {
    fn new(method: Method, key: String) -> S3Request {
        S3Request { method, key, query: Vec::new(), headers: Vec::new(), body: None }
    }
}

impl S3 {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// A sentence, when the endpoint is not a URL.
    pub(crate) fn new(http: HttpClient, place: Bucket<'_>) -> Result<S3, String> {
        let Bucket { bucket, region, endpoint, credentials, retry, checksums, .. } = place;
        let mut name = format!("s3://{bucket}");
        let prefix = match place.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => {
                name = format!("{name}/{prefix}");
                format!("{prefix}/")
            }
        };
        let endpoint = endpoint.map(base).transpose().map_err(|why| format!("{name}: {why}"))?;
        let region = Mutex::new(Arc::from(region));
        Ok(S3 { http, bucket: bucket.to_owned(), prefix, name, endpoint, region, credentials, retry, checksums })
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn region(&self) -> Arc<str> {
        Arc::clone(&self.region.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a request and follows redirects to another region or address. A response with an error status is a failure.
    async fn send(&self, request: &S3Request) -> Result<HttpResponse, Failure> {
        let mut region = self.region();
        let mut uri = self.uri(request, &region)?;
        for _ in 0..=MOST_REDIRECTS {
            let mut response = self.http.send(self.request(request, &uri, &region)?).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let header =
                |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let [named, location, after] = ["x-amz-bucket-region", LOCATION.as_str(), RETRY_AFTER.as_str()].map(header);
            // A response whose body cannot be read still has its status.
            let body = response.body_mut().bytes(ERROR_SIZE).await.unwrap_or_default();
            let body: ErrorBody =
                std::str::from_utf8(&body).ok().and_then(|body| quick_xml::de::from_str(body).ok()).unwrap_or_default();
            let may_move = status.is_redirection() || body.code == "AuthorizationHeaderMalformed";
            let named = named.unwrap_or(body.region);
            let failure = || {
                let after = after.as_deref().and_then(|after| after.trim().parse().ok()).map(Duration::from_secs);
                let mut failure = Failure::of_status(status, &body.code, after);
                if may_move && is_region(&named) {
                    failure.why = format!("{}: {named}", failure.why);
                }
                failure
            };
            if may_move && is_region(&named) && *named != *region {
                region = Arc::from(named);
                *self.region.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&region);
                uri = self.uri(request, &region)?;
            } else if let (true, Some(location)) = (status.is_redirection(), location) {
                uri = redirected(&uri, &location).ok_or_else(failure)?;
            } else {
                return Err(failure());
            }
        }
        Err(Failure::permanent("too many redirects"))
    }

    /// The address of an object or of the bucket.
    fn uri(&self, request: &S3Request, region: &str) -> Result<Uri, Failure> {
        let S3Request { key, query, .. } = request;
        let bucket = &self.bucket;
        let mut uri = match &self.endpoint {
            Some(endpoint) => format!("{endpoint}/{bucket}"),
            None => {
                let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                let usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                match bucket.chars().all(usual) {
                    true => format!("https://{bucket}.s3.{region}.{domain}"),
                    // As part of the host name, it would not match Amazon's certificate.
                    false => format!("https://s3.{region}.{domain}/{bucket}"),
                }
            }
        };
        uri.push('/');
        uri.extend(utf8_percent_encode(key, ENCODED_KEY));
        for (number, (name, value)) in query.iter().enumerate() {
            uri.push(if number == 0 { '?' } else { '&' });
            uri.push_str(name);
            uri.push('=');
            uri.extend(utf8_percent_encode(value, ENCODED));
        }
        uri.parse().map_err(|error| Failure::permanent(format!("the request has no valid address: {error}")))
    }

    /// The request as it is sent.
    fn request(&self, request: &S3Request, uri: &Uri, region: &str) -> Result<Request<RequestBody>, Failure> {
        let invalid =
            |what: &str| Failure::permanent(format!("{what} has characters that are not allowed in a request"));
        let mut built = Request::new(RequestBody::default());
        *built.method_mut() = request.method.clone();
        *built.uri_mut() = uri.clone();
        let headers = built.headers_mut();
        headers.insert(HOST, host(uri).ok_or_else(|| invalid("the host"))?);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ooni-fastpath/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &request.headers {
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| invalid(name.as_str()))?);
        }
        if let Some(credentials) = &self.credentials {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let now = i64::try_from(now).ok().and_then(DateTime::from_timestamp).unwrap_or(DateTime::MAX);
            let sha256 =
                request.body.as_ref().map_or_else(|| hex(Sha256::digest(b"")), |body| hex(body.content.sha256));
            sign::sign(&mut built, &sha256, credentials, region, now).map_err(|_| invalid("a credential"))?;
        }
        if let Some(upload) = &request.body {
            *built.body_mut() = upload.body()?;
        }
        Ok(built)
    }
}

impl fmt::Debug for S3 {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3").field(&self.name).finish()
    }
}

/// The URL of an endpoint, normalized for requests.
fn base(endpoint: &str) -> Result<String, String> {
    let invalid = |why: &str| format!("invalid endpoint: {why}; a URL such as http://127.0.0.1:9000 is expected");
    let url = Url::parse(endpoint).map_err(|error| invalid(&error.to_string()))?;
    let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
        return Err(invalid("neither http nor https"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it has a user or password, which belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it has a query or fragment"));
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{}://{host}{port}{}", url.scheme(), url.path().trim_end_matches('/')))
}

/// The header `Host` of an address.
fn host(uri: &Uri) -> Option<HeaderValue> {
    let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    match uri.port_u16() {
        Some(port) if port != usual => HeaderValue::from_str(&format!("{}:{port}", uri.host()?)),
        _ => HeaderValue::from_str(uri.host()?),
    }
    .ok()
}

/// The target of a redirect; never from TLS to plain text.
fn redirected(from: &Uri, location: &str) -> Option<Uri> {
    let location: Uri = location.parse().ok()?;
    let Parts { scheme, authority, path_and_query, .. } = location.into_parts();
    let (scheme, authority): (Scheme, Authority) = match (scheme, authority) {
        (Some(scheme), Some(authority)) => (scheme, authority),
        (None, None) => (from.scheme()?.clone(), from.authority()?.clone()),
        _ => return None,
    };
    if scheme != Scheme::HTTPS && (scheme != Scheme::HTTP || from.scheme() == Some(&Scheme::HTTPS)) {
        return None;
    }
    let host = authority.as_str().rsplit('@').next()?.parse::<Authority>().ok()?;
    Uri::builder().scheme(scheme).authority(host).path_and_query(path_and_query?).build().ok()
}

/// Whether this can be the name of a region, which becomes a part of a host name.
fn is_region(name: &str) -> bool {
    let usual = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(usual)
}

/// A header as text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ooni_testkit::s3_server::{Plan, Server, start};

    fn bucket(endpoint: Option<&str>, bucket: &str) -> Result<S3, String> {
        let retry = RetryPolicy::default();
        let (prefix, region) = ("", "eu-central-1");
        let place = Bucket { bucket, prefix, region, endpoint, credentials: None, retry, checksums: true };
        S3::new(HttpClient::new(&retry).unwrap(), place)
    }

    #[test]
    fn addresses() {
        let get = |key: &str| S3Request::new(Method::GET, key.to_owned());
        let plain = "raw/20210614/x.tar.gz";
        for (endpoint, name, key, expected) in [
            (None, "mine", plain, "https://mine.s3.eu-central-1.amazonaws.com/raw/20210614/x.tar.gz"),
            (None, "my.bucket", plain, "https://s3.eu-central-1.amazonaws.com/my.bucket/raw/20210614/x.tar.gz"),
            (Some("http://127.0.0.1:9000"), "b", "a", "http://127.0.0.1:9000/b/a"),
            (Some("https://p.supabase.co/storage/v1/s3/"), "b", "a", "https://p.supabase.co/storage/v1/s3/b/a"),
            (Some("http://[::1]:9000/"), "b", "a", "http://[::1]:9000/b/a"),
            (Some("http://h"), "b", "../a/./b//c d%+ü", "http://h/b/../a/./b//c%20d%25%2B%C3%BC"),
        ] {
            let s3 = bucket(endpoint, name).unwrap();
            assert_eq!(s3.uri(&get(key), "eu-central-1").unwrap().to_string(), expected);
        }
        for endpoint in ["not a url", "127.0.0.1:9000", "ftp://h", "http://u:p@h", "http://h/?x=1"] {
            let why = bucket(Some(endpoint), "b").unwrap_err();
            assert!(why.starts_with("s3://b: invalid endpoint: ") && !why.contains("u:p"), "{why}");
        }
    }

    /// A server that verifies signatures has the same object under a key as the file system.
    #[test]
    fn keys_with_odd_characters_are_signed() {
        let folder = tempfile::tempdir().unwrap();
        let plan = |secret: &str| Plan { signed: Some(("ID".to_owned(), secret.to_owned())), ..Plan::default() };
        let [server, other] = ["SECRET", "OTHER"].map(|secret| start(folder.path(), plan(secret)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let get = |server: &Server, key: &str| {
            let (id, secret) = ("ID".to_owned(), "SECRET".to_owned());
            let credentials = Credentials { key_id: id, secret, session_token: None };
            let s3 = S3 { credentials: Some(credentials), ..bucket(Some(&server.url), "odd").unwrap() };
            let range = vec![(HeaderName::from_static("range"), "bytes=1-3".to_owned())];
            let request = S3Request { headers: range, ..S3Request::new(Method::GET, key.to_owned()) };
            runtime.block_on(async {
                let mut response = s3.send(&request).await?;
                response.body_mut().bytes(100).await
            })
        };
        for key in [
            "plain",
            "a b/c  d",
            "a+b",
            "100%",
            "%41",
            "a%2Fb",
            "!\"#$&'()*,:;<=>?@[]^`{|}~-._",
            "\u{fc}/\u{65e5}\u{672c}/e\u{301}/\u{1f600}",
            "tab\tnewline\n",
        ] {
            let path = folder.path().join("odd").join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "12345").unwrap();
            assert_eq!(get(&server, key).unwrap(), b"234", "{key:?}");
            let why = get(&other, key).unwrap_err().why;
            assert_eq!(why, "the server rejects the credentials (HTTP 403, SignatureDoesNotMatch)", "{key:?}");
        }
        // As paths in a file system, these keys are other files or none, but the server accepts the signature.
        for key in ["a//b", "/a", "a/", "../odd/plain", "a/../plain", "./plain", "a/./b", "a/.."] {
            let why = get(&server, key).map_or_else(|failure| failure.why, |_| String::new());
            assert!(!why.contains("credentials"), "{key:?}: {why}");
            assert!(get(&other, key).unwrap_err().why.contains("SignatureDoesNotMatch"), "{key:?}");
        }
        let uris: Vec<_> = server.asked().into_iter().map(|asked| asked.uri).collect();
        assert!(uris.contains(&"/odd/a//b".to_owned()) && uris.contains(&"/odd/a/../plain".to_owned()), "{uris:?}");
    }

    #[test]
    fn redirects_never_leave_tls() {
        let to =
            |from: &'static str, location| redirected(&Uri::from_static(from), location).map(|uri| uri.to_string());
        assert_eq!(to("http://a/b", "https://c:1/d?e").as_deref(), Some("https://c:1/d?e"));
        assert_eq!(to("https://a/b", "/d").as_deref(), Some("https://a/d"));
        assert_eq!(to("http://a/b", "http://user:pass@c/d").as_deref(), Some("http://c/d"));
        for location in ["http://c/d", "ftp://c/d", "", "d"] {
            assert_eq!(to("https://a/b", location), None, "{location}");
        }
    }
}
