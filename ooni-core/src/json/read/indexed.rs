//! The pass that reads a text by its index, from token to token: see [`index`](super::index).

use super::Limits;
use super::index::{position, spelling};
use super::number::number;
use crate::json::document::{Node, Tag};
use crate::json::scan::Spelling;

/// Why the pass stopped before the end of the text.
enum Stop {
    /// There is something that it cannot read: perhaps an error.
    Unusual,
    /// There are more nodes than fit.
    Full,
}

use Stop::{Full, Unusual};

/// Reads `text`, which has these quotes, into `nodes`, and returns how many nodes there are. `None` if the text has an
/// error, exceeds a limit, is neither an object nor an array, or contains `-Infinity` or a value that JSON cannot represent.
pub(super) fn read(text: &[u8], quotes: &[u32], nodes: &mut Vec<Node>, limits: Limits) -> Option<usize> {
    // In measurements there are fewer nodes than quotes. A text that has only quotes is not allowed as much memory at once.
    let mut room = nodes.len().max(quotes.len().min(text.len() / 16) + 16);
    loop {
        let room_within_limits = room.min(limits.values);
        nodes.resize(room_within_limits.max(nodes.len()), Node::NULL);
        match tokens(text, quotes, &mut nodes[..room_within_limits], limits.depth) {
            Ok(count) => return Some(count),
            Err(Full) if room < limits.values => room *= 2,
            Err(Full | Unusual) => return None,
        }
    }
}

/// Reads the whole text into a part of `nodes`.
///
/// A container that is open keeps in its node what belongs to the container around it: the node of that in `next`, and the
/// number of its elements so far in `len`.
fn tokens(text: &[u8], quotes: &[u32], nodes: &mut [Node], max_depth: usize) -> Result<usize, Stop> {
    let mut at = 0;
    let strings = quotes.as_chunks::<2>().0; // where they begin and end
    let mut string = 0; // the next one
    let mut count = 0; // of nodes
    let mut depth = 0;
    // The innermost container, what it is, and its elements or members so far, with the one that is being read.
    let (mut container, mut is_object, mut elements) = (0, false, 0);

    macro_rules! byte {
        () => {
            *text.get(at).ok_or(Unusual)?
        };
    }
    macro_rules! skip_whitespace {
        () => {
            while matches!(byte!(), b' ' | b'\t' | b'\r' | b'\n') {
                at += 1;
            }
        };
    }
    macro_rules! push {
        ($tag:expr, $spelling:expr, $start:expr, $end:expr) => {{
            let node = nodes.get_mut(count).ok_or(Full)?;
            count += 1;
            let (start, len) = ($start as u32, ($end as u32).wrapping_sub($start as u32));
            *node = Node { start, len, next: count as u32, tag: $tag, spelling: $spelling };
        }};
    }
    // No byte between the last string and `at` is a quote, so the next two of the index are the one at `at` and the end.
    macro_rules! string {
        () => {{
            let [_, end] = *strings.get(string).ok_or(Unusual)?;
            string += 1;
            let start = at + 1;
            at = position(end) as usize;
            push!(Tag::Text, spelling(end), start, at);
            at += 1;
        }};
    }
    macro_rules! key {
        () => {{
            if byte!() != b'"' {
                skip_whitespace!();
                if byte!() != b'"' {
                    return Err(Unusual);
                }
            }
            string!();
            if byte!() != b':' {
                skip_whitespace!();
                if byte!() != b':' {
                    return Err(Unusual);
                }
            }
            at += 1;
        }};
    }
    macro_rules! literal {
        ($word:literal, $tag:expr) => {{
            let end = at + $word.len();
            if text.get(at..end) != Some($word) {
                return Err(Unusual);
            }
            push!($tag, Spelling::PLAIN, at, end);
            at = end;
        }};
    }

    skip_whitespace!();
    if !matches!(byte!(), b'{' | b'[') {
        return Err(Unusual);
    }
    'value: loop {
        match byte!() {
            b'"' => string!(),
            b'-' | b'0'..=b'9' => {
                let (end, tag) = number(text, at).map_err(|_| Unusual)?;
                push!(tag, Spelling::PLAIN, at, end);
                at = end;
            }
            opening @ (b'{' | b'[') => {
                if depth == max_depth {
                    return Err(Unusual);
                }
                depth += 1;
                let node = nodes.get_mut(count).ok_or(Full)?;
                is_object = opening == b'{';
                let tag = if is_object { Tag::Object } else { Tag::Array };
                *node = Node { start: at as u32, len: elements, next: container, tag, spelling: Spelling::PLAIN };
                container = count as u32;
                count += 1;
                at += 1;
                skip_whitespace!();
                if byte!() == (if is_object { b'}' } else { b']' }) {
                    elements = 0;
                } else {
                    elements = 1;
                    if is_object {
                        key!();
                    }
                    continue 'value;
                }
            }
            b't' => literal!(b"true", Tag::True),
            b'f' => literal!(b"false", Tag::False),
            b'n' => literal!(b"null", Tag::Null),
            b'N' => literal!(b"NaN", Tag::Float),
            b'I' => literal!(b"Infinity", Tag::Float),
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue 'value;
            }
            _ => return Err(Unusual),
        }
        // After a value, or before the bracket that closes an empty container.
        loop {
            match byte!() {
                b',' => {
                    at += 1;
                    elements += 1;
                    if is_object {
                        key!();
                    }
                    continue 'value;
                }
                b'}' | b']' if (byte!() == b'}') == is_object => {
                    at += 1;
                    depth -= 1;
                    let node = nodes.get_mut(container as usize).ok_or(Full)?;
                    let around = node.next;
                    (node.len, elements) = (elements, node.len);
                    node.next = count as u32;
                    if depth == 0 {
                        break 'value;
                    }
                    container = around;
                    is_object = nodes.get(container as usize).is_some_and(|node| node.tag == Tag::Object);
                }
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                _ => return Err(Unusual),
            }
        }
    }
    let rest = &text[at..];
    let is_blank = rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    if is_blank { Ok(count) } else { Err(Unusual) }
}
