//! Content decoding of request bodies: gzip and zstd.

use super::error::Error;
use crate::payload::{self, Written};
use flate2::bufread::MultiGzDecoder;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use std::io::{self, Read, Write};

/// Window of zstd frames that is accepted, as a power of two: what RFC 8878 asks of every decoder.
const ZSTD_WINDOW_LOG: u32 = 23;
/// How long a client should wait when bodies use too much memory or space, in seconds.
pub(super) const RETRY_AFTER: u64 = 5;

/// A content coding of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// The coding of a request's body.
    ///
    /// # Errors
    /// 400 for another coding, and for more than one.
    pub(super) fn of(headers: &HeaderMap) -> Result<Coding, Error> {
        let lines = headers.get_all(CONTENT_ENCODING).iter();
        let mut codings = lines
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|coding| !coding.is_empty());
        let coding = match codings.next().map(<[u8]>::to_ascii_lowercase).as_deref() {
            None | Some(b"identity") => Coding::Identity,
            Some(b"gzip" | b"x-gzip") => Coding::Gzip,
            Some(b"zstd") => Coding::Zstd,
            Some(_) => return Err(unsupported()),
        };
        match codings.next() {
            None => Ok(coding),
            Some(_) => Err(unsupported()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        }
    }
}

fn unsupported() -> Error {
    Error::bad_request("Content-Encoding must be one of gzip, zstd and identity")
        .with_header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"))
}

/// Decodes a small body at once. Returns it as it was if that fails or if more than `limit` bytes come out.
pub(super) fn at_once(coding: Coding, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Vec<u8>> {
    let decoded = match coding {
        Coding::Identity if body.len() <= limit => return Ok(body),
        Coding::Identity => None,
        Coding::Gzip => gunzip(&body, limit),
        Coding::Zstd => unzstd(&body, limit),
    };
    decoded.ok_or(body)
}

#[allow(clippy::disallowed_methods)] // what it reads is limited
fn gunzip(body: &[u8], limit: usize) -> Option<Vec<u8>> {
    // The last four bytes are the size of the last member, if they are right.
    let size = u32::from_le_bytes(*body.last_chunk()?);
    let mut decoded = Vec::with_capacity(limit.min(size as usize));
    MultiGzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut decoded).ok()?;
    (decoded.len() <= limit).then_some(decoded)
}

fn unzstd(body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(body).ok()?.unwrap_or(limit as u64);
    let mut decoded = Vec::with_capacity(usize::try_from(size).ok().filter(|size| *size <= limit)?);
    zstd::bulk::Decompressor::new().ok()?.decompress_to_buffer(body, &mut decoded).ok()?;
    Some(decoded)
}

/// Decodes a body part by part into a payload.
pub(super) struct Decoder {
    coding: Coding,
    stream: Stream,
}

enum Stream {
    Identity(payload::Writer),
    Gzip(Box<flate2::write::MultiGzDecoder<payload::Writer>>),
    Zstd(zstd::stream::write::Decoder<'static, payload::Writer>),
}

impl Decoder {
    pub(super) fn new(coding: Coding, writer: payload::Writer) -> io::Result<Decoder> {
        let stream = match coding {
            Coding::Identity => Stream::Identity(writer),
            Coding::Gzip => Stream::Gzip(Box::new(flate2::write::MultiGzDecoder::new(writer))),
            Coding::Zstd => {
                let mut decoder = zstd::stream::write::Decoder::new(writer)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Stream::Zstd(decoder)
            }
        };
        Ok(Decoder { coding, stream })
    }

    /// Decodes a part.
    ///
    /// # Errors
    /// 413 beyond the limit, 400 for a part that cannot be decoded, 503 if the disk is full.
    pub(super) fn write(&mut self, part: &[u8]) -> Result<(), Error> {
        let written = match &mut self.stream {
            Stream::Identity(writer) => writer.write_all(part),
            Stream::Gzip(decoder) => decoder.write_all(part),
            Stream::Zstd(decoder) => decoder.write_all(part),
        };
        written.map_err(|error| self.error(error))
    }

    /// The end of the body.
    ///
    /// # Errors
    /// Those of [`Decoder::write`]; 400 if more of it is expected.
    pub(super) fn finish(mut self) -> Result<Written, Error> {
        let finished = match &mut self.stream {
            Stream::Identity(_) => Ok(()),
            Stream::Gzip(decoder) => decoder.try_finish(),
            Stream::Zstd(decoder) => decoder.do_finish(),
        };
        finished.map_err(|error| self.error(error))?;
        match self.stream {
            Stream::Identity(writer) => Ok(writer.finish()),
            Stream::Gzip(decoder) => decoder.finish().map(payload::Writer::finish).map_err(|_| Error::internal()),
            Stream::Zstd(decoder) => Ok(decoder.into_inner().finish()),
        }
    }

    /// How much memory it needs, in bytes.
    pub(super) fn memory(&self) -> usize {
        match &self.stream {
            Stream::Identity(writer) => writer.memory(),
            Stream::Gzip(decoder) => decoder.get_ref().memory() + (128 << 10),
            Stream::Zstd(decoder) => decoder.get_ref().memory() + (1 << ZSTD_WINDOW_LOG) + (256 << 10),
        }
    }

