//! Finds the fingerprints that match a page: the one below, or the one in a file.
//!
//! `cargo run --bin match_body -- [FILE]`

#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use ooni_core::fingerprint::{Body, BodyRules, Fingerprints, Scratch};
use std::io::Write;
use std::path::Path;

const LISTS: &str = "ooni-archive/data/fingerprints";

/// The blockpage of providers in Iran.
const PAGE: &str = r#"<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1256"><title>M5-7
</title></head><body><iframe src="http://10.10.34.35:80" style="width: 100%; height: 100%" scrolling="no"
marginwidth="0" marginheight="0" frameborder="0" vspace="0" hspace="0"></iframe></body></html>"#;

fn main() -> Result<()> {
    let page = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(&path).with_context(|| path.display().to_string())?,
        None => PAGE.into(),
    };
    let list = |name: &str| {
        let path = Path::new(LISTS).join(name);
        std::fs::read(&path).with_context(|| path.display().to_string())
    };
    let fingerprints = Fingerprints::from_csv(&list("fingerprints_dns.csv")?, &list("fingerprints_http.csv")?, "")?;

    // As in `Rules::Fixed`; published rows were scored without these repairs.
    let rules = BodyRules { regexp: true, full: true };
    let mut scratch = Scratch::default(); // reused for every body
    let found = fingerprints.find_in_body(Body::Bytes(&page), rules, &mut scratch);

    let mut out = std::io::stdout().lock();
    writeln!(out, "{} of {} HTTP fingerprints match", found.len(), fingerprints.http().len())?;
    for place in found {
        let fingerprint = &fingerprints.http()[place.http_index as usize];
        let confirms = if fingerprint.confirmed_by("IR").is_some() { "confirms" } else { "does not confirm" };
        writeln!(
            out,
            "{} (scope {}) at byte {}: {confirms} blocking in Iran",
            fingerprint.name, fingerprint.scope, place.offset
        )?;
    }
    Ok(())
}
