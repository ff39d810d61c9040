//! Compression of responses, by `Accept-Encoding`.

use super::response::Response;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Responses up to this size are compressed at once, so that their length is known.
const AT_ONCE: u64 = 64 << 10;
/// How much of a response is compressed before the server may do something else, in bytes.
const STEP: usize = 64 << 10;
const GZIP_LEVEL: u32 = 3;
const ZSTD_LEVEL: i32 = 3;

/// A content coding of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Zstd,
}

/// The coding that a client prefers; zstd if it has no preference.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Coding> {
    let (mut gzip, mut zstd, mut others) = (None, None, 0);
    for line in headers.get_all(ACCEPT_ENCODING) {
        for item in line.to_str().unwrap_or_default().split(',') {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight(parameters);
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(weight),
                "zstd" => zstd = Some(weight),
                "*" => others = weight,
                _ => {}
            }
        }
    }
    match (gzip.unwrap_or(others), zstd.unwrap_or(others)) {
        (0, 0) => None,
        (gzip, zstd) if gzip > zstd => Some(Coding::Gzip),
        _ => Some(Coding::Zstd),
    }
}

/// The value of `q` in thousandths; 0 if it is not one.
fn weight(parameters: &str) -> u32 {
    let Some(value) = parameters.trim().strip_prefix("q=").or_else(|| parameters.trim().strip_prefix("Q=")) else {
        return 1000;
    };
    value.parse::<f32>().ok().filter(|value| (0.0..=1.0).contains(value)).map_or(0, |value| (value * 1000.0) as u32)
}

/// Compresses a response that is longer than `above` bytes and of a type that compresses well.
pub(super) async fn compress(mut response: Response, coding: Option<Coding>, above: usize) -> Response {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_compressible(content_type) || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    let length = response.body().size_hint().exact();
    let partial = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::PARTIAL_CONTENT);
    let (Some(coding), false) = (coding, partial || length.is_some_and(|length| length <= above as u64)) else {
        return response;
    };
    let Ok(encoder) = Encoder::new(coding) else { return response };
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(ACCEPT_RANGES);
    let compressed = Compressed { body, encoder: Some(encoder), left: Bytes::new() };
    let body = match length {
        Some(..=AT_ONCE) => match compressed.collect().await {
            Ok(whole) => Full::new(whole.to_bytes()).map_err(|never| match never {}).boxed(),
            Err(error) => Failed(Some(error)).boxed(),
        },
        _ => compressed.boxed(),
    };
    Response::from_parts(parts, body)
}

fn is_compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/") || matches!(essence, "application/json" | "application/x-ndjson" | "application/xml")
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        }
    }
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Encoder> {
        Ok(match coding {
            Coding::Gzip => Encoder::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))),
            Coding::Zstd => Encoder::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
        })
    }

    /// What is ready of the output after some input.
    fn write(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.write_all(bytes).map(|()| std::mem::take(encoder.get_mut())),
            Encoder::Zstd(encoder) => encoder.write_all(bytes).map(|()| std::mem::take(encoder.get_mut())),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

/// A body that compresses another one.
struct Compressed {
    body: BoxBody<Bytes, io::Error>,
    /// `None` at the end.
    encoder: Option<Encoder>,
    /// What is to be compressed of the last frame.
    left: Bytes,
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            let Some(encoder) = &mut this.encoder else { return Poll::Ready(None) };
            if this.left.is_empty() {
                match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                    Some(Ok(frame)) => this.left = frame.into_data().unwrap_or_default(), // without trailers
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        let last = this.encoder.take().map_or(Ok(Vec::new()), Encoder::finish);
                        return Poll::Ready(Some(last.map(|last| Frame::data(last.into()))));
                    }
                }
            }
            let step = this.left.split_to(this.left.len().min(STEP));
            match encoder.write(&step) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// A body that fails at once.
struct Failed(Option<io::Error>);

impl Body for Failed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences() {
        use Coding::{Gzip, Zstd};
        for (header, expected) in [
            ("gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("x-gzip, deflate", Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("zstd;q=0.5, gzip", Some(Gzip)),
            ("zstd;q=0.5,gzip;q=0.4", Some(Zstd)),
            ("gzip; q=0.001", Some(Gzip)),
            ("gzip;q=0", None),
            ("gzip;q=0, *", Some(Zstd)),
            ("zstd;q=0, *;q=0.1", Some(Gzip)),
            ("gzip;q=2, zstd;q=x", None),
            ("identity", None),
            ("br", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(header))]);
            assert_eq!(accepted(&headers), expected, "{header}");
        }
        assert_eq!(accepted(&HeaderMap::new()), None);
    }

    #[test]
    fn types() {
        for (content_type, expected) in [
            ("application/json", true),
            ("text/plain; charset=utf-8", true),
            ("application/x-ndjson", true),
            ("application/xml;x=y", true),
            ("application/gzip", false),
            ("image/png", false),
            ("", false),
        ] {
            assert_eq!(is_compressible(content_type), expected, "{content_type}");
        }
    }
}
