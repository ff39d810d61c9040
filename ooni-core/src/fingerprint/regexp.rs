//! Body patterns of type `regexp`, with the semantics of Python's `re`.
//!
//! Nearly all of them are pieces of text separated by `.` and `.*`. These are matched line by line with substring searches,
//! without a regular expression engine. A text that occurs in every match, the trigger, selects the bodies to search.

use super::rarity;
use memchr::memmem;
use std::cmp::Reverse;

const REPLACEMENT: char = '\u{fffd}';

/// A compiled expression.
#[derive(Clone, Debug)]
pub(super) struct BodyRegex {
    kind: Matcher,
    pub(super) trigger: Trigger,
}

/// What a text must contain for the expression to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// This text.
    Text(String),
    /// U+FFFD, or bytes that are replaced by it.
    Replacement,
    /// Nothing in particular.
    None,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// Pieces in this order on one line, with any text between them. There is at least one, and all except the last start
    /// with a literal; the last may be empty.
    Line(Vec<Piece>),
    Engine(regex_lite::Regex),
}

/// Literals with exactly one character between each pair; the first is not empty unless it is the only one.
type Piece = Vec<String>;

impl BodyRegex {
    pub(super) fn new(pattern: &str) -> Result<Self, regex_lite::Error> {
        if let Some(pieces) = line_pieces(pattern) {
            let literals = pieces.iter().flatten();
            let trigger = best_trigger(literals.flat_map(|literal| literal.split(REPLACEMENT)));
            let trigger = trigger.map_or(Trigger::Replacement, Trigger::Text);
            return Ok(Self { kind: Matcher::Line(pieces), trigger });
        }
        let engine = regex_lite::Regex::new(&escape_braces(pattern))?;
        let trigger = required_text(pattern).map_or(Trigger::None, Trigger::Text);
        Ok(Self { kind: Matcher::Engine(engine), trigger })
    }

    /// Start of the leftmost match.
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        match &self.kind {
            Matcher::Line(pieces) => find_on_line(pieces, text, 0).map(|(start, _)| start),
            Matcher::Engine(engine) => engine.find(text).map(|found| found.start()),
        }
    }

    /// Starts of all non-overlapping matches.
    pub(super) fn find_all(&self, text: &str) -> Vec<usize> {
        match &self.kind {
            Matcher::Line(pieces) => {
                let mut starts = Vec::new();
                let mut from = 0;
                while let Some((start, next)) = find_on_line(pieces, text, from) {
                    starts.push(start);
                    from = next;
                }
                starts
            }
            Matcher::Engine(engine) => engine.find_iter(text).map(|found| found.start()).collect(),
        }
    }
}

/// The leftmost match from `from` on: its start, and where the next search starts.
fn find_on_line(pieces: &[Piece], text: &str, mut from: usize) -> Option<(usize, usize)> {
    let (first, others) = pieces.split_first()?;
    loop {
        // Only a line with the first literal can match; other lines are skipped.
        let at = from + memmem::find(text.as_bytes().get(from..)?, first.first()?.as_bytes())?;
        let end = memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |length| at + length);
        if let Some((start, mut next)) = find_piece(first, &text[..end], at) {
            // `.*` matches any text on the line, so the first occurrence of each piece suffices.
            let complete = others.iter().all(|piece| {
                let found = find_piece(piece, &text[..end], next);
                next = found.map_or(next, |(_, after)| after);
                found.is_some()
            });
            if complete {
                // `.*` is greedy: there is no other match on this line.
                return Some((start, if others.is_empty() { next } else { end }));
            }
        }
        from = end;
    }
}

/// The first occurrence of a piece in `text[from..]`, which has no line end: start and end.
fn find_piece(piece: &Piece, text: &str, mut from: usize) -> Option<(usize, usize)> {
    let (first, others) = piece.split_first()?;
    if first.is_empty() {
        return Some((from, from));
    }
    loop {
        let start = from + memmem::find(text.as_bytes().get(from..)?, first.as_bytes())?;
        let mut rest = &text[start + first.len()..];
        let complete = others.iter().all(|literal| {
            let mut chars = rest.chars();
            let after = chars.next().and_then(|_| chars.as_str().strip_prefix(literal.as_str()));
            rest = after.unwrap_or(rest);
            after.is_some()
        });
        if complete {
            return Some((start, text.len() - rest.len()));
        }
        from = start + first.chars().next().map_or(1, char::len_utf8);
    }
}

