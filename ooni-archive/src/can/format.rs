//! [`Format`]: the format of a file, detected from its first bytes.
//!
//! A name is only a hint ([`Expected`]) for ambiguous bytes: postcans of 2020 to 2022 are plain tar archives
//! named `.tar.gz`, HTTP clients decompress gzip while they download, and cans get compressed again. An explicitly
//! named format ([`Expected::Exactly`]) is used as it is; even then, the compression is detected from the bytes.

use super::tar;

/// Maximum number of decompressed bytes to peek at.
pub(super) const PEEK: usize = 8 << 10;

/// The layout of a file's content, whatever its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One measurement or POST body: `.json`, `.post`.
    Document,
    /// A measurement per line: `.jsonl`, `.jsonl.gz`.
    Lines,
    /// The same in a can of the years up to 2020, whose lines have no uid: `.json.lz4`.
    LegacyLines,
    /// A tar archive of POST bodies: `.tar.gz`.
    Postcan,
    /// A tar archive of reports, of the years up to 2020: `.tar.lz4`.
    Reports,
    /// A report of the years up to 2016: `.yaml.lz4`.
    Yaml,
    /// `index.json.gz`: nothing to read.
    Index,
    /// Lines with a uid and a measurement, see [`cases`](super::cases). Never detected.
    Cases,
}

/// How the bytes of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Gzip, of any number of members.
    Gzip,
    /// LZ4, of any number of frames of the current or the legacy format.
    Lz4,
}

/// What is known of a file before its first bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: the bytes decide.
    #[default]
    Unknown,
    /// What the name says: a hint for ambiguous bytes.
    Named(Format, Compression),
    /// What the caller says: only the compression is detected.
    Exactly(Format),
}

/// The result of detecting a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// The first bytes match a format.
    Recognized,
    /// The file is empty, or an archive without members.
    Empty,
    /// The first bytes match no format, or cannot be read.
    Unrecognized,
}

/// File name suffixes and what they say, the longer ones first.
const SUFFIXES: [(&str, Format, Compression); 15] = [
    (".tar.lz4", Format::Reports, Compression::Lz4),
    (".json.lz4", Format::LegacyLines, Compression::Lz4),
    (".jsonl.lz4", Format::Lines, Compression::Lz4),
    (".yaml.lz4", Format::Yaml, Compression::Lz4),
    (".tar.gz", Format::Postcan, Compression::Gzip),
    (".tgz", Format::Postcan, Compression::Gzip),
    (".jsonl.gz", Format::Lines, Compression::Gzip),
    (".json.gz", Format::Document, Compression::Gzip),
    (".post.gz", Format::Document, Compression::Gzip),
    (".yaml.gz", Format::Yaml, Compression::Gzip),
    (".jsonl", Format::Lines, Compression::None),
    (".json", Format::Document, Compression::None),
    (".post", Format::Document, Compression::None),
    (".tar", Format::Postcan, Compression::None),
    (".yaml", Format::Yaml, Compression::None),
];

impl Expected {
    /// Standard input: one measurement per line, unless the bytes match another format.
    pub const STDIN: Expected = Expected::Named(Format::Lines, Compression::None);

    /// What a file's name says.
    pub fn of_name(name: &str) -> Expected {
        if name == "index.json.gz" {
            return Expected::Named(Format::Index, Compression::Gzip);
        }
        let found = SUFFIXES.into_iter().find(|(suffix, ..)| name.ends_with(suffix));
        found.map_or(Expected::Unknown, |(_, format, compression)| Expected::Named(format, compression))
    }

    /// The format, if one is named.
    pub fn format(self) -> Option<Format> {
        match self {
            Expected::Unknown => None,
            Expected::Named(format, _) | Expected::Exactly(format) => Some(format),
        }
    }

    /// The compression according to the name.
    pub(super) fn compression(self) -> Compression {
        match self {
            Expected::Named(_, compression) => compression,
            Expected::Unknown | Expected::Exactly(_) => Compression::None,
        }
    }
}

