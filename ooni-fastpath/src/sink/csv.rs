//! [`Csv`]: comma-separated values with a header line.
//!
//! `measurement_uid,outcome,reason,error`, then the other columns of `fastpath` in order, empty where there is no row.
//! Text values are written as plain text, other values as JSON. Rows of `obs_openvpn` and explanations are omitted.

use super::{ScoredEntry, Sink};
use ooni_core::process::Outcome;
use ooni_core::row::schema::fastpath;

/// Comma-separated values.
#[derive(Debug, Default)]
pub struct Csv {
    field: Vec<u8>,
}

impl Sink for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"measurement_uid,outcome,reason,error");
        // The first column is the uid.
        for name in &fastpath::NAMES[1..] {
            out.push(b',');
            out.extend_from_slice(name.as_bytes());
        }
        out.push(b'\n');
    }

    fn write(&mut self, entry: &ScoredEntry<'_>, out: &mut Vec<u8>) {
        quote(entry.uid.unwrap_or_default().as_bytes(), out);
        match entry.outcome {
            Outcome::Stored { row, .. } => {
                out.extend_from_slice(b",stored,,");
                for (_, column) in row.columns().into_iter().skip(1) {
                    self.field.clear();
                    column.write_plain(&mut self.field);
                    out.push(b',');
                    quote(&self.field, out);
                }
            }
            Outcome::Discarded { reason } => {
                out.extend_from_slice(b",discarded,");
                out.extend_from_slice(reason.as_str().as_bytes());
                out.push(b',');
                out.extend_from_slice(&[b','; fastpath::LEN - 1]);
            }
            Outcome::Rejected { error } => {
                out.extend_from_slice(b",rejected,,");
                quote(error.to_string().as_bytes(), out);
                out.extend_from_slice(&[b','; fastpath::LEN - 1]);
            }
        }
        out.push(b'\n');
    }
}

/// Appends a field, in quotes where it needs them (RFC 4180).
fn quote(field: &[u8], out: &mut Vec<u8>) {
    if !field.iter().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) {
        return out.extend_from_slice(field);
    }
    out.push(b'"');
    let mut rest = field;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_are_read_back() {
        let fields = ["", "plain", "a,b", "say \"no\"", "\"", "two\nlines", "\r", "日本", "'"];
        let mut out = Vec::new();
        for field in fields {
            quote(field.as_bytes(), &mut out);
            out.push(b',');
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*out);
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!(record.iter().collect::<Vec<_>>(), [&fields[..], &[""]].concat());
    }
}
