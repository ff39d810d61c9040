//! Test lists: URLs by country with their categories, as in `lists/` of <https://github.com/citizenlab/test-lists>.
//!
//! `global.csv` is the list `ZZ`, `it.csv` the list `it`; files with other names are not lists. The header gives the
//! positions of the columns `url` and `category_code`. Rows may have fewer or more fields than the header, as many
//! published lists do. A row without a valid URL (operations spec §3.3) or category is skipped and reported with its
//! line number. A file with too many such rows is refused as a whole; the others are read.

use crate::write::row::ListedUrl;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Maximum skipped rows of a file; a file with more is refused.
pub const MOST_SKIPPED: usize = 100;

/// Maximum bytes of a file. The longest published list has less than half a megabyte.
const LONGEST_FILE: u64 = 64 << 20;

/// Maximum bytes of a category code.
const LONGEST_CATEGORY: usize = 16;

/// A list file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFile {
    /// Its name, such as `it.csv`.
    pub name: String,
    /// The `cc` of its list.
    pub cc: String,
    /// Its content, or the reason why it is refused.
    pub content: Result<ListContent, String>,
}

/// The rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListContent {
    /// Entries in the order of their URLs, each once.
    pub urls: Vec<ListedUrl>,
    /// Skipped rows: the line number, from 1, and the reason.
    pub skipped: Vec<(u64, &'static str)>,
}

impl ListFile {
    /// Reads a list that is not in a folder; `None` if the name is not that of a list.
    pub fn parse(name: &str, content: &[u8]) -> Option<ListFile> {
        let (name, cc) = list_of(Path::new(name))?;
        let content = match content.len() as u64 {
            0..=LONGEST_FILE => parse(content, &cc),
            _ => Err(too_long()),
        };
        Some(ListFile { content, name, cc })
    }
}

fn too_long() -> String {
    format!("longer than {LONGEST_FILE} bytes")
}

/// Reads the lists in a folder, ordered by file name.
///
/// # Errors
/// An error message: the folder cannot be read or contains no list.
pub fn read(folder: &Path) -> Result<Vec<ListFile>, String> {
    let at = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if let Some((name, cc)) = list_of(&path) {
            files.push(ListFile { content: read_list(&path, &cc), name, cc });
        }
    }
    if files.is_empty() {
        return Err(format!("{}: contains no test list (global.csv, it.csv, …)", folder.display()));
    }
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The file name and the `cc` of a list, if the file is one.
fn list_of(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".csv")?;
    let cc = match stem {
        "global" => "ZZ",
        _ if stem.len() == 2 && stem.bytes().all(|byte| byte.is_ascii_alphabetic()) => stem,
        _ => return None,
    };
    Some((name.to_owned(), cc.to_owned()))
}

fn read_list(path: &Path, cc: &str) -> Result<ListContent, String> {
    let message = |error: std::io::Error| error.to_string();
    if fs::metadata(path).map_err(message)?.len() > LONGEST_FILE {
        return Err(too_long());
    }
    parse(&fs::read(path).map_err(message)?, cc)
}

/// Reads the rows of a list.
fn parse(text: &[u8], cc: &str) -> Result<ListContent, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let header = reader.byte_headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        let is_it = |column: &[u8]| column.trim_ascii() == name.as_bytes();
        header.iter().position(is_it).ok_or_else(|| format!("no column {name}"))
    };
    let (url_column, category_column) = (column("url")?, column("category_code")?);
    let (mut urls, mut skipped) = (BTreeSet::new(), Vec::new());
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| error.to_string())? {
        let (line, begin) = record.position().map_or((0, 0), |position| (position.line(), position.byte()));
        let is_last = usize::try_from(reader.position().byte()).is_ok_and(|byte| byte >= text.len());
        if is_last && record.iter().next_back().is_some_and(|field| field.contains(&b'\n')) && is_unclosed(text, begin)
        {
            return Err(format!("line {line}: unterminated quoted field"));
        }
        let field = |column| record.get(column).and_then(|field| std::str::from_utf8(field).ok());
        match entry(field(url_column), field(category_column), cc) {
            Ok(entry) => drop(urls.insert(entry)),
            Err(why) => skipped.push((line, why)),
        }
    }
    match skipped.len() {
        0..=MOST_SKIPPED => Ok(ListContent { urls: urls.into_iter().collect(), skipped }),
        rows => Err(format!("{rows} rows have no valid url and category_code; at most {MOST_SKIPPED} are skipped")),
    }
}

/// Whether the last record, which begins at byte `begin`, ends inside quotes. If so, it includes all rows after the opening
/// quote.
fn is_unclosed(text: &[u8], begin: u64) -> bool {
    let record = usize::try_from(begin).ok().and_then(|begin| text.get(begin..)).unwrap_or_default();
    record.iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

/// The entry of a row, or the reason why it is invalid.
fn entry(url: Option<&str>, category: Option<&str>, cc: &str) -> Result<ListedUrl, &'static str> {
    let url = url.filter(|url| !url.is_empty()).ok_or("missing url")?;
    let domain = host(url).ok_or("url without a host name")?;
    let category = category.map(str::trim).filter(|code| !code.is_empty()).ok_or("missing category_code")?;
    let is_code = category.len() <= LONGEST_CATEGORY
        && category.starts_with(|c: char| c.is_ascii_alphabetic())
        && category.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_code {
        return Err("invalid category_code: expected a code such as NEWS");
    }
    Ok(ListedUrl {
        url: url.to_owned(),
        domain: domain.to_owned(),
        cc: cc.to_owned(),
        category_code: category.to_owned(),
    })
}