impl Compression {
    /// The compression according to the first bytes of a file; four are enough. A file of one to three bytes that begins like a
    /// compressed one is taken for a truncated one.
    pub(super) fn of_bytes(bytes: &[u8]) -> Compression {
        const FRAMES: [[u8; 4]; 2] = [LZ4_FRAME, LZ4_LEGACY_FRAME];
        let is = |magic: &[u8]| bytes.starts_with(magic) || (bytes.len() > 1 && magic.starts_with(bytes));
        match bytes {
            [0x1f] | [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x04 | 0x02] => Compression::Lz4,
            _ if FRAMES.iter().any(|magic| is(magic)) || is_skippable(bytes) => Compression::Lz4,
            _ => Compression::None,
        }
    }
}

/// The first bytes of an LZ4 frame.
pub(super) const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// The first bytes of an LZ4 frame of the legacy format, which has no end mark.
pub(super) const LZ4_LEGACY_FRAME: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// Whether a skippable LZ4 frame begins here.
pub(super) fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// What the first decompressed bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The format.
    Is(Format),
    /// The file is empty; this is the format according to the name.
    Empty(Format),
    /// No format was recognized, but according to the name it may be this one.
    Perhaps(Format),
    /// No format was recognized; an error message.
    Unknown(String),
}

/// Detects the format from the first decompressed bytes; `None` if more are needed, which never happens for the whole file
/// (`is_all`) or [`PEEK`] bytes.
pub(super) fn decide(bytes: &[u8], is_all: bool, expected: Expected, found: Compression) -> Option<Verdict> {
    let is_all = is_all || bytes.len() >= PEEK;
    let named = expected.format();
    if bytes.is_empty() {
        return is_all.then(|| Verdict::Empty(named.unwrap_or(Format::Lines)));
    }
    let text = without_bom(bytes);
    let start = text.trim_ascii_start();
    if start.first() == Some(&b'{') {
        return json(start, is_all, expected, found).map(Verdict::Is);
    }
    if [&b"---\n"[..], b"---\r\n", b"--- "].iter().any(|begin| text.starts_with(begin)) {
        return Some(Verdict::Is(Format::Yaml));
    }
    if let Some(block) = bytes.first_chunk() {
        match tar::header(block) {
            Ok(Some(_)) => return archive(bytes, is_all, named, found).map(Verdict::Is),
            // Zeros alone are the end of an archive.
            Ok(None) => {
                let format = named.filter(|named| matches!(named, Format::Postcan | Format::Reports));
                return Some(Verdict::Empty(format.unwrap_or(Format::Postcan)));
            }
            Err(_) => {}
        }
    }
    // Independent of the number of bytes that a read returns.
    is_all.then(|| if is_yaml(text) { Verdict::Is(Format::Yaml) } else { unrecognized(bytes, expected, found) })
}

/// Text without a UTF-8 byte order mark.
pub(super) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// The kind of lines: according to the name, otherwise to the compression. Only cans of the years up to 2020 are LZ4.
fn lines(named: Option<Format>, found: Compression) -> Format {
    match named {
        Some(named @ (Format::Lines | Format::LegacyLines)) => named,
        _ if found == Compression::Lz4 => Format::LegacyLines,
        _ => Format::Lines,
    }
}

/// Lines or one document. The second line decides whether a text is a document of several lines.
fn json(text: &[u8], is_all: bool, expected: Expected, found: Compression) -> Option<Format> {
    let named = expected.format();
    let lines = lines(named, found);
    let default = if named == Some(Format::Document) { Format::Document } else { lines };
    let Some(end) = memchr::memchr(b'\n', text) else { return is_all.then_some(default) };
    let first = first_value(&text[..end]);
    if first == FirstValue::Whole && default != Format::Document {
        return Some(lines);
    }
    match (first, text[end..].trim_ascii_start().first()) {
        (_, None) => is_all.then_some(default),
        (FirstValue::Whole, Some(b'{')) => Some(lines),
        (FirstValue::Open, Some(b'"' | b'}')) => Some(Format::Document),
        _ => Some(default),
    }
}

