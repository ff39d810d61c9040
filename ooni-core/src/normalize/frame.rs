//! Splits a stream of bytes into entries, before any of it is parsed as YAML (formats spec §11.1).

/// What a stream starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// An entry of this length in bytes, both markers included.
    Entry(usize),
    /// Bytes to skip: a stray end marker or a comment.
    Skip(usize),
    /// More bytes are needed. At the end of the stream, the last entry is truncated and lost.
    More,
    /// Not a frame: the rest of the stream is ignored.
    Broken,
}

const START: &[u8] = b"---\n";
const END: &[u8] = b"\n...\n";

/// Finds the next frame in the bytes after the last entry.
///
/// `from` is the number of bytes that an earlier call with the result [`Framed::More`] has examined, 0 at first, so that
/// long entries are not searched repeatedly. The result does not depend on it.
pub fn frame(bytes: &[u8], from: usize) -> Framed {
    match bytes {
        [b'-', b'-', b'-', b'\n', ..] => {
            // The line break of the first marker may also precede the last one, and may have been examined earlier.
            let from = from.saturating_sub(END.len() - 1).max(START.len() - 1);
            let rest = bytes.get(from..).unwrap_or_default();
            match memchr::memmem::find(rest, END) {
                Some(at) => Framed::Entry(from + at + END.len()),
                None => Framed::More,
            }
        }
        [b'.', b'.', b'.', b'\n', ..] => Framed::Skip(END.len() - 1),
        _ if bytes.len() < START.len() => Framed::More,
        [b'#', ..] => {
            // The last bytes, fewer than a marker, were not examined.
            let from = from.saturating_sub(START.len() - 1);
            match bytes.get(from..).and_then(|rest| memchr::memchr(b'\n', rest)) {
                Some(at) => Framed::Skip(from + at + 1),
                None => Framed::More,
            }
        }
        _ => Framed::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries of a stream that arrives in pieces, and whether it ends with a broken frame.
    fn entries(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
        let (mut entries, mut held, mut from) = (Vec::new(), Vec::new(), 0);
        for bytes in stream.chunks(piece) {
            held.extend_from_slice(bytes);
            loop {
                let used = match frame(&held, from) {
                    Framed::Entry(length) => {
                        entries.push(held[..length].to_vec());
                        length
                    }
                    Framed::Skip(length) => length,
                    Framed::More => {
                        from = held.len();
                        break;
                    }
                    Framed::Broken => return (entries, true),
                };
                held.drain(..used);
                from = 0;
            }
        }
        (entries, false)
    }

    /// The table of formats spec §11.1, for any pieces.
    #[test]
    fn streams() {
        for (stream, count, broken) in [
            ("---\na: 1\n...\n---\nb: 2\n...\n", 2, false),
            ("...\n---\na: 1\n...\n...\n---\nb: 1\n...\n", 2, false),
            ("# one\n---\na: 1\n...\n#\n# two ---\n---\nb: 1\n...\n", 2, false),
            ("---\na: 1\n...\n\n---\nb: 1\n...\n", 1, true),
            ("---\na: 1\n...", 0, false),
            ("---\na: 1\n", 0, false),
            ("---\n...\n", 1, false),
            ("#c\n---\na: 1\n...\n", 1, false),
            ("", 0, false),
            ("---", 0, false),
            ("#ab", 0, false),
            ("--- x\n...\n", 0, true),
            ("---\r\na: 1\r\n...\r\n", 0, true),
            ("text", 0, true),
            ("\n---\n...\n", 0, true),
            // Only a line of three dots ends an entry; a start marker inside does not.
            ("---\n... \n ...\n....\n---\n..\n...\n", 1, false),
        ] {
            for piece in 1..=stream.len().max(1) {
                let (entries, is_broken) = entries(stream.as_bytes(), piece);
                assert_eq!((entries.len(), is_broken), (count, broken), "{stream:?} by {piece}");
                for entry in entries {
                    assert!(entry.starts_with(START) && entry.ends_with(END));
                }
            }
        }
    }

    #[test]
    fn starts_of_streams() {
        assert_eq!(frame(b"---\na\n...\nx", 0), Framed::Entry(10));
        assert_eq!(frame(b"---\na\n...\nx", 9), Framed::Entry(10));
        assert_eq!(frame(b"...\n---", 0), Framed::Skip(4));
        assert_eq!(frame(b"# a\nb", 0), Framed::Skip(4));
        assert_eq!(frame(b"#\nab", 0), Framed::Skip(2));
        assert_eq!(frame(b"# abc", 5), Framed::More);
        assert_eq!(frame(b"a", 0), Framed::More);
        assert_eq!(frame(b"abcd", 0), Framed::Broken);
        assert_eq!(frame(b"---\n", 1 << 40), Framed::More);
    }
}