/// The host name or IPv4 address of a URL that can be measured.
fn host(url: &str) -> Option<&str> {
    if url.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
        return None;
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let authority = rest.split(['/', '?']).next()?;
    let host = match authority.split_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => authority,
    };
    let is_label = |label: &str| {
        let letters = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.chars().all(letters)
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    (name.contains('.') && name.split('.').all(is_label)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (url, expected) in [
            ("https://www.example.org/a?b", Some("www.example.org")),
            ("http://example.org:8080", Some("example.org")),
            ("example.org", Some("example.org")),
            ("http://93.184.216.34/", Some("93.184.216.34")),
            ("http://example.org./", Some("example.org.")),
            ("http://example.org?x", Some("example.org")),
            ("", None),
            ("http://", None),
            ("http://localhost/", None),
            ("ftp://example.org/", None),
            ("http://a..b/", None),
            ("http://example.org:/", None),
            ("http://example.org:x/", None),
            ("http://me@example.org/", None),
            ("http://example.org/\\", None),
            ("http://example.org/\t", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }

    #[test]
    fn files_that_are_lists() {
        for (name, expected) in
            [("global.csv", Some("ZZ")), ("it.csv", Some("it")), ("00-LEGEND-x.csv", None), ("it.txt", None)]
        {
            let cc = list_of(&Path::new("lists").join(name)).map(|(_, cc)| cc);
            assert_eq!(cc.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn lists_outside_of_a_folder() {
        let list = ListFile::parse("it.csv", b"url,category_code\nhttp://a.org/,NEWS\n").unwrap();
        assert_eq!((&*list.name, &*list.cc, list.content.unwrap().urls.len()), ("it.csv", "it", 1));
        assert!(ListFile::parse("it.csv", b"a page").unwrap().content.is_err());
        assert_eq!(ListFile::parse("README.md", b""), None);
    }

    /// The URLs and categories, and the lines that were skipped.
    fn parsed(text: impl AsRef<[u8]>) -> (Vec<(String, String)>, Vec<u64>) {
        let ListContent { urls, skipped } = parse(text.as_ref(), "it").unwrap();
        let urls = urls.into_iter().map(|entry| (entry.url, entry.category_code)).collect();
        (urls, skipped.into_iter().map(|(line, _)| line).collect())
    }

    #[test]
    fn rows_of_any_number_of_fields() {
        let rows = "url,category_code,category_description,date_added,source,notes\n\
            http://a.org/,NEWS,News,2021-06-14,me,one, two, three\n\
            http://b.org/,HUMR\n\
            http://c.org/\n\
            ,NEWS\n\
            http://d.org/?a,b,NEWS,News\n\n\
            http://e.org/, NEWS ,,,,\n\
            http://f.org/,a word,,,,\n\
            http://localhost/,NEWS,,,,\n";
        let urls =
            [("http://a.org/", "NEWS"), ("http://b.org/", "HUMR"), ("http://d.org/?a", "b"), ("http://e.org/", "NEWS")];
        let expected: Vec<_> = urls.map(|(url, code)| (url.to_owned(), code.to_owned())).into();
        assert_eq!(parsed(rows), (expected, vec![4, 5, 9, 10]));
    }

    #[test]
    fn quotes_byte_order_marks_and_line_endings() {
        let expected = vec![("http://a.org/?x,\"y".to_owned(), "NEWS".to_owned())];
        for text in [
            "url,category_code\n\"http://a.org/?x,\"\"y\",NEWS\n",
            "\u{feff}url,category_code\r\n\"http://a.org/?x,\"\"y\",NEWS\r\n",
            "\u{feff}\"url\",\"category_code\"\r\"http://a.org/?x,\"\"y\",\"NEWS\"",
            "notes, category_code ,url\n\"two\nlines\",NEWS,\"http://a.org/?x,\"\"y\"\n",
        ] {
            assert_eq!(parsed(text), (expected.clone(), Vec::new()), "{text:?}");
        }
        // A quote in the middle of the last field does not start a quoted field.
        assert_eq!(parsed("url,category_code,notes\nhttp://a.org/,NEWS,5\" disk\n").1, Vec::<u64>::new());
        // Invalid UTF-8 matters only in the two columns.
        let (urls, skipped) = parsed(b"url,category_code,notes\nhttp://a.org/,NEWS,\xff\nhttp://\xff.org/,NEWS,\n");
        assert_eq!((urls.len(), skipped), (1, vec![3]));
    }

    #[test]
    fn files_that_are_refused() {
        let bad = |rows: usize| format!("url,category_code\nhttp://a.org/,NEWS\n{}", "x\n".repeat(rows));
        assert_eq!(parsed(bad(100)).1.len(), 100);
        for (text, why) in [
            (bad(101), "101 rows have no valid url and category_code; at most 100 are skipped"),
            ("url,notes\nhttp://a.org/,\n".to_owned(), "no column category_code"),
            (String::new(), "no column url"),
            (
                "url,category_code\nhttp://a.org/,\"NEWS\nhttp://b.org/,NEWS\n".to_owned(),
                "line 2: unterminated quoted field",
            ),
        ] {
            assert_eq!(parse(text.as_bytes(), "it").unwrap_err(), why);
        }
    }
}
