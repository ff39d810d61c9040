//! [`Bodies`]: reads request bodies within their limits and within the memory that all of them may use together.

use super::decode::{self, Coding, Decoder, RETRY_AFTER, too_large};
use super::error::Error;
use super::incoming::Body;
use super::request::SMALL_BODY;
use crate::config::Config;
use crate::payload::{self, Payload, Spills, Written};
use bytes::Bytes;
use prometheus::IntGauge;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Encoded bodies up to this size are decoded at once, in bytes.
const AT_ONCE: usize = 256 << 10;
/// Larger bodies are decoded, and written, in parts of about this size by threads that may block, in bytes.
const PART: usize = 128 << 10;
/// Bodies up to this size may use all of the memory, in bytes. A part of it ([`RESERVED`]) is for them alone.
const LITTLE: u64 = 64 << 10;
/// The part of the memory that is reserved: one in this many bytes.
const RESERVED: u64 = 8;

/// What all bodies have in common.
#[derive(Debug)]
pub(super) struct Bodies {
    max: u64,
    spill_above: usize,
    /// How long a body may make no progress.
    pub(super) timeout: Duration,
    budget: Arc<Budget>,
    spills: Arc<Spills>,
}

impl Bodies {
    /// `directory` is that of temporary files.
    pub(super) fn new(config: &Config, directory: &Path, in_flight: IntGauge) -> Bodies {
        let settings = &config.server;
        let spill_above = usize::try_from(settings.spill_above_bytes).unwrap_or(usize::MAX);
        let (min_free, max_spilled) = (config.intake.min_free_bytes, settings.max_spilled_bytes);
        Bodies {
            max: settings.max_body_bytes,
            spill_above,
            timeout: Duration::from_secs(settings.body_timeout),
            budget: Arc::new(Budget::new(settings.max_bytes_in_flight, in_flight)),
            spills: Arc::new(Spills::new(spill_above, directory, min_free, max_spilled)),
        }
    }

    /// The whole of a small body, decoded.
    pub(super) async fn small(&self, mut body: Body, coding: Coding) -> Result<Bytes, Error> {
        let mut memory = Reservation::new(&self.budget);
        let encoded = self.start(&mut body, SMALL_BODY as u64, usize::MAX, &mut memory).await?;
        let decoded = match decode::at_once(coding, encoded, SMALL_BODY) {
            Ok(decoded) => decoded,
            Err(encoded) => {
                let writer = payload::Writer::new(SMALL_BODY as u64, None);
                let mut decoder = Decoder::new(coding, writer).map_err(|_| Error::internal())?;
                decoder.write(&encoded)?;
                match decoder.finish()? {
                    Written::Memory(decoded) => decoded,
                    Written::File(_) => return Err(Error::internal()),
                }
            }
        };
        memory.hold(decoded)
    }

    /// The whole of a submission, decoded, in memory or in a file.
    pub(super) async fn payload(&self, mut body: Body, coding: Coding) -> Result<Payload, Error> {
        let mut memory = Reservation::new(&self.budget);
        let at_once = if coding == Coding::Identity { self.spill_above } else { AT_ONCE.min(self.spill_above) };
        let start = self.start(&mut body, self.max, at_once, &mut memory).await?;
        let limit = usize::try_from(self.max).unwrap_or(usize::MAX).min(self.spill_above);
        let mut part = match body.is_finished() {
            true => match decode::at_once(coding, start, limit) {
                Ok(decoded) => return memory.hold(decoded).map(Payload::Memory),
                Err(encoded) => encoded,
            },
            false => start,
        };
        let writer = payload::Writer::new(self.max, Some(Arc::clone(&self.spills)));
        let mut decoder = Decoder::new(coding, writer).map_err(|_| Error::internal())?;
        loop {
            memory.set(decoder.memory() + part.len().max(2 * PART))?;
            (decoder, part) = blocking(move || {
                decoder.write(&part)?;
                part.clear();
                Ok((decoder, part))
            })
            .await?;
            while part.len() < PART {
                let Some(bytes) = body.next(self.max).await? else { break };
                part.extend_from_slice(&bytes);
            }
            if part.is_empty() {
                break;
            }
        }
        match blocking(move || decoder.finish()).await? {
            Written::Memory(decoded) => memory.hold(decoded).map(Payload::Memory),
            Written::File(payload) => Ok(payload),
        }
    }

    /// Reads a body to its end and keeps nothing of it.
    pub(super) async fn discard(&self, mut body: Body) -> Result<(), Error> {
        while body.next(self.max).await?.is_some() {}
        Ok(())
    }

    /// The whole of a submission in memory, for one that must not be written to a disk as it is. A large one is not decoded
    /// yet. All large ones together may use only a part of the memory.
    pub(super) async fn in_memory(&self, mut body: Body, coding: Coding) -> Result<InMemory, Error> {
        let limit = self.max.min(self.budget.for_large());
        let mut memory = Reservation::new(&self.budget);
        let mut encoded = self.start(&mut body, limit, self.spill_above, &mut memory).await?;
        if !body.is_finished() {
            memory.is_large = true;
            while let Some(bytes) = body.next(limit).await? {
                memory.set(encoded.len() + bytes.len())?;
                // Not to twice its size, which might not fit.
                encoded.reserve_exact(bytes.len().max(encoded.len() / 8));
                encoded.extend_from_slice(&bytes);
            }
            encoded.shrink_to_fit();
        }
        let small = usize::try_from(limit).unwrap_or(usize::MAX).min(self.spill_above);
        match decode::at_once(coding, encoded, small) {
            Ok(decoded) => memory.hold(decoded).map(InMemory::Small),
            Err(encoded) => Ok(InMemory::Large(Encoded { bytes: memory.hold(encoded)?, coding, limit })),
        }
    }

