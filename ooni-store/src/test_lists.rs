//! Test lists: URLs by country and what is on them, as <https://github.com/citizenlab/test-lists> has them in `lists/`.
//!
//! `global.csv` is the list `ZZ`, `it.csv` the list `it`; other names are no lists. The columns `url` and `category_code`
//! are read. An entry whose URL names no host is passed over (operations spec §3.3).

use crate::ListedUrl;
use std::fmt;
use std::fs;
use std::path::Path;

/// What was read of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestLists {
    /// Entries in the order of their URLs, each once.
    pub urls: Vec<ListedUrl>,
    /// Files that were read.
    pub files: usize,
    /// Entries without a URL that can be measured.
    pub passed_over: usize,
}

impl fmt::Display for TestLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files read, passed over for want of a host: {}", self.files, self.passed_over)
    }
}

/// Reads the lists of a folder.
///
/// # Errors
/// A sentence: the folder or a list cannot be read, a column is missing, or there is no entry at all.
pub fn read(folder: &Path) -> Result<TestLists, String> {
    let at = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut lists = TestLists::default();
    for entry in fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if let Some(cc) = list_of(&path) {
            read_list(&path, &cc, &mut lists).map_err(|error| format!("{}: {error}", path.display()))?;
            lists.files += 1;
        }
    }
    if lists.urls.is_empty() {
        return Err(format!("{}: no test list in it: global.csv, it.csv, …", folder.display()));
    }
    lists.urls.sort_unstable();
    lists.urls.dedup();
    Ok(lists)
}

/// The `cc` of the list that a file is.
fn list_of(path: &Path) -> Option<String> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".csv")?;
    match stem {
        "global" => Some("ZZ".to_owned()),
        _ if stem.len() == 2 && stem.bytes().all(|byte| byte.is_ascii_alphabetic()) => Some(stem.to_owned()),
        _ => None,
    }
}

fn read_list(path: &Path, cc: &str, lists: &mut TestLists) -> Result<(), csv::Error> {
    let mut reader = csv::Reader::from_path(path)?;
    let header = reader.headers()?;
    let column = |name: &str| {
        let no_column = || std::io::Error::other(format!("no column {name}")).into();
        header.iter().position(|column| column == name).ok_or_else::<csv::Error, _>(no_column)
    };
    let (url_column, category_column) = (column("url")?, column("category_code")?);
    for record in reader.into_records() {
        let record = record?;
        let url = &record[url_column];
        match host(url) {
            Some(domain) => lists.urls.push(ListedUrl {
                url: url.to_owned(),
                domain: domain.to_owned(),
                cc: cc.to_owned(),
                category_code: record[category_column].to_owned(),
            }),
            None => lists.passed_over += 1,
        }
    }
    Ok(())
}

/// Host name or IPv4 address of a URL that can be measured.
fn host(url: &str) -> Option<&str> {
    if url.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
        return None;
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let place = rest.split(['/', '?']).next()?;
    let host = match place.split_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => place,
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
            assert_eq!(list_of(&Path::new("lists").join(name)).as_deref(), expected, "{name}");
        }
    }
}
