//! [`Embedded`]: a JSON object with a large text in it, escaped part by part.

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde::Serialize;
use std::convert::Infallible;
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How much of the text is escaped at once, in bytes.
const PART: usize = 64 << 10;

/// The parts of an object whose last member is a text.
pub(super) struct Embedded {
    /// What precedes the text, until it is returned.
    head: Vec<u8>,
    /// What is left of the text.
    text: Bytes,
    is_over: bool,
}

impl Embedded {
    /// Adds a member to an object. Bytes of the text that are not UTF-8 become U+FFFD.
    pub(super) fn new(object: &impl Serialize, name: &str, text: Bytes) -> Embedded {
        // The objects that are serialized here have no errors of their own.
        let mut head = serde_json::to_vec(object).unwrap_or_else(|_| b"{}".to_vec());
        head.pop(); // the closing brace
        if head.len() > 1 {
            head.push(b',');
        }
        head.extend_from_slice(format!("\"{name}\":\"").as_bytes());
        Embedded { head, text, is_over: false }
    }
}

impl Iterator for Embedded {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        let mut out = take(&mut self.head);
        let part = self.text.split_to(boundary(&self.text, PART));
        let escaped = serde_json::to_vec(&String::from_utf8_lossy(&part)).unwrap_or_default();
        out.extend_from_slice(escaped.get(1..escaped.len().saturating_sub(1)).unwrap_or_default());
        if self.text.is_empty() {
            self.is_over = true;
            out.extend_from_slice(b"\"}\n");
        }
        Some(out)
    }
}

/// The largest length up to `most` that does not divide a character.
fn boundary(text: &[u8], most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    // A character has at most three bytes after its first one.
    let is_first = |&at: &usize| text.get(at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000);
    (most.saturating_sub(3)..=most).rev().find(is_first).unwrap_or(most)
}

impl Body for Embedded {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|part| Ok(Frame::data(part.into()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(object: &Value, text: &[u8]) -> (usize, Value) {
        let parts: Vec<_> = Iterator::collect(Embedded::new(object, "text", text.to_vec().into()));
        (parts.len(), serde_json::from_slice(&parts.concat()).unwrap())
    }

    #[test]
    fn a_text_is_one_member() {
        for text in ["", "a", "\"\\\n\0\u{7f}é", "{\"a\": \"b\"}"] {
            assert_eq!(written(&json!({}), text.as_bytes()), (1, json!({"text": text})));
            assert_eq!(written(&json!({"a": 1}), text.as_bytes()), (1, json!({"a": 1, "text": text})));
        }
        assert_eq!(written(&json!({}), b"a\xffb").1, json!({"text": "a\u{fffd}b"}));
    }

    #[test]
    fn characters_are_not_divided() {
        for start in 0..4 {
            let text = "x".repeat(start) + &"é€𝄞".repeat(PART / 4);
            assert_eq!(written(&json!({}), text.as_bytes()), (3, json!({"text": text})));
        }
        let stray = vec![0x80; PART + 10];
        assert_eq!(written(&json!({}), &stray).1["text"].as_str().unwrap().chars().count(), PART + 10);
    }
}
