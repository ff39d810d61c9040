//! Bodies of realistic size.

use anyhow::Result;
use ooni_testkit::corpus::{Options, generate};

/// A submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The report that it belongs to.
    pub report_id: String,
    /// The POST body without its last brace: each submission appends a number, so that none is a repeat.
    pub start: Vec<u8>,
}

impl Body {
    /// Writes the request that submits it with a number.
    pub fn request(&self, number: u64, request: &mut Vec<u8>) {
        let (report_id, length) = (&self.report_id, self.length(number));
        request.clear();
        request.extend_from_slice(
            format!("POST /report/{report_id} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
        );
        request.extend_from_slice(&self.start);
        request.extend_from_slice(last(number).as_bytes());
    }

    /// Its length with a number.
    pub fn length(&self, number: u64) -> usize {
        self.start.len() + last(number).len()
    }
}

fn last(number: u64) -> String {
    format!(",\"number\":{number}}}")
}

/// The POST bodies of a corpus that can be parsed.
///
/// # Errors
/// The templates cannot be read.
pub fn of_corpus(n: u64) -> Result<Vec<Body>> {
    with(&Options { n, seed: 5, ..Options::default() })
}

/// As [`of_corpus`], for measurements that begin in the hour of a Unix time.
///
/// # Errors
/// As [`of_corpus`].
pub fn of_hour(n: u64, time: u64) -> Result<Vec<Body>> {
    let first_hour = (time - time % 3600) * 1_000_000;
    with(&Options { n, seed: 6, first_hour, per_hour: n, ..Options::default() })
}

fn with(options: &Options) -> Result<Vec<Body>> {
    let mut bodies = Vec::new();
    for made in generate(options)? {
        let Some(start) = made.post.strip_suffix(b"}").filter(|_| made.readable) else { continue };
        // Odd numbers are JSON for the collector only.
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(&made.post) else { continue };
        let Some(report_id) = value["content"]["report_id"].as_str() else { continue };
        if report_id.split('_').count() == 6 {
            bodies.push(Body { report_id: report_id.to_owned(), start: start.to_vec() });
        }
    }
    Ok(bodies)
}
