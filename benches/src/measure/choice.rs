//! What to measure: everything, or the chosen names.

use anyhow::bail;

use super::commands::Place;
use super::material::KINDS;
use super::{commands, peers};

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
    /// Everything, or the measurements whose names contain one of these texts.
    ///
    /// # Errors
    /// A text does not occur in any name.
    pub fn new(only: &[String], with_commands: bool) -> anyhow::Result<Self> {
        let mut names = all(with_commands);
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

fn all(with_commands: bool) -> Vec<String> {
    let mut names: Vec<String> = [LINES, CELLS, FINGERPRINTS].map(str::to_owned).into();
    names.extend(KINDS.iter().map(|kind| format!("{STAGES}/{}", kind.name)));
    if with_commands {
        for place in [Place::Cans, Place::Big] {
            for kind in KINDS {
                names.extend(commands::names(place, kind).map(|what| format!("{}/{}/{what}", place.name(), kind.name)));
            }
        }
        names.extend(peers::names().map(|name| format!("{PEERS}/{name}")));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(only: &[&str]) -> anyhow::Result<Choice> {
        Choice::new(&only.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), true)
    }

    #[test]
    fn everything_or_selected_names() {
        let everything = choice(&[]).unwrap();
        assert!(
            [LINES, "stages/yaml.lz4", "cans/postcans/", "big/tar.lz4/", "peers/jq"].iter().all(|n| everything.has(n))
        );
        let some = choice(&["postcans/fastpath score", "lines"]).unwrap();
        assert!(some.has(LINES) && some.has("cans/postcans/") && some.has("big/postcans/"));
        assert!(!some.has("cans/tar.lz4") && !some.has(PEERS) && !some.has("cans/postcans/fastpath rerun"));
        let error = choice(&["lines", "postcan5"]).unwrap_err().to_string();
        assert!(error.contains("postcan5") && error.contains("\nstages/postcans\n"), "{error}");
        assert!(!Choice::new(&[], false).unwrap().has("cans"));
    }
}