    /// Reads a body until its end or until more than `enough` bytes have been read.
    async fn start(
        &self,
        body: &mut Body,
        limit: u64,
        enough: usize,
        memory: &mut Reservation,
    ) -> Result<Vec<u8>, Error> {
        let declared = body.declared().unwrap_or(0);
        if declared > limit {
            return Err(too_large(limit));
        }
        let expected = usize::try_from(declared).unwrap_or(usize::MAX).min(enough).min(SMALL_BODY);
        let mut start = Vec::with_capacity(expected);
        while start.len() <= enough {
            let Some(bytes) = body.next(limit).await? else { break };
            memory.set(start.len() + bytes.len())?;
            start.extend_from_slice(&bytes);
        }
        Ok(start)
    }
}

/// The body of a request in memory.
#[derive(Debug)]
pub enum InMemory {
    /// A small one, decoded.
    Small(Bytes),
    /// A large one, or one that cannot be decoded.
    Large(Encoded),
}

/// A body that is not decoded.
#[derive(Debug)]
pub struct Encoded {
    bytes: Bytes,
    coding: Coding,
    limit: u64,
}

impl Encoded {
    /// Decodes it. This takes long, and the result does not count as memory in use, so there should be one at a time.
    ///
    /// # Errors
    /// 413 for a larger one than the limits allow, 400 for one that cannot be decoded.
    pub fn decode(self) -> Result<Bytes, Error> {
        if self.coding == Coding::Identity {
            return Ok(self.bytes);
        }
        let writer = payload::Writer::new(self.limit, None);
        let mut decoder = Decoder::new(self.coding, writer).map_err(|_| Error::internal())?;
        for part in self.bytes.chunks(PART) {
            decoder.write(part)?;
        }
        match decoder.finish()? {
            Written::Memory(decoded) => Ok(decoded.into()),
            Written::File(_) => Err(Error::internal()),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the decoding of a body failed");
        Err(Error::internal())
    })
}

/// The memory of all bodies.
#[derive(Debug)]
struct Budget {
    capacity: u64,
    used: AtomicU64,
    /// What large bodies use of it.
    used_by_large: AtomicU64,
    in_flight: IntGauge,
}

impl Budget {
    fn new(capacity: u64, in_flight: IntGauge) -> Budget {
        Budget { capacity, used: AtomicU64::new(0), used_by_large: AtomicU64::new(0), in_flight }
    }

    /// How much large bodies in memory may use together, so that slow ones do not prevent all others: three quarters.
    fn for_large(&self) -> u64 {
        self.capacity - self.capacity / 4
    }

    /// How much may be used before a body of this size is refused.
    fn ceiling(&self, bytes: u64) -> u64 {
        if bytes <= LITTLE { self.capacity } else { self.capacity - self.capacity / RESERVED }
    }
}

/// A part of the budget, until it is dropped.
#[derive(Debug)]
struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
    /// Of these bytes, those that count as those of a large body.
    large: u64,
    /// Whether further bytes do.
    is_large: bool,
}

impl Reservation {
    fn new(budget: &Arc<Budget>) -> Reservation {
        Reservation { budget: Arc::clone(budget), bytes: 0, large: 0, is_large: false }
    }

    /// Changes its size. 503 if the budget does not allow it.
    fn set(&mut self, bytes: usize) -> Result<(), Error> {
        let (bytes, budget) = (bytes as u64, &self.budget);
        let large = if self.is_large { bytes } else { 0 };
        let is_allowed = change(&budget.used, self.bytes, bytes, budget.ceiling(bytes));
        if !is_allowed || !change(&budget.used_by_large, self.large, large, budget.for_large()) {
            if is_allowed {
                change(&budget.used, bytes, self.bytes, u64::MAX);
            }
            return Err(Error::unavailable("too many submissions at the same time", RETRY_AFTER));
        }
        budget.in_flight.add(bytes as i64 - self.bytes as i64);
        (self.bytes, self.large) = (bytes, large);
        Ok(())
    }

    /// The bytes, which count until the last of their clones is dropped.
    fn hold(mut self, mut bytes: Vec<u8>) -> Result<Bytes, Error> {
        if bytes.capacity() > bytes.len() + bytes.len() / 8 {
            bytes.shrink_to_fit();
        }
        self.set(bytes.capacity())?;
        Ok(Bytes::from_owner(Held { bytes, _reservation: self }))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.used_by_large.fetch_sub(self.large, Ordering::Relaxed);
        self.budget.in_flight.sub(self.bytes as i64);
    }
}

/// Replaces a part of a sum by another, unless that makes the sum larger and it exceeds the limit.
fn change(sum: &AtomicU64, from: u64, to: u64, limit: u64) -> bool {
    let changed = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| {
        let new = sum - from + to;
        (to <= from || new <= limit).then_some(new)
    });
    changed.is_ok()
}

struct Held {
    bytes: Vec<u8>,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
