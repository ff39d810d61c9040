//! The position in a YAML text: offset, line, column, and line breaks.

use super::error::{Mark, YamlError, YamlErrorKind};

/// A position in a text that [`Cursor::new`] has checked. At the end, the byte is NUL, which no text contains.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Number of characters before this position, for the length of simple keys.
    pub(super) index: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl<'a> Cursor<'a> {
    /// The start of a text, all of which must be printable UTF-8.
    pub(super) fn new(text: &'a [u8]) -> Result<Cursor<'a>, YamlError> {
        let cursor = Cursor { text, at: 0, index: 0, line: 0, column: 0 };
        match text.iter().all(|&byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')) {
            true => Ok(cursor),
            false => cursor.check().map(|()| cursor_with_marks(text)),
        }
    }

    /// Rejects any byte or character that the reference's reader rejects.
    fn check(&self) -> Result<(), YamlError> {
        let (text, broken) = match std::str::from_utf8(self.text) {
            Ok(text) => (text, None),
            Err(error) => {
                let (valid, _) = self.text.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), Some(error.valid_up_to()))
            }
        };
        let error = |at: usize, message: String| Err(YamlError::new(YamlErrorKind::Reader, self.mark_at(at), message));
        // The whole text is decoded first.
        if let Some(at) = broken {
            return error(at, "not UTF-8".into());
        }
        match text.char_indices().find(|(_, c)| !is_printable(*c)) {
            Some((at, c)) => error(at, format!("control character U+{:04X}", u32::from(c))),
            None => Ok(()),
        }
    }

    fn mark_at(&self, at: usize) -> Mark {
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before).count();
        Mark { line, column: String::from_utf8_lossy(&before[line_start..]).chars().count() }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { line: self.line, column: self.column }
    }

    /// The current byte.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.byte(0)
    }

    /// The byte at this offset from the current one.
    #[inline]
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The current character, for messages.
    pub(super) fn character(&self) -> String {
        let rest = self.text.get(self.at..self.text.len().min(self.at + 4)).unwrap_or_default();
        match rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) {
            Some(c) => format!("{c:?}"),
            None => "the end of the text".into(),
        }
    }

    /// The next bytes.
    pub(super) fn ahead(&self, length: usize) -> &'a [u8] {
        self.text.get(self.at..self.at + length).unwrap_or_default()
    }

    pub(super) fn starts_with(&self, prefix: &[u8]) -> bool {
        self.text.get(self.at..).is_some_and(|rest| rest.starts_with(prefix))
    }

    /// The length in bytes of the line break at this offset from the current byte; 0 if there is none.
    #[inline]
    pub(super) fn line_break(&self, ahead: usize) -> usize {
        match self.byte(ahead) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.byte(ahead + 1) == b'\n'),
            0xc2 if self.byte(ahead + 1) == 0x85 => 2,
            0xe2 if self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    /// Whether there is a line break or the end of the text.
    #[inline]
    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            0 => true,
            b' '..=b'~' => false,
            _ => self.line_break(ahead) > 0,
        }
    }

    /// Whether there is a line break, the end of the text or a space.
    #[inline]
    pub(super) fn is_space_or_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == b' ' || self.is_break_or_end(ahead)
    }

    /// Whether there is a line break, the end of the text, a space or a tab.
    #[inline]
    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t') || self.is_break_or_end(ahead)
    }

    /// Whether there is a `---` or `...` followed by a blank or the end of the text.
    pub(super) fn is_document_marker(&self) -> bool {
        (self.starts_with(b"---") || self.starts_with(b"...")) && self.is_blank_or_end(3)
    }

    /// Advances by this many bytes, none of which is part of a line break, and returns them.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = self.ahead(length);
        self.at += taken.len();
        let characters = if taken.is_ascii() { taken.len() } else { count(taken) };
        self.index += characters;
        self.column += characters;
        if taken.contains(&0xef) {
            // A byte order mark has no width.
            self.column -= memchr::memmem::find_iter(taken, "\u{feff}".as_bytes()).count();
        }
        taken
    }

    /// Skips spaces.
    pub(super) fn skip_spaces(&mut self) {
        while self.peek() == b' ' {
            self.take(1);
        }
    }

    /// Skips to the end of the line.
    pub(super) fn skip_line(&mut self) {
        let mut length = 0;
        while !self.is_break_or_end(length) {
            length += 1;
        }
        self.take(length);
    }

    /// Skips a line break and returns its normalized form; empty if there is none.
    pub(super) fn take_line_break(&mut self) -> &'static [u8] {
        let length = self.line_break(0);
        let reads = match (length, self.byte(2)) {
            (0, _) => return b"",
            (3, 0xa8) => "\u{2028}".as_bytes(),
            (3, _) => "\u{2029}".as_bytes(),
            _ => b"\n",
        };
        self.index += if self.starts_with(b"\r\n") { 2 } else { 1 };
        self.at += length;
        self.line += 1;
        self.column = 0;
        reads
    }
}

/// A byte order mark at the start is skipped.
fn cursor_with_marks(text: &[u8]) -> Cursor<'_> {
    let mut cursor = Cursor { text, at: 0, index: 0, line: 0, column: 0 };
    if cursor.starts_with("\u{feff}".as_bytes()) {
        cursor.take(3);
    }
    cursor
}

fn count(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
