//! [`Body`], found by its number among those of a file.

use super::memory::{BodyMemory, BodySpace, SMALL_BODY};
use crate::can::{Can, CanName, Expected};
use crate::chunk::{Chunk, Kind, ReadStatus, TARGET};
use crate::limits::Limits;
use bytes::Bytes;
use std::io::Read;

/// A body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its kind: a line is the measurement itself, a POST body has an envelope around it.
    pub kind: Kind,
    /// Its text, without the line feed of a line.
    pub text: Bytes,
}

/// Why a body was not found.
#[derive(Debug)]
pub(super) enum FindError {
    /// What is wrong with the measurement, or with the file before it.
    Invalid(String),
    /// Other bodies use the memory.
    NoMemory,
}

/// Reads a file up to measurement `number`, from 0; `None` when it has fewer.
pub(super) fn find(
    expected: Expected,
    bytes: Box<dyn Read + Send>,
    name: &CanName,
    number: u64,
    memory: Option<&BodyMemory>,
) -> Result<Option<Body>, FindError> {
    let limits = Limits::default();
    let mut can = Can::open(expected, bytes, name, &limits);
    let mut chunk = Chunk::new(TARGET);
    let mut broken = None;
    // Space for an entry whose size is not known yet.
    let mut space = None;
    loop {
        let filled = can.fill(&mut chunk);
        if chunk.needs_growth() {
            space = take(memory, limits.measurement_size)?;
            chunk.allow_growth();
            continue;
        }
        let mut found = None;
        for (place, entry) in chunk.entries().iter().enumerate() {
            if entry.kind == Kind::Whole {
                broken = entry.error.as_ref().map(|error| error.message.clone()).or(broken);
            } else if entry.position.index == number {
                if let Some(error) = &entry.error {
                    return Err(FindError::Invalid(error.message.clone()));
                }
                found = Some((place, entry.kind));
                break;
            }
        }
        if let Some((place, kind)) = found {
            return body(chunk, place, kind, space, memory).map(Some);
        }
        chunk.clear();
        space = None;
        if filled == ReadStatus::End {
            return broken.map_or(Ok(None), |why| Err(FindError::Invalid(why)));
        }
    }
}

fn body(
    mut chunk: Chunk,
    place: usize,
    kind: Kind,
    space: Option<BodySpace>,
    memory: Option<&BodyMemory>,
) -> Result<Body, FindError> {
    let mut text = chunk.take_text(place, SMALL_BODY);
    if is_line(kind) {
        text.pop_if(|byte| *byte == b'\n');
    }
    let space = match space {
        Some(mut space) => {
            space.shrink(text.len());
            Some(space)
        }
        None => take(memory, text.len())?,
    };
    let text = match space {
        Some(space) => space.hold(text),
        None => text.into(),
    };
    Ok(Body { kind, text })
}

/// Memory for a body, if it is bounded.
fn take(memory: Option<&BodyMemory>, bytes: usize) -> Result<Option<BodySpace>, FindError> {
    memory.map(|memory| memory.take(bytes).ok_or(FindError::NoMemory)).transpose()
}

fn is_line(kind: Kind) -> bool {
    matches!(kind, Kind::Line | Kind::LegacyLine | Kind::Case)
}
