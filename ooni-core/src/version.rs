//! PEP 440 versions, and their comparison with final releases.
//!
//! Only the `signal` rules use this (scoring spec §1.4). Two versions are never compared with each
//! other, so the numbers of pre, post, dev and local parts are checked but not kept.

use std::cmp::Ordering;

use crate::number::MAX_DIGITS;
use crate::python_text::is_space;
use crate::text::chars;

/// A version that follows PEP 440.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Whether there is an epoch other than 0.
    later_epoch: bool,
    /// Decimal text without leading zeros (0 is empty), trailing zeros of the release removed.
    release: Vec<Box<[u8]>>,
    /// How this compares with the final version of the same release.
    suffix: Ordering,
}

impl Version {
    /// Reads a version; `None` when Python's `packaging.version.Version` raises.
    pub fn parse(text: &[u8]) -> Option<Version> {
        let mut reader = VersionParser { rest: strip(text) };
        reader.word(&["v"]);
        let mut release = vec![reader.number()?];
        let mut later_epoch = false;
        if reader.byte(b"!") {
            later_epoch = release.pop().is_some_and(|epoch| !epoch.is_empty());
            release.push(reader.number()?);
        }
        while let [b'.', b'0'..=b'9', ..] = reader.rest {
            reader.byte(b".");
            release.push(reader.number()?);
        }
        let pre = reader.part(&["alpha", "a", "beta", "b", "preview", "pre", "c", "rc"])?;
        let post = reader.short_post()? || reader.part(&["post", "rev", "r"])?;
        let dev = reader.part(&["dev"])?;
        let local = reader.local()?;
        if !reader.rest.is_empty() {
            return None;
        }
        while release.last().is_some_and(|number| number.is_empty()) {
            release.pop();
        }
        let suffix = match (pre, post, dev, local) {
            (true, ..) => Ordering::Less,
            (_, true, ..) => Ordering::Greater,
            (_, _, true, _) => Ordering::Less,
            (.., true) => Ordering::Greater,
            _ => Ordering::Equal,
        };
        Some(Version { later_epoch, release, suffix })
    }

    /// Compares with the final version that has these release numbers and no epoch.
    pub fn cmp_release(&self, release: &[u64]) -> Ordering {
        if self.later_epoch {
            return Ordering::Greater;
        }
        let used = release.iter().rposition(|&number| number != 0).map_or(0, |last| last + 1);
        let theirs = release.iter().take(used).map(|number| number.to_string());
        let ours = self.release.iter().map(|number| (number.len(), number.to_vec()));
        ours.cmp(theirs.map(|text| {
            let digits = if text == "0" { Vec::new() } else { text.into_bytes() };
            (digits.len(), digits)
        }))
        .then(self.suffix)
    }
}

/// Removes white space, as the `\s*` of Python's pattern at both ends.
fn strip(text: &[u8]) -> &[u8] {
    let length = |code: u32| char::from_u32(code).map_or(0, char::len_utf8);
    let before: usize = chars(text).take_while(|&code| is_space(code)).map(length).sum();
    let text = text.get(before..).unwrap_or_default();
    // Versions are ASCII, so the first space ends the version, and only spaces may follow.
    let end = chars(text).take_while(|&code| code < 0x80 && !is_space(code)).count();
    let (version, after) = text.split_at(end);
    if chars(after).all(is_space) { version } else { text }
}

/// Parses a version from the front. As in the pattern of `packaging`, no step needs backtracking.
struct VersionParser<'t> {
    rest: &'t [u8],
}

/// Leading zeros removed.
type Digits = Box<[u8]>;

