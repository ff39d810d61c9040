//! [`Framing`]: where the requests of an HTTP/1.1 connection begin and end.
//!
//! A request with both `Content-Length` and `Transfer-Encoding` may be an attempt at request smuggling: a proxy and the
//! server may not agree where it ends. hyper drops `Content-Length` from such a request before a service sees it, so the
//! bytes that it reads are followed here.

/// How much of a line is kept. Names of headers are shorter.
const MAX_LINE: usize = 256;

/// Follows the bytes of a connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: Place,
    /// The start of the current line.
    line: Vec<u8>,
    head: Head,
    /// Heads that were complete.
    requests: u64,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    /// In a body, or in a chunk with its line end, of which this many bytes are left.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
    /// What hyper refuses.
    Lost,
    Http2,
}

#[derive(Debug, Default)]
struct Head {
    /// Whether there was a request line.
    started: bool,
    /// The value of `Content-Length`, if there is one. `Err` if it is not a number.
    length: Option<Result<u64, ()>>,
    /// Whether there is `Transfer-Encoding`.
    encoded: bool,
}

impl Framing {
    /// Follows bytes that were read. Returns the number of a request, counted from 1, whose framing is ambiguous: nothing
    /// is followed after it.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Option<u64> {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Lost | Place::Http2 => return None,
                Place::Body(left) | Place::Chunk(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= skipped as u64;
                    bytes = &bytes[skipped..];
                    if *left == 0 {
                        let chunked = matches!(self.place, Place::Chunk(_));
                        self.place = if chunked { Place::ChunkSize } else { Place::Head };
                    }
                }
                Place::Head | Place::ChunkSize | Place::Trailers => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let part = &bytes[..end.unwrap_or(bytes.len())];
                    self.line.extend_from_slice(&part[..part.len().min(MAX_LINE - self.line.len())]);
                    bytes = &bytes[end? + 1..];
                    let ambiguous = self.end_of_line();
                    self.line.clear();
                    if ambiguous {
                        self.place = Place::Lost;
                        return Some(self.requests);
                    }
                }
            }
        }
        None
    }

    /// Whether a part of a head was read, but not all of it.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.place, Place::Head) && (self.head.started || !self.line.is_empty())
    }

    /// Whether the connection speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.place, Place::Http2)
    }

    fn end_of_line(&mut self) -> bool {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        match self.place {
            Place::Head if line.is_empty() => return self.head.started && self.end_of_head(),
            Place::Head if self.head.started => self.head.header(line),
            Place::Head if line == b"PRI * HTTP/2.0" => self.place = Place::Http2,
            Place::Head => self.head.started = true,
            Place::ChunkSize => self.place = chunk(line),
            Place::Trailers if line.is_empty() => self.place = Place::Head,
            _ => {}
        }
        false
    }

    fn end_of_head(&mut self) -> bool {
        self.requests += 1;
        let head = std::mem::take(&mut self.head);
        match (head.length, head.encoded) {
            (Some(_), true) | (Some(Err(())), false) => return true,
            (None, true) => self.place = Place::ChunkSize,
            (Some(Ok(length @ 1..)), false) => self.place = Place::Body(length),
            (None | Some(Ok(0)), false) => {}
        }
        false
    }
}

impl Head {
    fn header(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encoded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.length = Some(number(value, 10).ok_or(()));
        }
    }
}

/// What follows the line with the size of a chunk.
fn chunk(line: &[u8]) -> Place {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    match number(size, 16) {
        Some(0) => Place::Trailers,
        Some(size) => size.checked_add(2).map_or(Place::Lost, Place::Chunk),
        None => Place::Lost,
    }
}

fn number(digits: &[u8], base: u32) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, base).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";

    /// The ambiguous request, whether the bytes come at once or one by one.
    fn ambiguous(text: &str) -> Option<u64> {
        let at_once = Framing::default().feed(text.as_bytes());
        let mut framing = Framing::default();
        assert_eq!(text.as_bytes().chunks(1).find_map(|byte| framing.feed(byte)), at_once, "{text:?}");
        at_once
    }

    #[test]
    fn both_headers() {
        assert_eq!(ambiguous(BOTH), Some(1));
        assert_eq!(ambiguous("POST / HTTP/1.1\ncontent-LENGTH:3\nX: y\ntransfer-encoding:\tx\n\n"), Some(1));
        assert_eq!(ambiguous("POST / HTTP/1.1\r\nContent-Length: \r\n\r\n"), Some(1));
        assert_eq!(ambiguous("POST / HTTP/1.1\r\nX: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n"), None);
    }

    #[test]
    fn requests_before_it() {
        for before in [
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 12\r\nContent-Length: 12\r\n\r\nA: b\r\n\r\nC: d",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n\r\n\r\n\r\nA \r\n0123456789\r\n0\r\nA: b\r\n\r\n",
        ] {
            assert_eq!(ambiguous(&format!("{before}{BOTH}")), Some(2), "{before:?}");
            assert_eq!(ambiguous(before), None, "{before:?}");
        }
        let long = format!("GET /{} HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(1000), "b".repeat(1000));
        assert_eq!(ambiguous(&format!("{long}{BOTH}")), Some(2));
    }

    #[test]
    fn bodies_are_not_requests() {
        let post = |body: &str| format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(ambiguous(&post(BOTH)), None);
        assert_eq!(ambiguous(&format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{BOTH}")), None);
    }

    #[test]
    fn partial_heads() {
        let mut framing = Framing::default();
        for (bytes, partial) in [("\r\n", false), ("G", true), ("ET / HTTP/1.1\r\n", true), ("\r\n", false)] {
            assert_eq!(framing.feed(bytes.as_bytes()), None);
            assert_eq!(framing.is_in_head(), partial, "{bytes:?}");
        }
    }
}
