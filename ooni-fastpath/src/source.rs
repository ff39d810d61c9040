//! Where files come from, and [`Feeder`]: one batch after another out of all of them.

pub mod archive;
mod cache;
pub mod local;
pub mod supply;

use self::local::{Found, Origin};
use crate::batch::{Batch, Kind, Source};
use crate::can::{Can, Filled, Form};
use crate::limits::Limits;
use ooni_core::error::{Code, Error};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files that are still to be read, and the one that is being read.
#[derive(Debug)]
pub struct Feeder {
    files: std::vec::IntoIter<Found>,
    current: Option<(Can, Arc<Source>)>,
    limits: Limits,
    read: Arc<AtomicU64>,
}

impl Feeder {
    /// All entries of these files, in order.
    pub fn new(files: Vec<Found>, limits: Limits) -> Feeder {
        Feeder { files: files.into_iter(), current: None, limits, read: Arc::default() }
    }

    /// Bytes read from files so far.
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Fills an empty batch; false when there is nothing left.
    pub fn fill(&mut self, batch: &mut Batch) -> bool {
        while !batch.is_full() {
            let Some((can, source)) = &mut self.current else {
                let Some(found) = self.files.next() else { break };
                self.open(found, batch);
                continue;
            };
            batch.begin(source);
            match can.fill(batch) {
                Filled::More => break,
                Filled::Done => self.current = None,
            }
        }
        !batch.entries().is_empty()
    }

    /// Opens the next file, or notes why it cannot be.
    fn open(&mut self, found: Found, batch: &mut Batch) {
        let name = found.name();
        let uid = found.stem().filter(|stem| ooni_core::uid::is_current(stem) || ooni_core::uid::is_trivial(stem));
        let source = Arc::new(Source { uid: uid.map(str::to_owned), name });
        let mut refuse = |sentence: String| {
            batch.begin(&source);
            batch.push_trouble(Kind::File, None, Error::new(Code::Can, "", sentence));
        };
        if let Some(trouble) = found.trouble {
            return refuse(trouble);
        }
        let form = match found.form {
            Some(Form::Index) => return,
            Some(Form::Legacy) => return refuse("LZ4 cans are not yet read".to_owned()),
            Some(form) => form,
            None => return refuse("not a file of measurements by its name".to_owned()),
        };
        let bytes: Box<dyn Read + Send> = match &found.origin {
            Origin::Stdin => Box::new(Counted { bytes: io::stdin(), read: Arc::clone(&self.read) }),
            Origin::File(path) => match File::open(path) {
                Ok(bytes) => Box::new(Counted { bytes, read: Arc::clone(&self.read) }),
                Err(error) => return refuse(format!("cannot be opened: {error}")),
            },
        };
        self.current = Can::open(form, bytes, &self.limits).map(|can| (can, source));
    }
}

/// Counts what is read.
#[derive(Debug)]
struct Counted<R> {
    bytes: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bytes.read(into)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
