//! What to measure: all of the [`catalog`](super::catalog), or the chosen names.

use anyhow::bail;

/// All lines, in this process.
pub const LINES: &str = "lines";
/// Lines by test and size, in this process.
pub const CELLS: &str = "cells";
/// Only fingerprints.
pub const FINGERPRINTS: &str = "fingerprints";
/// From files to rows in this process.
pub const STAGES: &str = "stages";
/// Other programs.
pub const PEERS: &str = "peers";

/// The names of what to measure: `lines`, `stages/tar.lz4`, `cans/postcans/fastpath score --jobs 1`.
#[derive(Clone, Debug)]
pub struct Choice(Vec<String>);

impl Choice {
    /// All of these names, or those that contain one of these texts.
    ///
    /// # Errors
    /// A text does not occur in any name.
    pub(super) fn among(mut names: Vec<String>, only: &[String]) -> anyhow::Result<Self> {
        if let Some(unknown) = only.iter().find(|text| !names.iter().any(|name| name.contains(text.as_str()))) {
            bail!("no measurement has {unknown:?} in its name; expected a part of one of:\n{}", names.join("\n"));
        }
        names.retain(|name| only.is_empty() || only.iter().any(|text| name.contains(text.as_str())));
        Ok(Self(names))
    }

    /// Whether a measurement whose name begins with this text is selected.
    #[must_use]
    pub fn has(&self, beginning: &str) -> bool {
        self.0.iter().any(|name| name.starts_with(beginning))
    }
}