impl<'t> VersionParser<'t> {
    fn byte(&mut self, wanted: &[u8]) -> bool {
        match self.rest.split_first() {
            Some((byte, rest)) if wanted.contains(byte) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn separator(&mut self) {
        self.byte(b"-_.");
    }

    /// The first of `words` that comes next, ignoring case.
    fn word(&mut self, words: &[&str]) -> bool {
        for word in words {
            if let Some((head, rest)) = self.rest.split_at_checked(word.len())
                && head.eq_ignore_ascii_case(word.as_bytes())
            {
                self.rest = rest;
                return true;
            }
        }
        false
    }

    fn run(&mut self, belongs: impl Fn(&u8) -> bool) -> &'t [u8] {
        let count = self.rest.iter().take_while(|byte| belongs(byte)).count();
        let (run, rest) = self.rest.split_at(count);
        self.rest = rest;
        run
    }

    /// A number; `None` if there is none or it is too long for Python to convert.
    fn number(&mut self) -> Option<Digits> {
        let digits = self.run(u8::is_ascii_digit);
        if digits.is_empty() || digits.len() > MAX_DIGITS {
            return None;
        }
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        Some(digits.get(zeros..).unwrap_or_default().into())
    }

    /// `[s label [s[N]]]`: whether it is present; `None` if its number is too long.
    fn part(&mut self, labels: &[&str]) -> Option<bool> {
        let before = self.rest;
        self.separator();
        if !self.word(labels) {
            self.rest = before;
            return Some(false);
        }
        self.separator();
        if self.rest.first().is_some_and(u8::is_ascii_digit) {
            self.number()?;
        }
        Some(true)
    }

    /// `[-N]`
    fn short_post(&mut self) -> Option<bool> {
        match self.rest {
            [b'-', b'0'..=b'9', ..] => {
                self.byte(b"-");
                self.number().map(|_| true)
            }
            _ => Some(false),
        }
    }

    /// `[+local]`
    fn local(&mut self) -> Option<bool> {
        if !self.byte(b"+") {
            return Some(false);
        }
        loop {
            let group = self.run(u8::is_ascii_alphanumeric);
            let too_long = group.len() > MAX_DIGITS && group.iter().all(u8::is_ascii_digit);
            if group.is_empty() || too_long {
                return None;
            }
            if !self.byte(b"-_.") {
                return Some(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::{Equal, Greater, Less};

    fn order(text: &str, release: &[u64]) -> Option<Ordering> {
        Version::parse(text.as_bytes()).map(|version| version.cmp_release(release))
    }

    #[test]
    fn table_of_the_spec() {
        for (text, expected) in [
            ("3.17.2-alpha", Less),
            ("3.17.2-beta", Less),
            ("3.17.2rc1", Less),
            ("3.17.2-dev", Less),
            ("3.17.2", Equal),
            ("v3.17.2", Equal),
            ("3.17.2.0", Equal),
            ("3.17.2+abc", Greater),
            ("3.17.2-1", Greater),
            ("3.17.2.post1", Greater),
            ("1!0.1", Greater),
            ("3.17.0-alpha", Less),
            ("0.10.4-dev", Less),
        ] {
            assert_eq!(order(text, &[3, 17, 2]), Some(expected), "{text}");
        }
        for text in
            ["", "x", "3.17.x", "3.17.2-dirty", "3.17.2-5-gabcdef", "3..1", "3.17.2_1", "3.17.2 beta", "3.17.2."]
        {
            assert_eq!(order(text, &[3, 17, 2]), None, "{text}");
        }
    }

    #[test]
    fn unusual_forms() {
        for (text, expected) in [
            ("\u{A0}\tV3.17.2\n", Equal),
            ("0!03.017.0002", Equal),
            ("00!3.17.2", Equal),
            ("3.17.2.ALPHA-1", Less),
            ("3.17.2a.", Less),
            ("3.17.2a--1", Less),
            ("3.17.2-preview_2.post-dev", Less),
            ("3.17.2c+local", Less),
            ("3.17.2r", Greater),
            ("3.17.2-REV3.dev4", Greater),
            ("3.17.2.dev+x", Less),
            ("3.17.2+1.a-B_2", Greater),
            ("99999999999999999999999", Greater),
            ("3.17.99999999999999999999999", Greater),
            ("3.9", Less),
            ("3.100", Greater),
            ("3.17.2.0.1", Greater),
            ("3.17.1.9", Less),
            ("3.17", Less),
        ] {
            assert_eq!(order(text, &[3, 17, 2]), Some(expected), "{text}");
        }
        for text in [
            "v",
            "!1",
            "1!",
            "1!2!3",
            "1+",
            "1+.",
            "1+a.",
            "1+a..b",
            "1+é",
            "1a1b1",
            "1.dev1a",
            "1.post1-2",
            "v v1",
            "vv1",
            "1 1",
            "1\0",
            "é",
            "1é",
            "1٣",
            "1.poſt1",
            "1.",
            ".1",
            "-1",
        ] {
            assert_eq!(order(text, &[1]), None, "{text}");
        }
    }

    #[test]
    fn releases_ignore_trailing_zeros() {
        assert_eq!(order("0", &[]), Some(Equal));
        assert_eq!(order("0.0.0", &[0]), Some(Equal));
        assert_eq!(order("1", &[1, 0, 0]), Some(Equal));
        assert_eq!(order("1.0.1", &[1, 0]), Some(Greater));
        assert_eq!(order("1.0", &[1, 0, 1]), Some(Less));
        assert_eq!(order("0.2.3", &[0, 2, 3]), Some(Equal));
        assert_eq!(order("18446744073709551615", &[u64::MAX]), Some(Equal));
        assert_eq!(order("18446744073709551616", &[u64::MAX]), Some(Greater));
    }

    #[test]
    fn digit_limit() {
        let long = "1".repeat(4301);
        assert!(order(&long[1..], &[1]).is_some());
        for text in [
            long.clone(),
            format!("{long}!1"),
            format!("1.{long}"),
            format!("1a{long}"),
            format!("1-{long}"),
            format!("1.post{long}"),
            format!("1.dev{long}"),
            format!("1+{long}"),
        ] {
            assert_eq!(order(&text, &[1]), None);
        }
        assert_eq!(order(&format!("1+a{long}"), &[1]), Some(Greater));
    }
}
