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

/// The POST bodies of a corpus that can be parsed.
///
/// # Errors
/// The templates cannot be read.
pub fn of_corpus(n: u64) -> Result<Vec<Body>> {
    let mut bodies = Vec::new();
    for made in generate(&Options { n, seed: 5, ..Options::default() })? {
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
