//! [`Picker`]: reads records whose places are known, in any order.

use super::error::Error;
use super::log::Log;
use super::record::{Place, Record};
use super::scan::{HEADERS, Scanner, Step, Whole};
use super::segment::{Mark, Segment};
use std::fs::File;
use std::sync::Arc;

/// Reads single records. It keeps the last segment open.
#[derive(Debug)]
pub struct Picker {
    log: Arc<Log>,
    open: Option<(Arc<Segment>, Arc<File>)>,
}

impl Picker {
    pub(crate) fn new(log: Arc<Log>) -> Picker {
        Picker { log, open: None }
    }

    /// The record at a place; `None` if it is damaged or its segment has been released. This blocks.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub fn record(&mut self, place: Place) -> Result<Option<Record>, Error> {
        let Some(segment) = self.log.segment_of(place.sequence) else { return Ok(None) };
        let file = match &self.open {
            Some((open, file)) if Arc::ptr_eq(open, &segment) => Arc::clone(file),
            _ => Arc::new(segment.open()?),
        };
        self.open = Some((Arc::clone(&segment), Arc::clone(&file)));
        let (received, end) = {
            let contents = segment.contents();
            (contents.received, contents.length)
        };
        let mut scanner = Scanner::new(&segment, file, HEADERS, end);
        scanner.seek(Mark { sequence: place.sequence, received, offset: place.offset() });
        match scanner.step(true).map_err(|error| Error::io("read", &segment.path, error))? {
            Step::Record { header, whole: Some(Whole { metadata, body }), offset } => {
                Ok(Record::new(&header, offset, &metadata, body))
            }
            Step::Damage(damage) => {
                self.log.note(&segment, damage);
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}
