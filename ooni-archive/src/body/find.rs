//! [`Body`], found by its number among those of a file.

use crate::can::{Can, CanName, Expected};
use crate::chunk::{Chunk, Kind, ReadStatus, TARGET};
use crate::limits::Limits;
use std::io::Read;

/// A body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its kind: a line is the measurement itself, a POST body has an envelope around it.
    pub kind: Kind,
    /// Its text, without the line feed of a line.
    pub text: Vec<u8>,
}

/// Reads a file up to measurement `number`, from 0; `None` when it has fewer.
///
/// # Errors
/// What is wrong with the measurement, or with the file before it.
pub(super) fn find(
    expected: Expected,
    bytes: Box<dyn Read + Send>,
    name: &CanName,
    number: u64,
) -> Result<Option<Body>, String> {
    let mut can = Can::open(expected, bytes, name, &Limits::default());
    let mut chunk = Chunk::new(TARGET);
    let mut broken = None;
    loop {
        let filled = can.fill(&mut chunk);
        if chunk.needs_growth() {
            chunk.allow_growth();
            continue;
        }
        for entry in chunk.entries() {
            if entry.kind == Kind::Whole {
                broken = entry.error.as_ref().map(|error| error.message.clone()).or(broken);
            } else if entry.position.index == number {
                if let Some(error) = &entry.error {
                    return Err(error.message.clone());
                }
                let text = chunk.text(entry);
                let text = text.strip_suffix(b"\n").filter(|_| is_line(entry.kind)).unwrap_or(text);
                return Ok(Some(Body { kind: entry.kind, text: text.to_owned() }));
            }
        }
        chunk.clear();
        if filled == ReadStatus::End {
            return broken.map_or(Ok(None), Err);
        }
    }
}

fn is_line(kind: Kind) -> bool {
    matches!(kind, Kind::Line | Kind::LegacyLine | Kind::Case)
}
