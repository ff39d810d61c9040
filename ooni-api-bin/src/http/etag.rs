//! Entity tags: a client that has the current response gets 304 instead of it.

use super::response::{self, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use std::hash::{DefaultHasher, Hasher};

/// Bodies up to this size are hashed at once, in bytes; larger ones by a thread that may block.
const AT_ONCE: usize = 1 << 20;

/// The body of a response, if it is in memory.
pub(super) async fn in_memory(response: Response) -> (Response, Option<Bytes>) {
    if response.body().size_hint().exact().is_none() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    match body.collect().await {
        Ok(whole) => {
            let bytes = whole.to_bytes();
            (Response::from_parts(parts, response::body(bytes.clone())), Some(bytes))
        }
        Err(error) => {
            tracing::error!(%error, "a response cannot be read");
            (super::Error::internal().into_response(), None)
        }
    }
}

/// Adds a tag to a response in memory with status 200, if it has none. It is a weak one: the response may be compressed.
pub(super) async fn add(response: Response) -> Response {
    if response.status() != StatusCode::OK || response.headers().contains_key(ETAG) {
        return response;
    }
    let (mut response, body) = in_memory(response).await;
    if let Some(body) = body
        && let Some(hash) = hash(body).await
        && let Ok(tag) = HeaderValue::from_str(&format!("W/\"{hash:016x}\""))
    {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Not a cryptographic hash: someone who can choose responses gains nothing from two with the same tag.
async fn hash(body: Bytes) -> Option<u64> {
    let is_small = body.len() <= AT_ONCE;
    let hash = move || {
        let mut hasher = DefaultHasher::new();
        hasher.write(&body);
        hasher.finish()
    };
    if is_small { Some(hash()) } else { tokio::task::spawn_blocking(hash).await.ok() }
}

/// The condition of a request: the tags of the responses that its client has.
pub(super) fn condition(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(IF_NONE_MATCH).iter();
    let first = values.next()?;
    let joined =
        values.fold(first.as_bytes().to_vec(), |joined, value| [&joined, &b", "[..], value.as_bytes()].concat());
    HeaderValue::from_bytes(&joined).ok()
}

/// 304 in place of a response that the client has.
pub(super) fn apply(response: Response, condition: Option<&HeaderValue>) -> Response {
    let is_same = response.status() == StatusCode::OK
        && condition.zip(response.headers().get(ETAG)).is_some_and(|(condition, tag)| matches(condition, tag));
    if !is_same {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    Response::from_parts(parts, response::body(Bytes::new()))
}

/// Removes the headers that describe a body, which 304 does not have.
pub(super) fn finish(response: &mut Response) {
    if response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().remove(CONTENT_TYPE);
    }
}

/// Whether a tag is among those of a condition, by the weak comparison of RFC 9110.
fn matches(condition: &HeaderValue, tag: &HeaderValue) -> bool {
    fn opaque(tag: &str) -> &str {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag)
    }
    let (Ok(condition), Ok(tag)) = (condition.to_str(), tag.to_str()) else { return false };
    condition.trim() == "*" || condition.split(',').any(|other| opaque(other) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        for (condition, expected) in [
            ("W/\"1a\"", true),
            ("\"1a\"", true),
            ("*", true),
            (" * ", true),
            ("\"0\", W/\"1a\"", true),
            ("\"0\",\"1a\" , \"2\"", true),
            ("", false),
            ("1a", false),
            ("\"1A\"", false),
            ("w/\"1a\"", false),
            ("\"*\"", false),
            ("\"1\", \"a\"", false),
        ] {
            let found = matches(&HeaderValue::from_static(condition), &HeaderValue::from_static("W/\"1a\""));
            assert_eq!(found, expected, "{condition}");
        }
    }

    #[tokio::test]
    async fn tags() {
        let tag = async |text: &str| {
            let response = add(response::text(StatusCode::OK, text.to_owned())).await;
            response.headers().get(ETAG).map(|tag| tag.to_str().unwrap().to_owned())
        };
        let (small, large) = (tag("a").await.unwrap(), tag(&"a".repeat(AT_ONCE + 1)).await.unwrap());
        assert!(small.starts_with("W/\"") && small.ends_with('"') && small.len() == 20, "{small}");
        assert_eq!(tag("a").await, Some(small.clone()));
        assert_ne!(tag("b").await, Some(small.clone()));
        assert_ne!(small, large);
        let error = add(response::text(StatusCode::NOT_FOUND, "a")).await;
        assert_eq!(error.headers().get(ETAG), None);
    }
}