/// How far the first object extends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstValue {
    /// The object ends in the first line.
    Whole,
    /// The object does not end there, and the line ends between values.
    Open,
    /// The line ends inside a string, which is invalid.
    Cut,
}

fn first_value(line: &[u8]) -> FirstValue {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for &byte in line {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return FirstValue::Whole,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    if is_text { FirstValue::Cut } else { FirstValue::Open }
}

/// Whether the first line of a text is an object and another object follows; `None` if more bytes are needed.
pub(super) fn is_lines(text: &[u8], end_of_first: usize) -> Option<bool> {
    if first_value(&text[..end_of_first]) != FirstValue::Whole {
        return Some(false);
    }
    text[end_of_first..].trim_ascii_start().first().map(|&byte| byte == b'{')
}

/// Decides between POST bodies and reports by the name of the first file.
fn archive(bytes: &[u8], is_all: bool, named: Option<Format>, found: Compression) -> Option<Format> {
    let default = match named {
        Some(named @ (Format::Postcan | Format::Reports)) => named,
        _ if found == Compression::Lz4 => Format::Reports,
        _ => Format::Postcan,
    };
    match tar::first_name(bytes) {
        None => is_all.then_some(default),
        Some(name) if name.ends_with(b".post") => Some(Format::Postcan),
        Some(name) if name.ends_with(b".json") || name.ends_with(b".yaml") => Some(Format::Reports),
        Some(_) => Some(default),
    }
}

/// Whether a report begins here, possibly after comments and stray end marks (formats spec §11.1).
fn is_yaml(text: &[u8]) -> bool {
    let mut lines = text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.find(|line| !line.starts_with(b"#") && *line != b"...");
    first.is_some_and(|line| line == b"---" || line.starts_with(b"--- "))
}

/// The verdict for bytes that match no format.
fn unrecognized(bytes: &[u8], expected: Expected, found: Compression) -> Verdict {
    let foreign = foreign(bytes);
    let is_text = foreign.is_none() && bytes.iter().all(|&byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
    // The first line may be invalid, but others valid.
    let has_line = || bytes.split(|&byte| byte == b'\n').skip(1).any(|line| line.starts_with(b"{"));
    match expected {
        Expected::Named(format @ (Format::Lines | Format::LegacyLines | Format::Document | Format::Yaml), named)
            if foreign.is_none() && (named == found || is_text && has_line()) =>
        {
            Verdict::Perhaps(format)
        }
        Expected::Named(format @ (Format::Postcan | Format::Reports), named)
            if foreign.is_none() && named == found && found != Compression::None =>
        {
            Verdict::Perhaps(format)
        }
        _ => {
            let begin = match foreign {
                Some(name) => format!("the file is {name}"),
                None => format!("the file begins with {}", shown(bytes)),
            };
            Verdict::Unknown(format!(
                "not a format that can be read (JSON, JSON lines, YAML reports or tar; plain, gzip or LZ4): {begin}"
            ))
        }
    }
}

/// The name of a well-known format that is not supported.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 8] = [
        (b"\x28\xb5\x2f\xfd", "zstd data"),
        (b"\xfd7zXZ\0", "xz data"),
        (b"BZh", "bzip2 data"),
        (b"PK\x03\x04", "a zip archive"),
        (b"PAR1", "a Parquet file"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
    ];
    KNOWN.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| name)
}