/// The pieces of an expression made of literals, `.` and `.*` only.
fn line_pieces(pattern: &str) -> Option<Vec<Piece>> {
    let mut pieces = vec![vec![String::new()]];
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(".*") {
            if after.starts_with(['?', '+', '*']) || is_quantifier(after) {
                return None;
            }
            pieces.push(vec![String::new()]);
            rest = after;
            continue;
        }
        let (literal, after) = match c {
            '\\' => {
                let escaped = rest[1..].chars().next().filter(char::is_ascii_punctuation)?;
                (Some(escaped), &rest[2..])
            }
            '.' => (None, &rest[1..]),
            '^' | '$' | '*' | '+' | '?' | '|' | '(' | ')' | '[' | '\n' => return None,
            '{' if is_quantifier(rest) => return None,
            _ => (Some(c), &rest[c.len_utf8()..]),
        };
        if after.starts_with(['*', '+', '?']) || is_quantifier(after) {
            return None;
        }
        let piece = pieces.last_mut()?;
        match literal {
            Some(literal) => piece.last_mut()?.push(literal),
            None => piece.push(String::new()),
        }
        rest = after;
    }
    let last = pieces.len() - 1;
    let usable =
        pieces.iter().enumerate().all(|(at, piece)| !piece[0].is_empty() || (at == last && at > 0 && piece.len() == 1));
    usable.then_some(pieces)
}

/// Whether `text` starts with `{m}`, `{m,}`, `{,n}` or `{m,n}`; any other brace is a literal in Python.
fn is_quantifier(text: &str) -> bool {
    let Some((inside, _)) = text.strip_prefix('{').and_then(|after| after.split_once('}')) else {
        return false;
    };
    let (least, most) = inside.split_once(',').unwrap_or((inside, "0"));
    let number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    number(least) && number(most) && inside.bytes().any(|byte| byte.is_ascii_digit())
}

/// Escapes literal braces for the engine.
fn escape_braces(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 4);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            let pair = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
            out.push_str(&rest[..pair]);
            rest = &rest[pair..];
            continue;
        }
        if c == '{' && !is_quantifier(rest) {
            out.push('\\');
        }
        out.push(c);
        // Python supports `{,n}`, the engine does not.
        if c == '{' && is_quantifier(rest) && rest.starts_with("{,") {
            out.push('0');
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// A text that every match contains, from outside groups and classes; `None` if there may be none.
fn required_text(pattern: &str) -> Option<String> {
    if pattern.contains('|') || pattern.contains("(?") || pattern.contains('[') {
        return None;
    }
    let mut runs = vec![String::new()];
    let mut depth = 0usize;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let mut literal = None;
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            '\\' => {
                let escaped = rest.chars().next()?;
                rest = &rest[escaped.len_utf8()..];
                if escaped.is_ascii_punctuation() {
                    literal = Some(escaped);
                } else if !"dDsSwWbBnrt".contains(escaped) {
                    return None;
                }
            }
            '{' if is_quantifier(&format!("{{{rest}")) => rest = rest.split_once('}')?.1,
            '.' | '^' | '$' | '*' | '+' | '?' | REPLACEMENT => {}
            _ => literal = Some(c),
        }
        let repeated = rest.starts_with(['*', '+', '?']) || is_quantifier(rest);
        match literal.filter(|_| depth == 0 && !repeated) {
            Some(literal) => runs.last_mut()?.push(literal),
            None => runs.push(String::new()),
        }
    }
    best_trigger(runs.iter().map(String::as_str))
}

/// The least frequent of the texts that are long enough for a fast search, or else the longest text.
fn best_trigger<'t>(texts: impl Iterator<Item = &'t str>) -> Option<String> {
    let best = texts.min_by_key(|text| (rarity::cost_of_text(text.as_bytes()), Reverse(text.len())));
    best.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// How bytes that are not UTF-8 are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lossy {
    /// Text of a JSON string: a lone surrogate is one U+FFFD.
    Text,
    /// Any bytes: like Python's `errors="replace"`, which does not accept surrogates.
    Bytes,
}

/// `bytes` as text, in `buffer` if they are not UTF-8.
pub(super) fn text_of<'t>(bytes: &'t [u8], mode: Lossy, buffer: &'t mut String) -> &'t str {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text;
    }
    buffer.clear();
    read_lossy(bytes, mode, buffer);
    buffer
}

/// Appends `bytes` to `out`, with U+FFFD for invalid UTF-8.
fn read_lossy(bytes: &[u8], mode: Lossy, out: &mut String) {
    let mut rest = bytes;
    loop {
        let (valid, bad) = valid_prefix(rest, mode);
        out.push_str(valid);
        if bad == 0 {
            return;
        }
        out.push(REPLACEMENT);
        rest = &rest[valid.len() + bad..];
    }
}

/// The offset in `bytes` of the text at `offset` in the lossy result.
pub(super) fn lossy_origin(bytes: &[u8], mode: Lossy, offset: usize) -> usize {
    let mut left = offset;
    let mut at = 0;
    loop {
        let (valid, bad) = valid_prefix(&bytes[at..], mode);
        if left <= valid.len() || bad == 0 {
            return at + left.min(valid.len());
        }
        left = left.saturating_sub(valid.len() + REPLACEMENT.len_utf8());
        at += valid.len() + bad;
    }
}

/// The text before the first invalid byte and the number of invalid bytes there, 0 at the end.
fn valid_prefix(bytes: &[u8], mode: Lossy) -> (&str, usize) {
    let Some(chunk) = bytes.utf8_chunks().next() else {
        return ("", 0);
    };
    let bad = match (mode, &bytes[chunk.valid().len()..]) {
        (Lossy::Text, [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..]) => 3,
        _ => chunk.invalid().len(),
    };
    (chunk.valid(), bad)
}
