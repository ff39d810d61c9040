//! The names of everything that can be measured.

use super::choice::{CELLS, Choice, FINGERPRINTS, LINES, PEERS, STAGES};
use super::commands::{self, Place};
use super::material::KINDS;
use super::peers;

/// Chooses everything, or the measurements whose names contain one of these texts.
///
/// # Errors
/// A text does not occur in any name.
pub fn choose(only: &[String], with_commands: bool) -> anyhow::Result<Choice> {
    Choice::among(all(with_commands), only)
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
        choose(&only.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), true)
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
        assert!(!choose(&[], false).unwrap().has("cans"));
    }
}
