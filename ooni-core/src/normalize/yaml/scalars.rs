//! Scans scalars: block, quoted and plain.

use super::error::{YamlError, YamlErrorKind};
use super::scanner::Scanner;
use crate::json::push_code_point;

impl Scanner<'_> {
    /// `|` and `>`.
    pub(super) fn scan_block_scalar(&mut self) -> Result<Vec<u8>, YamlError> {
        let folded = self.cursor.peek() == b'>';
        self.cursor.take(1);
        let (chomping, increment) = self.scan_block_header()?;
        self.skip_rest_of_line()?;
        let least = (self.indent + 1).max(1);
        let mut breaks = Vec::new();
        let indent = match increment {
            None => {
                let deepest = self.scan_block_indentation(&mut breaks);
                least.max(deepest)
            }
            Some(increment) => {
                let indent = least + increment - 1;
                self.scan_block_breaks(indent, &mut breaks);
                indent
            }
        };
        let mut text = Vec::new();
        let mut line_break: &[u8] = b"";
        let mut inside = self.cursor.column as i64 == indent && self.cursor.peek() != 0;
        while inside {
            text.append(&mut breaks);
            let indented_more = matches!(self.cursor.peek(), b' ' | b'\t');
            let mut length = 0;
            while !self.cursor.is_break_or_end(length) {
                length += 1;
            }
            text.extend_from_slice(self.cursor.take(length));
            line_break = self.cursor.take_line_break();
            self.scan_block_breaks(indent, &mut breaks);
            inside = self.cursor.column as i64 == indent && self.cursor.peek() != 0;
            if inside {
                let folds =
                    folded && line_break == b"\n" && !indented_more && !matches!(self.cursor.peek(), b' ' | b'\t');
                match folds {
                    true if breaks.is_empty() => text.push(b' '),
                    true => {}
                    false => text.extend_from_slice(line_break),
                }
            }
        }
        if chomping != Some(false) {
            text.extend_from_slice(line_break);
        }
        if chomping == Some(true) {
            text.append(&mut breaks);
        }
        Ok(text)
    }

    /// Whether to keep the final line breaks, and the indentation of the text.
    fn scan_block_header(&mut self) -> Result<(Option<bool>, Option<i64>), YamlError> {
        let mut chomping = self.scan_chomping();
        let mut increment = None;
        if let digit @ b'0'..=b'9' = self.cursor.peek() {
            if digit == b'0' {
                return self.error("invalid indentation 0");
            }
            increment = Some(i64::from(digit - b'0'));
            self.cursor.take(1);
            if chomping.is_none() {
                chomping = self.scan_chomping();
            }
        }
        match self.cursor.is_space_or_end(0) {
            true => Ok((chomping, increment)),
            false => self.error(format!("unexpected {} in the header of a block scalar", self.cursor.character())),
        }
    }

    fn scan_chomping(&mut self) -> Option<bool> {
        let keep = match self.cursor.peek() {
            b'+' => true,
            b'-' => false,
            _ => return None,
        };
        self.cursor.take(1);
        Some(keep)
    }

    /// Only a comment may follow.
    pub(super) fn skip_rest_of_line(&mut self) -> Result<(), YamlError> {
        self.cursor.skip_spaces();
        if self.cursor.peek() == b'#' {
            self.cursor.skip_line();
        }
        if !self.cursor.is_break_or_end(0) {
            return self.error(format!("expected the end of the line, found {}", self.cursor.character()));
        }
        self.cursor.take_line_break();
        Ok(())
    }

    fn scan_block_indentation(&mut self, breaks: &mut Vec<u8>) -> i64 {
        let mut deepest = 0;
        loop {
            if self.cursor.peek() == b' ' {
                self.cursor.take(1);
                deepest = deepest.max(self.cursor.column as i64);
                continue;
            }
            match self.cursor.take_line_break() {
                b"" => return deepest,
                line_break => breaks.extend_from_slice(line_break),
            }
        }
    }

    fn scan_block_breaks(&mut self, indent: i64, breaks: &mut Vec<u8>) {
        loop {
            while (self.cursor.column as i64) < indent && self.cursor.peek() == b' ' {
                self.cursor.take(1);
            }
            match self.cursor.take_line_break() {
                b"" => return,
                line_break => breaks.extend_from_slice(line_break),
            }
        }
    }

    /// `'…'` and `"…"`.
    pub(super) fn scan_flow_scalar(&mut self) -> Result<Vec<u8>, YamlError> {
        let quote = self.cursor.peek();
        let mut text = Vec::new();
        self.cursor.take(1);
        self.scan_quoted(quote, &mut text)?;
        while self.cursor.peek() != quote {
            self.scan_quoted_spaces(&mut text)?;
            self.scan_quoted(quote, &mut text)?;
        }
        self.cursor.take(1);
        Ok(text)
    }

    /// Up to a space or the closing quote.
    fn scan_quoted(&mut self, quote: u8, text: &mut Vec<u8>) -> Result<(), YamlError> {
        let double = quote == b'"';
        loop {
            let mut length = 0;
            while !matches!(self.cursor.byte(length), b'\'' | b'"' | b'\\') && !self.cursor.is_blank_or_end(length) {
                length += 1;
            }
            text.extend_from_slice(self.cursor.take(length));
            match self.cursor.peek() {
                b'\'' if !double && self.cursor.byte(1) == b'\'' => {
                    text.push(b'\'');
                    self.cursor.take(2);
                }
                b'\\' if double => self.scan_escape(text)?,
                byte @ (b'\'' | b'"' | b'\\') if byte != quote => {
                    text.push(byte);
                    self.cursor.take(1);
                }
                _ => return Ok(()),
            }
        }
    }

    fn scan_escape(&mut self, text: &mut Vec<u8>) -> Result<(), YamlError> {
        self.cursor.take(1);
        if self.cursor.line_break(0) > 0 {
            self.cursor.take_line_break();
            return self.scan_quoted_breaks(text);
        }
        let Some((code, digits)) = escape(self.cursor.peek()) else {
            return self.error(format!("unknown escape \\{}", self.cursor.character()));
        };
        self.cursor.take(1);
        if digits == 0 {
            push_code_point(code, text);
            return Ok(());
        }
        let hex = self.cursor.ahead(digits);
        let code = std::str::from_utf8(hex).ok().filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match code.filter(|hex| hex.len() == digits).and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
            Some(code @ 0..=0x10_ffff) => push_code_point(code, text),
            // In Python, an error of `chr`, not of the scanner.
            Some(code) => {
                let message = format!("U+{code:X} is not a character");
                return Err(YamlError::new(YamlErrorKind::Value, self.cursor.mark(), message));
            }
            None => return self.error(format!("expected {digits} hexadecimal digits in an escape")),
        }
        self.cursor.take(digits);
        Ok(())
    }

    fn scan_quoted_spaces(&mut self, text: &mut Vec<u8>) -> Result<(), YamlError> {
        let mut length = 0;
        while matches!(self.cursor.byte(length), b' ' | b'\t') {
            length += 1;
        }
        let spaces = self.cursor.take(length);
        if self.cursor.peek() == 0 {
            return self.error("unterminated quoted text");
        }
        if self.cursor.line_break(0) == 0 {
            text.extend_from_slice(spaces);
            return Ok(());
        }
        let line_break = self.cursor.take_line_break();
        if line_break != b"\n" {
            text.extend_from_slice(line_break);
        }
        let before = text.len();
        self.scan_quoted_breaks(text)?;
        if line_break == b"\n" && text.len() == before {
            text.push(b' ');
        }
        Ok(())
    }

    fn scan_quoted_breaks(&mut self, text: &mut Vec<u8>) -> Result<(), YamlError> {
        loop {
            if self.cursor.is_document_marker() {
                return self.error("unterminated quoted text before a document marker");
            }
            while matches!(self.cursor.peek(), b' ' | b'\t') {
                self.cursor.take(1);
            }
            match self.cursor.take_line_break() {
                b"" => return Ok(()),
                line_break => text.extend_from_slice(line_break),
            }
        }
    }

    /// Unquoted text.
    pub(super) fn scan_plain(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut spaces = Vec::new();
        let indent = self.indent + 1;
        while self.cursor.peek() != b'#' {
            let length = self.plain_length();
            if length == 0 {
                break;
            }
            self.allow_simple_key = false;
            text.append(&mut spaces);
            text.extend_from_slice(self.cursor.take(length));
            self.scan_plain_spaces(&mut spaces);
            if spaces.is_empty() || !self.in_flow() && (self.cursor.column as i64) < indent {
                break;
            }
        }
        text
    }

    /// Bytes up to the next space or the end of the plain scalar.
    fn plain_length(&self) -> usize {
        let in_flow = self.in_flow();
        let mut length = 0;
        loop {
            let ends = match self.cursor.byte(length) {
                b':' => {
                    self.cursor.is_blank_or_end(length + 1)
                        || in_flow && matches!(self.cursor.byte(length + 1), b',' | b'[' | b']' | b'{' | b'}')
                }
                b',' | b'?' | b'[' | b']' | b'{' | b'}' => in_flow,
                _ => self.cursor.is_blank_or_end(length),
            };
            if ends {
                return length;
            }
            length += 1;
        }
    }

    /// Spaces and line breaks, which are part of the scalar if more of it follows. Empty where it ends.
    fn scan_plain_spaces(&mut self, spaces: &mut Vec<u8>) {
        let mut length = 0;
        while self.cursor.byte(length) == b' ' {
            length += 1;
        }
        let blank = self.cursor.take(length);
        if self.cursor.line_break(0) == 0 {
            spaces.extend_from_slice(blank);
            return;
        }
        let line_break = self.cursor.take_line_break();
        self.allow_simple_key = true;
        if self.cursor.is_document_marker() {
            return;
        }
        let mut breaks = Vec::new();
        loop {
            if self.cursor.peek() == b' ' {
                self.cursor.take(1);
                continue;
            }
            match self.cursor.take_line_break() {
                b"" => break,
                line_break => breaks.extend_from_slice(line_break),
            }
            if self.cursor.is_document_marker() {
                return;
            }
        }
        match line_break {
            b"\n" if breaks.is_empty() => spaces.push(b' '),
            b"\n" => {}
            other => spaces.extend_from_slice(other),
        }
        spaces.append(&mut breaks);
    }
}

/// What the character after a backslash stands for: a code point, or the number of hexadecimal digits that follow.
pub(super) fn escape(byte: u8) -> Option<(u32, usize)> {
    Some(match byte {
        b'0' => (0, 0),
        b'a' => (7, 0),
        b'b' => (8, 0),
        b't' | b'\t' => (9, 0),
        b'n' => (10, 0),
        b'v' => (11, 0),
        b'f' => (12, 0),
        b'r' => (13, 0),
        b'e' => (0x1b, 0),
        b' ' | b'"' | b'\\' | b'/' => (u32::from(byte), 0),
        b'N' => (0x85, 0),
        b'_' => (0xa0, 0),
        b'L' => (0x2028, 0),
        b'P' => (0x2029, 0),
        b'x' => (0, 2),
        b'u' => (0, 4),
        b'U' => (0, 8),
        _ => return None,
    })
}