/// The first bytes, for a message.
fn shown(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(16)];
    match std::str::from_utf8(first) {
        Ok(text) if !text.contains(|letter: char| letter.is_control() && !letter.is_ascii_whitespace()) => {
            format!("{text:?}")
        }
        _ => format!("the bytes {}", first.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED_LINES: Expected = Expected::Named(Format::Lines, Compression::None);
    const NAMED_DOCUMENT: Expected = Expected::Named(Format::Document, Compression::None);
    const NAMED_POSTCAN: Expected = Expected::Named(Format::Postcan, Compression::Gzip);

    fn of(bytes: &[u8], expected: Expected, found: Compression) -> Verdict {
        decide(bytes, true, expected, found).unwrap()
    }

    #[test]
    fn names() {
        let named = |format, compression| Expected::Named(format, compression);
        for (name, expected) in [
            ("2021061400_JO_signal.n1.0.tar.gz", NAMED_POSTCAN),
            ("x.jsonl.gz", named(Format::Lines, Compression::Gzip)),
            ("x.jsonl", NAMED_LINES),
            ("x.json", NAMED_DOCUMENT),
            ("20210208220710.181572_MA_ndt_7888edc7748936bf.post", NAMED_DOCUMENT),
            ("ndt.0.tar.lz4", named(Format::Reports, Compression::Lz4)),
            ("x-probe.yaml.lz4", named(Format::Yaml, Compression::Lz4)),
            ("x.json.lz4", named(Format::LegacyLines, Compression::Lz4)),
            ("index.json.gz", named(Format::Index, Compression::Gzip)),
            ("x.json.gz", named(Format::Document, Compression::Gzip)),
            ("x.tar", named(Format::Postcan, Compression::None)),
            ("x.post.tmp", Expected::Unknown),
            ("README.md", Expected::Unknown),
            ("", Expected::Unknown),
        ] {
            assert_eq!(Expected::of_name(name), expected, "{name}");
        }
    }

    #[test]
    fn compressions() {
        for (bytes, compression) in [
            (&b"\x1f\x8b\x08"[..], Compression::Gzip),
            (b"\x1f", Compression::Gzip),
            (b"\x1fx", Compression::None),
            (&LZ4_FRAME, Compression::Lz4),
            (&LZ4_LEGACY_FRAME, Compression::Lz4),
            (&LZ4_LEGACY_FRAME[..3], Compression::Lz4),
            (b"\x04", Compression::Lz4),
            (b"\x5a\x2a\x4d\x18", Compression::Lz4),
            (b"\x28\xb5\x2f\xfd", Compression::None),
            (b"{", Compression::None),
            (b"", Compression::None),
        ] {
            assert_eq!(Compression::of_bytes(bytes), compression, "{bytes:x?}");
        }
    }

    #[test]
    fn json_in_lines_or_one_document() {
        use Format::{Document, LegacyLines, Lines};
        let pretty = b"{\n  \"a\": 1\n}\n";
        for (text, by_lines, by_document, by_nothing) in [
            (&b"{\"a\":1}\n{\"b\":2}\n"[..], Lines, Lines, Lines),
            (b"{\"a\":1}\n", Lines, Document, Lines),
            (b"{\"a\":1}", Lines, Document, Lines),
            (b"\xef\xbb\xbf{\"a\":1}\n{\"b\":2}", Lines, Lines, Lines),
            (pretty, Document, Document, Document),
            (b"{\"a\": [\n1]}", Lines, Document, Lines),
            (b"{\"a\":\"cut\n{\"b\":2}\n", Lines, Document, Lines),
            (b"{\"a\":\"}\\\"\"}\r\n\r\n{}", Lines, Lines, Lines),
        ] {
            let found = |expected| of(text, expected, Compression::None);
            let shown = String::from_utf8_lossy(text);
            assert_eq!(found(NAMED_LINES), Verdict::Is(by_lines), "{shown}");
            assert_eq!(found(NAMED_DOCUMENT), Verdict::Is(by_document), "{shown}");
            assert_eq!(found(Expected::Unknown), Verdict::Is(by_nothing), "{shown}");
            assert_eq!(found(NAMED_POSTCAN), Verdict::Is(by_nothing), "{shown}");
        }
        assert_eq!(of(b"{}\n{}", Expected::Unknown, Compression::Lz4), Verdict::Is(LegacyLines));
        assert_eq!(of(b"{}\n{}", NAMED_LINES, Compression::Lz4), Verdict::Is(Lines));
        // More bytes are needed.
        for (text, expected) in [
            (&b"{\"a\":1"[..], NAMED_LINES),
            (b"{\"a\":1}\n", NAMED_DOCUMENT),
            (b"{\n", NAMED_LINES),
            (b" ", NAMED_LINES),
            (b"var/", NAMED_POSTCAN),
        ] {
            assert_eq!(decide(text, false, expected, Compression::None), None, "{text:?}");
        }
        assert_eq!(decide(b"{}\n", false, NAMED_LINES, Compression::None), Some(Verdict::Is(Lines)));
    }

    #[test]
    fn archives_by_their_first_file() {
        let archive = |name: &str, long: bool| {
            let mut builder = ::tar::Builder::new(Vec::new());
            let mut header = ::tar::Header::new_gnu();
            header.set_size(2);
            let name = if long { format!("{}/{name}", "d".repeat(120)) } else { name.to_owned() };
            builder.append_data(&mut header, name, &b"{}"[..]).unwrap();
            builder.into_inner().unwrap()
        };
        let lz4 = Expected::Named(Format::Reports, Compression::Lz4);
        for long in [false, true] {
            for expected in [NAMED_POSTCAN, lz4, Expected::Unknown, NAMED_LINES] {
                let found = |name, compression| of(&archive(name, long), expected, compression);
                assert_eq!(found("a/x.post", Compression::None), Verdict::Is(Format::Postcan));
                assert_eq!(found("a/x.json", Compression::Gzip), Verdict::Is(Format::Reports));
                assert_eq!(found("a/x.yaml", Compression::None), Verdict::Is(Format::Reports));
            }
            let notes = archive("notes", long);
            assert_eq!(of(&notes, lz4, Compression::Gzip), Verdict::Is(Format::Reports));
            assert_eq!(of(&notes, Expected::Unknown, Compression::Gzip), Verdict::Is(Format::Postcan));
            assert_eq!(of(&notes, Expected::Unknown, Compression::Lz4), Verdict::Is(Format::Reports));
        }
        assert_eq!(of(&[0; 1024], lz4, Compression::Lz4), Verdict::Empty(Format::Reports));
    }

    #[test]
    fn reports() {
        for text in ["---\na: 1\n...\n", "# made by\n...\n---\na: 1\n", "---\r\na: 1\r\n", "--- x\n"] {
            assert_eq!(of(text.as_bytes(), NAMED_LINES, Compression::None), Verdict::Is(Format::Yaml), "{text}");
        }
    }

    #[test]
    fn what_is_not_recognized() {
        let lines_gz = Expected::Named(Format::Lines, Compression::Gzip);
        // Any text can be lines where the name says so.
        assert_eq!(of(b"x\n", NAMED_LINES, Compression::None), Verdict::Perhaps(Format::Lines));
        assert_eq!(of(b"x\n", lines_gz, Compression::Gzip), Verdict::Perhaps(Format::Lines));
        assert_eq!(of(b"x\n{}\n", lines_gz, Compression::None), Verdict::Perhaps(Format::Lines));
        assert_eq!(of(b"x", NAMED_POSTCAN, Compression::Gzip), Verdict::Perhaps(Format::Postcan));
        let why = |bytes, expected| match of(bytes, expected, Compression::None) {
            Verdict::Unknown(why) => why.split_once(": ").unwrap().1.to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(why(b"<html>", lines_gz), "the file begins with \"<html>\"");
        assert_eq!(why(b"# notes", Expected::Unknown), "the file begins with \"# notes\"");
        assert_eq!(why(b"\0\x01\xff", NAMED_POSTCAN), "the file begins with the bytes 00 01 ff");
        assert_eq!(why(b"PK\x03\x04..", NAMED_LINES), "the file is a zip archive");
        assert_eq!(why(b"\xff\xfe{\0", NAMED_DOCUMENT), "the file is UTF-16 text");
        assert_eq!(of(b"", lines_gz, Compression::Gzip), Verdict::Empty(Format::Lines));
        assert_eq!(of(b"", Expected::Unknown, Compression::None), Verdict::Empty(Format::Lines));
    }
}
