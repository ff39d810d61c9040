//! The envelope that the collector puts around a measurement.

const ENVELOPE: &[u8] = b"{\"format\":\"json\",\"content\":";
pub(super) const VERIFIED: &[u8] = b",\"is_verified\":\"u\"}";

/// How the collector stores what was sent.
pub(super) enum Stored {
    /// Unchanged.
    Same,
    /// With this spelling.
    As(String),
    /// As the unmodified POST body, because it cannot be parsed.
    AsSent,
}

/// The POST body of a measurement.
pub(super) fn envelope(content: &[u8], stored: &Stored) -> Vec<u8> {
    let (content, end): (&[u8], &[u8]) = match stored {
        Stored::Same => (content, VERIFIED),
        Stored::As(text) => (text.as_bytes(), VERIFIED),
        Stored::AsSent => (content, b"}"),
    };
    [ENVELOPE, content, end].concat()
}

/// The content of a parsable POST body.
pub(super) fn inside(post: &[u8]) -> &[u8] {
    let inside = post.strip_prefix(ENVELOPE).unwrap_or(post);
    inside.strip_suffix(VERIFIED).unwrap_or(inside)
}

/// The content of a POST body that cannot be parsed.
pub(super) fn inside_broken(post: &[u8]) -> &[u8] {
    let inside = post.strip_prefix(ENVELOPE).unwrap_or(post);
    inside.strip_suffix(b"}").unwrap_or(inside)
}
