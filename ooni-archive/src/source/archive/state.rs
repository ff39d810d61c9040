//! [`Core`]: what the clones of an archive share.

use super::place::{Options, Place};
use super::survey::Survey;
use crate::blobs::Counters;
use crate::selection::Selection;
use ooni_core::error::{Code, Error};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Number of parallel listings.
const LISTINGS: usize = 8;

/// The state shared by clones.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) places: Vec<Place>,
    pub(in crate::source) wanted: Selection,
    pub(crate) options: Options,
    pub(crate) counters: Arc<Counters>,
    pub(super) listings: Semaphore,
    /// What all listings found.
    survey: Mutex<Survey>,
}

impl Core {
    /// The state before anything is listed.
    pub(super) fn new(places: Vec<Place>, wanted: Selection, options: Options) -> Core {
        let listings = Semaphore::new(LISTINGS);
        Core { places, wanted, options, counters: Arc::default(), listings, survey: Mutex::default() }
    }

    /// What listings found so far.
    pub(super) fn survey(&self) -> MutexGuard<'_, Survey> {
        // It is consistent even after a panic.
        self.survey.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error of a can, or of a place with cans.
pub(in crate::source) fn can_error(sentence: impl Into<String>) -> Error {
    Error::new(Code::Can, "", sentence)
}
