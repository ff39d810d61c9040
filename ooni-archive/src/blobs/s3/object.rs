//! Reads an object or a part of it, and checks that the response is that part.

use super::{S3, S3Request, text};
use crate::blobs::checksum::Checksum;
use crate::blobs::failure::Failure;
use crate::blobs::http::ResponseBody;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_MATCH, RANGE};
use hyper::{Method, StatusCode};

/// Asks the server for the checksum that it has of an object.
const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

/// A part of an object that is being received.
#[derive(Debug)]
pub(crate) struct Received {
    /// Offset of its first byte: as requested, or 0 if the server does not support ranges.
    pub(crate) first: u64,
    /// Its size in bytes, if the server reports it.
    pub(crate) length: Option<u64>,
    /// Size of the whole object in bytes, if the server reports it.
    pub(crate) total: Option<u64>,
    /// The version of the object.
    pub(crate) etag: Option<String>,
    /// The checksum of the whole object.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) body: ResponseBody,
}

impl S3 {
    /// Requests the bytes of an object from `first` to `last`, both included; without `last` to its end.
    ///
    /// # Errors
    /// Responses that are not the part that was requested are failures.
    pub(crate) async fn get(
        &self,
        key: &str,
        first: u64,
        last: Option<u64>,
        etag: Option<&str>,
    ) -> Result<Received, Failure> {
        let mut headers = Vec::new();
        if first > 0 || last.is_some() {
            headers.push((RANGE, format!("bytes={first}-{}", last.map(|last| last.to_string()).unwrap_or_default())));
        } else {
            headers.push((CHECKSUM_MODE, "ENABLED".to_owned()));
        }
        headers.extend(etag.map(|etag| (IF_MATCH, etag.to_owned())));
        let key = format!("{}{key}", self.prefix);
        let response = self.send(&S3Request { headers, ..S3Request::new(Method::GET, key) }).await?;
        let (head, body) = response.into_parts();
        let length = text(&head.headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        let range = match head.status {
            StatusCode::OK => None,
            StatusCode::PARTIAL_CONTENT => Some(content_range(&head.headers)?),
            status => {
                return Err(Failure::invalid_response(format!("the response has the status {}", status.as_u16())));
            }
        };
        let (first, total) = match range {
            // The whole object, whatever was requested.
            None => (0, length),
            Some(ContentRange { first: start, last: end, total }) => {
                if start != first || last.is_some_and(|last| end > last) {
                    return Err(Failure::invalid_response(format!("the response has bytes {start}-{end}")));
                }
                if length.is_some_and(|length| length != end - start + 1) {
                    return Err(Failure::transient(format!(
                        "the response is shorter or longer than bytes {start}-{end}"
                    )));
                }
                (start, total)
            }
        };
        let length = range.map(|range| range.last - range.first + 1).or(length);
        let etag = text(&head.headers, ETAG.as_str()).filter(|etag| !etag.is_empty()).map(str::to_owned);
        let checksum = if range.is_none() { Checksum::of_headers(&head.headers) } else { None };
        Ok(Received { first, length, total, etag, checksum, body })
    }
}

/// The header `Content-Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

fn content_range(headers: &HeaderMap) -> Result<ContentRange, Failure> {
    let value = text(headers, CONTENT_RANGE.as_str()).unwrap_or_default();
    parse(value)
        .ok_or_else(|| Failure::invalid_response("the response is a part of the object without a valid Content-Range"))
}

fn parse(value: &str) -> Option<ContentRange> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (first <= last && total.is_none_or(|total| last < total)).then_some(ContentRange { first, last, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        assert_eq!(parse("bytes 0-9/10"), range(0, 9, Some(10)));
        assert_eq!(parse("bytes 5-9/*"), range(5, 9, None));
        for value in ["", "bytes 0-9", "bytes 9-0/10", "bytes 0-10/10", "bytes */10", "lines 0-9/10", "bytes a-b/c"] {
            assert_eq!(parse(value), None, "{value}");
        }
    }
}
