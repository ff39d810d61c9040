//! Parses the lists: CSV as published, or JSON with the same columns. Errors name the line.

use super::entry::{Fingerprint, PatternType, Scope, prepare_codes, prepare_countries};
use super::lists::Fingerprints;
use serde::Deserialize;

/// Why a list was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{list} fingerprints, line {line}: {message}")]
pub struct LoadError {
    /// `dns` or `http`.
    pub list: &'static str,
    /// From 1.
    pub line: u64,
    /// What is wrong there.
    pub message: String,
}

/// A row and the line it starts on.
type Rows = Vec<(u64, Fingerprint)>;
type ReadRows = fn(&'static str, &[u8]) -> Result<Rows, LoadError>;

impl Fingerprints {
    /// Reads both lists as CSV with a header line; unknown columns are ignored.
    ///
    /// # Errors
    /// A row is invalid; the error names its line.
    pub fn from_csv(dns: &[u8], http: &[u8], list_sha256: impl Into<String>) -> Result<Self, LoadError> {
        load(read_csv, dns, http, list_sha256.into())
    }

    /// Reads both lists as JSON arrays of objects with the names of the columns as keys; `expected_countries` is
    /// comma-separated text or an array.
    ///
    /// # Errors
    /// A row is invalid; the error names its line.
    pub fn from_json(dns: &[u8], http: &[u8], list_sha256: impl Into<String>) -> Result<Self, LoadError> {
        load(read_json, dns, http, list_sha256.into())
    }
}

fn load(read: ReadRows, dns: &[u8], http: &[u8], list_sha256: String) -> Result<Fingerprints, LoadError> {
    let (_, dns): (Vec<u64>, Vec<Fingerprint>) = read("dns", dns)?.into_iter().unzip();
    let (lines, http): (Vec<u64>, Vec<Fingerprint>) = read("http", http)?.into_iter().unzip();
    Fingerprints::new(dns, http, list_sha256).map_err(|error| LoadError {
        list: "http",
        line: lines.get(error.index).copied().unwrap_or(0),
        message: error.message,
    })
}

const COLUMNS: [&str; 8] = [
    "name",
    "scope",
    "other_names",
    "location_found",
    "pattern_type",
    "pattern",
    "confidence_no_fp",
    "expected_countries",
];

fn read_csv(list: &'static str, bytes: &[u8]) -> Result<Rows, LoadError> {
    let error = |line: u64, message: String| LoadError { list, line, message };
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let csv_error = |e: csv::Error| {
        let line = e.position().map_or(1, csv::Position::line);
        error(line, e.to_string())
    };
    let header = reader.headers().map_err(csv_error)?;
    let mut positions = [0; COLUMNS.len()];
    for (position, column) in positions.iter_mut().zip(COLUMNS) {
        *position =
            header.iter().position(|name| name == column).ok_or_else(|| error(1, format!("no column {column:?}")))?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        let line = record.position().map_or(0, csv::Position::line);
        let [name, scope, other_names, location_found, pattern_type, pattern, confidence, countries] =
            positions.map(|position| record.get(position).unwrap_or_default());
        let bad = |column: &str, why: &dyn std::fmt::Display| error(line, format!("{column}: {why}"));
        let fingerprint = Fingerprint {
            name: name.to_owned(),
            scope: scope.parse().map_err(|e| bad("scope", &e))?,
            other_names: other_names.to_owned(),
            location_found: location_found.to_owned(),
            pattern_type: pattern_type.parse().map_err(|e| bad("pattern_type", &e))?,
            pattern: pattern.to_owned(),
            confidence_no_fp: confidence
                .parse()
                .map_err(|e| bad("confidence_no_fp", &format!("{confidence:?}: {e}")))?,
            expected_countries: prepare_countries(countries),
        };
        rows.push((line, fingerprint));
    }
    Ok(rows)
}

#[derive(Deserialize)]
struct JsonRow {
    name: String,
    scope: Scope,
    #[serde(default)]
    other_names: String,
    location_found: String,
    pattern_type: PatternType,
    pattern: String,
    confidence_no_fp: u8,
    expected_countries: Countries,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Countries {
    Text(String),
    Codes(Vec<String>),
}

fn read_json(list: &'static str, bytes: &[u8]) -> Result<Rows, LoadError> {
    let line_at = |at: usize| 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
    let error = |at: usize, message: &str| LoadError { list, line: line_at(at), message: message.to_owned() };
    let mut rows = Vec::new();
    let mut at = skip_space(bytes, 0);
    if bytes.get(at) != Some(&b'[') {
        return Err(error(at, "expected an array"));
    }
    at = skip_space(bytes, at + 1);
    let mut line = line_at(at);
    let mut counted = at;
    // Rows are parsed one by one, so that errors name the line.
    while bytes.get(at) != Some(&b']') {
        line += memchr::memchr_iter(b'\n', &bytes[counted..at]).count() as u64;
        counted = at;
        let mut row = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter::<JsonRow>();
        match row.next() {
            Some(Ok(read)) => rows.push((line, read.into_fingerprint())),
            Some(Err(e)) => {
                let line = line + (e.line() as u64).saturating_sub(1);
                return Err(LoadError { list, line, message: e.to_string() });
            }
            None => return Err(error(at, "the text ends inside the array")),
        }
        at = skip_space(bytes, at + row.byte_offset());
        match bytes.get(at) {
            Some(b',') => at = skip_space(bytes, at + 1),
            Some(b']') => {}
            _ => return Err(error(at, "expected `,` or `]` after a row")),
        }
    }
    let end = skip_space(bytes, at + 1);
    if end < bytes.len() {
        return Err(error(end, "unexpected text after the array"));
    }
    Ok(rows)
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

impl JsonRow {
    fn into_fingerprint(self) -> Fingerprint {
        Fingerprint {
            name: self.name,
            scope: self.scope,
            other_names: self.other_names,
            location_found: self.location_found,
            pattern_type: self.pattern_type,
            pattern: self.pattern,
            confidence_no_fp: self.confidence_no_fp,
            expected_countries: match self.expected_countries {
                Countries::Text(text) => prepare_countries(&text),
                Countries::Codes(codes) => prepare_codes(codes.iter().map(String::as_str)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries,source\n";

    fn csv(http: &str) -> Result<Fingerprints, LoadError> {
        Fingerprints::from_csv(HEADER.as_bytes(), format!("{HEADER}{http}").as_bytes(), "sha")
    }

    fn csv_error(http: &str) -> (u64, String) {
        let error = csv(http).unwrap_err();
        assert_eq!(error.list, "http");
        (error.line, error.message)
    }

    #[test]
    fn csv_rows() {
        let list =
            csv("a,nat,,body,contains,\"x\ny\",5,\"it,ZZ,FR\",s\nb,prov,o,header.server,prefix,p,0,,\n").unwrap();
        assert_eq!(list.http().len(), 2);
        assert_eq!(list.list_sha256(), "sha");
        let first = &list.http()[0];
        assert_eq!((first.pattern.as_str(), first.confidence_no_fp), ("x\ny", 5));
        assert_eq!(first.expected_countries, ["FR", "IT"]);
        assert_eq!((list.http()[1].scope, list.http()[1].other_names.as_str()), (Scope::Prov, "o"));
    }

    #[test]
    fn errors_in_csv_name_the_line() {
        let good = "a,nat,,body,contains,\"x\ny\",5,,\n";
        let (line, message) = csv_error(&format!("{good}b,city,,body,full,p,5,,\n"));
        assert_eq!(line, 4);
        assert!(message.contains("scope") && message.contains("city"), "{message}");
        let (line, message) = csv_error(&format!("{good}b,nat,,body,glob,p,5,,\n"));
        assert!(line == 4 && message.contains("pattern_type"), "{message}");
        let (line, message) = csv_error(&format!("{good}b,nat,,body,full,p,300,,\n"));
        assert!(line == 4 && message.contains("confidence_no_fp"), "{message}");
        let (line, message) = csv_error(&format!("{good}b,nat,,body,regexp,a(,5,,\n"));
        assert!(line == 4 && message.contains("regular expression"), "{message}");
        assert_eq!(csv_error(&format!("{good}b,nat\n")).0, 4);
        let bytes = [HEADER.as_bytes(), b"a,nat,,body,full,p,5,,\nb,nat,,body,full,\xff,5,,\n"].concat();
        assert_eq!(Fingerprints::from_csv(&bytes, HEADER.as_bytes(), "").unwrap_err().line, 3);
        let missing = Fingerprints::from_csv(b"name,scope\n", b"", "").unwrap_err();
        assert_eq!((missing.list, missing.line), ("dns", 1));
        assert!(missing.message.contains("other_names"));
    }

    fn json(http: &str) -> Result<Fingerprints, LoadError> {
        Fingerprints::from_json(b"[]", http.as_bytes(), "")
    }

    #[test]
    fn json_rows() {
        let row = |countries: &str| {
            format!(
                r#"{{"name":"a","scope":"isp","location_found":"body","pattern_type":"contains","pattern":"p","confidence_no_fp":3,"expected_countries":{countries},"notes":null}}"#
            )
        };
        let text = format!(" [\n{} ,\n{}]\n", row(r#"["fr","ZZ","DE","FR"]"#), row(r#""fr,de""#));
        let list = json(&text).unwrap();
        assert_eq!(list.http()[0], list.http()[1]);
        assert_eq!(list.http()[0].expected_countries, ["DE", "FR"]);
        let line = |text: &str| json(text).unwrap_err().line;
        assert_eq!(line(&format!("[\n{},\n{}]", row("[]"), row("3"))), 3);
        assert_eq!(line(&format!("[\n{},\n\n{}]", row("[]"), row("[]").replace("contains", "glob"))), 4);
        assert_eq!(
            line(&format!("[\n{},\n{}]", row("[]"), row("[]").replace("contains", "regexp").replace("\"p\"", "\"(\""))),
            3
        );
        assert_eq!(line(&format!("[\n{}\n", row("[]"))), 3);
        assert_eq!(line("[\n{\"name\":\"a\"}]"), 2);
        assert_eq!(line("[] []"), 1);
        assert_eq!(line("{}"), 1);
        assert_eq!(line(""), 1);
        assert!(json("[ ]").is_ok());
    }
}