    fn error(&self, error: io::Error) -> Error {
        match payload::Failure::of(error) {
            payload::Failure::TooLarge(limit) => too_large(limit),
            payload::Failure::LowDisk(error) => error.into(),
            payload::Failure::Busy => Error::unavailable("too many submissions at the same time", RETRY_AFTER),
            payload::Failure::Storage(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!(%error, "a body cannot be written to a temporary file");
                Error::unavailable("the disk is full", 60)
            }
            payload::Failure::Storage(error) => {
                tracing::error!(%error, "a body cannot be written to a temporary file");
                Error::internal()
            }
            payload::Failure::Input(_) => {
                Error::bad_request(format!("the body cannot be decoded as {}", self.coding.name()))
            }
        }
    }
}

/// 413 that names the limit.
pub(super) fn too_large(limit: u64) -> Error {
    Error::too_large(format!("the body is larger than {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"{\"a\":1}{\"a\":1}{\"a\":1}{\"a\":1}";
    const LIMIT: usize = 100;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(text, 3).unwrap()
    }

    /// A frame that does not say how long its content is.
    fn zstd_stream(text: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Decodes in parts of some bytes; the status on failure.
    fn in_parts(coding: Coding, body: &[u8], size: usize) -> Result<Vec<u8>, u16> {
        let writer = payload::Writer::new(LIMIT as u64, None);
        let mut decoder = Decoder::new(coding, writer).unwrap();
        let decoded = body.chunks(size).try_for_each(|part| decoder.write(part)).and_then(|()| decoder.finish());
        match decoded {
            Ok(Written::Memory(bytes)) => Ok(bytes),
            Ok(Written::File(..)) => panic!("a small body is in a file"),
            Err(error) => Err(error.status().as_u16()),
        }
    }

    fn check(coding: Coding, body: &[u8], expected: Result<&[u8], u16>) {
        for size in [1, 7, 1 << 20] {
            assert_eq!(in_parts(coding, body, size), expected.map(<[u8]>::to_vec), "{coding:?} {body:?} {size}");
        }
        if let Ok(decoded) = at_once(coding, body.to_vec(), LIMIT) {
            assert_eq!(Ok(&*decoded), expected, "{coding:?} {body:?}");
        }
    }

    #[test]
    fn bodies() {
        let (gzipped, zstded, streamed) = (gzip(TEXT), zstd(TEXT), zstd_stream(TEXT));
        let long = vec![b'a'; LIMIT + 1];
        for (coding, body) in [(Coding::Gzip, &gzipped), (Coding::Zstd, &zstded), (Coding::Zstd, &streamed)] {
            check(coding, body, Ok(TEXT));
            assert_eq!(at_once(coding, body.clone(), LIMIT).unwrap(), TEXT);
            check(coding, &[&**body, body].concat(), Ok(&[TEXT, TEXT].concat()));
            check(coding, &[body, &b"rest"[..]].concat(), Err(400));
            check(coding, b"", Err(400));
            check(coding, b"not encoded", Err(400));
            for cut in 1..body.len() {
                check(coding, &body[..cut], Err(400));
            }
            let mut changed = body.clone();
            changed[body.len() / 2] ^= 0x55;
            assert!(in_parts(coding, &changed, 10).as_deref() != Ok(TEXT));
        }
        check(Coding::Gzip, &gzip(&long[1..]), Ok(&long[1..]));
        check(Coding::Gzip, &gzip(&long), Err(413));
        check(Coding::Zstd, &zstd(&long[1..]), Ok(&long[1..]));
        check(Coding::Zstd, &zstd(&long), Err(413));
        check(Coding::Zstd, &zstd_stream(&long), Err(413));
        check(Coding::Identity, TEXT, Ok(TEXT));
        check(Coding::Identity, &long, Err(413));
        check(Coding::Identity, b"", Ok(b""));
    }

    #[test]
    fn windows() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(ZSTD_WINDOW_LOG + 1).unwrap();
        encoder.write_all(TEXT).unwrap();
        assert_eq!(in_parts(Coding::Zstd, &encoder.finish().unwrap(), 1 << 20), Err(400));
    }

    #[test]
    fn headers() {
        for (lines, expected) in [
            (&[][..], Some(Coding::Identity)),
            (&["identity"], Some(Coding::Identity)),
            (&[""], Some(Coding::Identity)),
            (&["gzip"], Some(Coding::Gzip)),
            (&[" X-GZIP "], Some(Coding::Gzip)),
            (&["zstd"], Some(Coding::Zstd)),
            (&["br"], None),
            (&["gzip, zstd"], None),
            (&["gzip", "zstd"], None),
            (&["gzip,gzip"], None),
            (&["\u{e9}"], None),
        ] {
            let value = |line: &&str| (CONTENT_ENCODING, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            let mut headers = HeaderMap::new();
            for (name, value) in lines.iter().map(value) {
                headers.append(name, value);
            }
            assert_eq!(Coding::of(&headers).ok(), expected, "{lines:?}");
        }
    }
}
