//! Reads directives, anchors, aliases and tags.

use super::error::{YamlError, YamlErrorKind};
use super::scanner::{Directive, Scanner, TokenKind};

impl<'a> Scanner<'a> {
    /// `%YAML`, `%TAG` and others.
    pub(super) fn scan_directive(&mut self) -> Result<Directive, YamlError> {
        self.cursor.take(1);
        let name = self.scan_name("a directive")?;
        if !self.cursor.is_space_or_end(0) {
            return self.error(format!("unexpected {} in the name of a directive", self.cursor.character()));
        }
        let directive = match name {
            b"YAML" => self.scan_version()?,
            b"TAG" => {
                self.cursor.skip_spaces();
                let handle = self.scan_tag_handle()?;
                if self.cursor.peek() != b' ' {
                    return self.error("expected a space after the handle of a tag");
                }
                self.cursor.skip_spaces();
                let prefix = self.scan_tag_uri()?;
                if !self.cursor.is_space_or_end(0) {
                    return self.error(format!("unexpected {} in the prefix of a tag", self.cursor.character()));
                }
                Directive::Tag { handle, prefix }
            }
            _ => {
                self.cursor.skip_line();
                Directive::Other
            }
        };
        self.skip_rest_of_line()?;
        Ok(directive)
    }

    fn scan_version(&mut self) -> Result<Directive, YamlError> {
        self.cursor.skip_spaces();
        let major = self.scan_number()?;
        if self.cursor.peek() != b'.' {
            return self.error("expected a dot in a version");
        }
        self.cursor.take(1);
        self.scan_number()?;
        if !self.cursor.is_space_or_end(0) {
            return self.error(format!("unexpected {} in a version", self.cursor.character()));
        }
        let significant = major.iter().position(|&digit| digit != b'0').unwrap_or(major.len());
        Ok(Directive::Yaml { is_version_1: &major[significant..] == b"1" })
    }

    fn scan_number(&mut self) -> Result<&'a [u8], YamlError> {
        let mut length = 0;
        while self.cursor.byte(length).is_ascii_digit() {
            length += 1;
        }
        match length {
            0 => self.error("expected a digit in a version"),
            // The limit of Python's `int`.
            1..=4300 => Ok(self.cursor.take(length)),
            _ => {
                let message = "a version of more than 4300 digits";
                Err(YamlError::new(YamlErrorKind::Value, self.cursor.mark(), message))
            }
        }
    }

    /// Letters, digits, `-` and `_`.
    fn scan_name(&mut self, what: &str) -> Result<&'a [u8], YamlError> {
        match self.name_length(0) {
            0 => self.error(format!("expected the name of {what}, found {}", self.cursor.character())),
            length => Ok(self.cursor.take(length)),
        }
    }

    fn name_length(&self, from: usize) -> usize {
        let mut length = from;
        while let b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' = self.cursor.byte(length) {
            length += 1;
        }
        length - from
    }

    /// `&name` and `*name`.
    pub(super) fn scan_anchor(&mut self) -> Result<TokenKind, YamlError> {
        let is_alias = self.cursor.peek() == b'*';
        self.cursor.take(1);
        let name = self.scan_name("an anchor or alias")?.to_vec();
        let ends = matches!(self.cursor.peek(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if !ends && !self.cursor.is_blank_or_end(0) {
            return self.error(format!("unexpected {} in the name of an anchor or alias", self.cursor.character()));
        }
        Ok(if is_alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) })
    }

    /// `!`, `!name`, `!handle!name` and `!<uri>`.
    pub(super) fn scan_tag(&mut self) -> Result<TokenKind, YamlError> {
        let tag = if self.cursor.byte(1) == b'<' {
            self.cursor.take(2);
            let uri = self.scan_tag_uri()?;
            if self.cursor.peek() != b'>' {
                return self.error("expected '>' after a tag");
            }
            self.cursor.take(1);
            TokenKind::Tag(None, uri)
        } else if self.cursor.is_blank_or_end(1) {
            self.cursor.take(1);
            TokenKind::Tag(None, b"!".to_vec())
        } else {
            let mut length = 1;
            while !self.cursor.is_space_or_end(length) && self.cursor.byte(length) != b'!' {
                length += 1;
            }
            let handle = match self.cursor.byte(length) {
                b'!' => self.scan_tag_handle()?,
                _ => self.cursor.take(1).to_vec(),
            };
            TokenKind::Tag(Some(handle), self.scan_tag_uri()?)
        };
        match self.cursor.is_space_or_end(0) {
            true => Ok(tag),
            false => self.error(format!("unexpected {} in a tag", self.cursor.character())),
        }
    }

    fn scan_tag_handle(&mut self) -> Result<Vec<u8>, YamlError> {
        if self.cursor.peek() != b'!' {
            return self.error("expected '!' at the start of a tag's handle");
        }
        let mut length = 1;
        if self.cursor.byte(1) != b' ' {
            length += self.name_length(1);
            if self.cursor.byte(length) != b'!' {
                return self.error("expected '!' at the end of a tag's handle");
            }
            length += 1;
        }
        Ok(self.cursor.take(length).to_vec())
    }

    fn scan_tag_uri(&mut self) -> Result<Vec<u8>, YamlError> {
        let mut uri = Vec::new();
        loop {
            let mut length = 0;
            while is_uri(self.cursor.byte(length)) {
                length += 1;
            }
            uri.extend_from_slice(self.cursor.take(length));
            if self.cursor.peek() != b'%' {
                break;
            }
            self.scan_uri_escapes(&mut uri)?;
        }
        if uri.is_empty() {
            return self.error(format!("expected a tag, found {}", self.cursor.character()));
        }
        Ok(uri)
    }

    /// `%41%42`, decoded together as UTF-8.
    fn scan_uri_escapes(&mut self, uri: &mut Vec<u8>) -> Result<(), YamlError> {
        let mut bytes = Vec::new();
        while self.cursor.peek() == b'%' {
            self.cursor.take(1);
            let digit = |at: usize| char::from(self.cursor.byte(at)).to_digit(16);
            let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                return self.error("expected 2 hexadecimal digits in an escape in a tag");
            };
            bytes.push((high << 4 | low) as u8);
            self.cursor.take(2);
        }
        match std::str::from_utf8(&bytes) {
            Ok(_) => uri.append(&mut bytes),
            Err(_) => return self.error("escapes in a tag are not UTF-8"),
        }
        Ok(())
    }
}

fn is_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-;/?:@&=+$,_.!~*'()[]".contains(&byte)
}
