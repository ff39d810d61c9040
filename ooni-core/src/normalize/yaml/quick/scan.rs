//! Reads characters, lines and scalars.

use super::{END, Reader};
use crate::json::push_code_point;
use crate::normalize::yaml::scalars::escape;
use std::borrow::Cow;

/// Why a plain scalar ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At a token of its last line.
    Token,
    /// With its line; the reader is at the first token of a later one.
    Line,
}

/// Whether a text is printable and has no unusual white space: tabs, or line breaks other than `\n`.
pub(super) fn has_usual_characters(text: &[u8]) -> bool {
    // Without early return, so that it is vectorized.
    let usual = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~' | b'\n'));
    if text.chunks(4096).all(usual) {
        return true;
    }
    let is_usual = |c| match c {
        '\n' | ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        _ => matches!(c, '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..),
    };
    simdutf8::basic::from_utf8(text).is_ok_and(|text| text.chars().all(is_usual))
}

impl<'a> Reader<'a> {
    /// The byte at this offset from the current one; NUL, which no text contains, at the end.
    #[inline]
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Whether there is a space, a line break or the end of the text.
    #[inline]
    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\n' | 0)
    }

    /// Whether an entry of a block sequence begins here.
    #[inline]
    pub(super) fn is_entry(&self) -> bool {
        self.byte(0) == b'-' && self.is_blank(1)
    }

    #[inline]
    pub(super) fn skip_spaces(&mut self) {
        while self.byte(0) == b' ' {
            self.at += 1;
        }
    }

    /// The current column. In characters as in bytes, because only ASCII precedes a block collection on its line.
    pub(super) fn here(&self) -> isize {
        (self.at - self.line) as isize
    }

    /// Skips to the first token of this or a later line, with nothing but white space before it.
    pub(super) fn begin_line(&mut self) {
        while self.is_blank(0) && self.at < self.text.len() {
            self.at += 1;
            if self.text[self.at - 1] == b'\n' {
                self.line = self.at;
            }
        }
        self.column = if self.at == self.text.len() || self.is_marker() { END } else { self.here() };
    }

    /// Whether there is a `---` or `...`.
    fn is_marker(&self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at == self.line && (rest.starts_with(b"---") || rest.starts_with(b"...")) && self.is_blank(3)
    }

    /// Skips white space in a flow collection. The next byte.
    pub(super) fn flow_token(&mut self) -> Option<u8> {
        loop {
            match self.byte(0) {
                b' ' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line = self.at;
                    if self.is_marker() {
                        return None;
                    }
                }
                byte => return Some(byte),
            }
        }
    }

    /// Skips a line break, and others and spaces after it. The number of line breaks, unless a document marker follows one.
    fn fold(&mut self) -> Option<usize> {
        let mut breaks = 0;
        loop {
            match self.byte(0) {
                b' ' => self.at += 1,
                b'\n' => {
                    breaks += 1;
                    self.at += 1;
                    self.line = self.at;
                    if self.is_marker() {
                        return None;
                    }
                }
                _ => return Some(breaks),
            }
        }
    }

    /// Unquoted text. Outside flow collections, `indent` is the least column of its other lines.
    pub(super) fn plain(&mut self, indent: Option<isize>) -> Option<(Cow<'a, [u8]>, Stop)> {
        match self.byte(0) {
            0..=b' '
            | b','
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'#'
            | b'&'
            | b'*'
            | b'!'
            | b'|'
            | b'>'
            | b'\''
            | b'"'
            | b'%'
            | b'@'
            | b'`' => return None,
            b'-' if self.is_blank(1) => return None,
            b'?' | b':' if self.is_blank(1) || indent.is_none() => return None,
            _ => {}
        }
        let mut text = Cow::Borrowed(self.plain_line(indent.is_none())?);
        loop {
            if !matches!(self.byte(0), b'\n' | 0) {
                // Only a scalar of one line may be a key.
                let is_one_line = matches!(text, Cow::Borrowed(_));
                return (is_one_line || self.byte(0) != b':').then_some((text, Stop::Token));
            }
            let breaks = match indent {
                None => self.fold()?,
                Some(indent) => {
                    let before = self.at;
                    self.begin_line();
                    if self.column < indent {
                        return Some((text, Stop::Line));
                    }
                    memchr::memchr_iter(b'\n', &self.text[before..self.at]).count()
                }
            };
            match self.byte(0) {
                0 | b'#' => return None,
                b',' | b']' | b'}' if indent.is_none() => return Some((text, Stop::Token)),
                b':' if self.is_blank(1) => return None,
                _ => {}
            }
            let more = self.plain_line(indent.is_none())?;
            let text = text.to_mut();
            push_breaks(breaks, text);
            text.extend_from_slice(more);
        }
    }

    /// Unquoted text up to the end of the line or the token that ends it, without the spaces before that.
    fn plain_line(&mut self, in_flow: bool) -> Option<&'a [u8]> {
        let start = self.at;
        loop {
            let length = self.text[self.at..].iter().position(|&byte| MAY_END_PLAIN[usize::from(byte)]);
            self.at = length.map_or(self.text.len(), |length| self.at + length);
            match self.byte(0) {
                b'\n' | 0 => break,
                b':' if self.is_blank(1) => break,
                b':' if in_flow && matches!(self.byte(1), b',' | b'[' | b']' | b'{' | b'}') => return None,
                b',' | b']' | b'}' if in_flow => break,
                b'?' | b'[' | b'{' if in_flow => return None,
                b'#' if self.at > start && self.text[self.at - 1] == b' ' => return None,
                _ => self.at += 1,
            }
        }
        Some(trim_end(&self.text[start..self.at]))
    }

    /// `'…'` and `"…"`.
    pub(super) fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let is_double = self.byte(0) == b'"';
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let rest = self.text.get(self.at..)?;
            let length = match is_double {
                true => memchr::memchr3(b'"', b'\\', b'\n', rest)?,
                false => memchr::memchr2(b'\'', b'\n', rest)?,
            };
            let run = &rest[..length];
            self.at += length;
            match self.byte(0) {
                b'\n' => {
                    text.extend_from_slice(trim_end(run));
                    push_breaks(self.fold()?, &mut text);
                }
                b'\\' => {
                    text.extend_from_slice(run);
                    self.escape(&mut text)?;
                }
                b'\'' if self.byte(1) == b'\'' => {
                    text.extend_from_slice(run);
                    text.push(b'\'');
                    self.at += 2;
                }
                _ => {
                    self.at += 1;
                    if text.is_empty() {
                        return Some(Cow::Borrowed(run));
                    }
                    text.extend_from_slice(run);
                    return Some(Cow::Owned(text));
                }
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Option<()> {
        if self.byte(1) == b'\n' {
            self.at += 1;
            let breaks = self.fold()?;
            text.resize(text.len() + breaks - 1, b'\n');
            return Some(());
        }
        let (code, digits) = escape(self.byte(1))?;
        self.at += 2;
        let hex = self.text.get(self.at..self.at + digits)?;
        let digit = |code: Option<u32>, &byte: &u8| Some(code? << 4 | char::from(byte).to_digit(16)?);
        let code =
            if digits == 0 { code } else { hex.iter().fold(Some(0), digit).filter(|&code| code <= 0x10_ffff)? };
        self.at += digits;
        push_code_point(code, text);
        Some(())
    }

    /// `|` and the lines below it. `indent` is the column of the collection around it.
    pub(super) fn literal(&mut self, indent: isize) -> Option<Vec<u8>> {
        self.at += 1;
        let chomping = self.byte(0);
        if matches!(chomping, b'+' | b'-') {
            self.at += 1;
        }
        if self.byte(0) != b'\n' {
            return None;
        }
        self.at += 1;
        self.line = self.at;
        self.skip_spaces();
        let column = self.here();
        // Without leading line breaks.
        if matches!(self.byte(0), b'\n' | 0) || column < (indent + 1).max(1) {
            return None;
        }
        let mut text = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..length]);
            self.at += length;
            let mut breaks = 0;
            while self.byte(0) == b'\n' {
                breaks += 1;
                self.at += 1;
                self.line = self.at;
                while self.byte(0) == b' ' && self.here() < column {
                    self.at += 1;
                }
            }
            if self.here() == column && self.at < self.text.len() && breaks > 0 {
                text.resize(text.len() + breaks, b'\n');
                continue;
            }
            match chomping {
                b'-' => {}
                b'+' => text.resize(text.len() + breaks, b'\n'),
                _ => text.resize(text.len() + breaks.min(1), b'\n'),
            }
            self.begin_line();
            return Some(text);
        }
    }
}

/// Bytes that may end a line of plain text, in flow collections or outside.
const MAY_END_PLAIN: [bool; 256] = {
    let mut ends = [false; 256];
    let bytes = b"\n:#,?[]{}";
    let mut at = 0;
    while at < bytes.len() {
        ends[bytes[at] as usize] = true;
        at += 1;
    }
    ends
};

/// Without the spaces at the end.
fn trim_end(text: &[u8]) -> &[u8] {
    let length = text.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    &text[..length]
}

/// One line break is a space; of several, the first one is nothing.
fn push_breaks(breaks: usize, text: &mut Vec<u8>) {
    match breaks {
        0 => {}
        1 => text.push(b' '),
        _ => text.resize(text.len() + breaks - 1, b'\n'),
    }
}
