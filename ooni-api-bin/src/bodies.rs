//! Finds the body of a measurement: in the intake log, or else in the archive.
//!
//! Only measurements with a row are public: one that was discarded, rejected or refused has none. While the row cannot be looked
//! up, because scoring is not that far or the store is down, a body in the log is returned unless it would be discarded.

mod stored;

pub use self::stored::{Stored, stored};

use crate::app::App;
use crate::http::Error;
use crate::intake::{Body, Record};
use bytes::Bytes;
use ooni_archive::body::{BodyError, BodyMemory};
use ooni_archive::layout::QUARANTINE;
use ooni_core::error::Code;
use ooni_core::json::Reader;
use ooni_core::measurement::Measurement;
use ooni_core::process::discard;
use ooni_store::query::list::MeasurementSummary;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Memory for bodies of more than 1 MiB, in bytes: one of the maximum size and its compressed gzip member, or many smaller ones.
const MEMORY: u32 = 320 << 20;
/// Number of bodies that are parsed at the same time. Each takes 16 bytes for every JSON value, besides its text.
const PARSED_AT_ONCE: usize = 2;
/// Number of measurements that are explained at the same time. Each is scored about a dozen times.
const EXPLAINED_AT_ONCE: usize = 2;
/// How long an explanation may wait for others.
const EXPLANATION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client should wait when the memory is in use, in seconds.
const RETRY_AFTER: u64 = 5;

/// How long the store may take to find the row of a measurement whose body is in the log.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);

/// What reading bodies may use. Clones share it.
#[derive(Clone, Debug)]
pub struct Bodies {
    memory: BodyMemory,
    parsing: Arc<Semaphore>,
    explaining: Arc<Semaphore>,
}

impl Default for Bodies {
    fn default() -> Bodies {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Bodies {
            memory: BodyMemory::new(MEMORY),
            parsing: semaphore(PARSED_AT_ONCE),
            explaining: semaphore(EXPLAINED_AT_ONCE),
        }
    }
}

/// What there is of a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is public. This is its text as it was sent, without its envelope; with the envelope if its content is YAML, which
    /// is not JSON without.
    Body(Bytes),
    /// It is known, but there is no measurement in its body, or the body is lost.
    NoBody,
    /// It is unknown or not public.
    NoRow,
}

/// Looks for a measurement in the log, then in the store and the archive. `is_shown` is whether a row is public.
///
/// # Errors
/// 503 or 504 when the log, the store or the archive fails, or other bodies use too much memory; 500 for a damaged archive.
pub async fn find(app: &App, uid: &str, is_shown: fn(&MeasurementSummary) -> bool) -> Result<Found, Error> {
    let Some(record) = record(app, uid).await? else { return without_record(app, uid, is_shown).await };
    let is_pending = record.sequence > app.scoring.borrow().position.sequence;
    let is_public = if is_pending { None } else { is_public(app, uid, is_shown).await };
    let Some(parsed) = in_log(app, uid, record).await? else { return Ok(Found::NoBody) };
    Ok(if is_public.unwrap_or(!parsed.is_discarded) { parsed.into() } else { Found::NoRow })
}

/// The body of a measurement whose row the caller has found.
///
/// # Errors
/// Those of [`find`].
pub async fn of_row(app: &App, uid: &str) -> Result<Found, Error> {
    match record(app, uid).await? {
        Some(record) => Ok(in_log(app, uid, record).await?.map_or(Found::NoBody, Found::from)),
        None => in_archive(app, uid).await,
    }
}

/// The record of a measurement in the log.
///
/// # Errors
/// 500 when the log cannot be read.
pub async fn record(app: &App, uid: &str) -> Result<Option<Record>, Error> {
    app.intake.find(uid).await.map_err(|error| unreadable(uid, &error))
}

/// Whether the row of a measurement is public; `None` if the store does not say so in time.
async fn is_public(app: &App, uid: &str, is_shown: fn(&MeasurementSummary) -> bool) -> Option<bool> {
    let row = timeout(STORE_TIMEOUT, row(app, uid)).await.ok()?.ok()?;
    Some(row.as_ref().is_some_and(is_shown))
}

async fn row(app: &App, uid: &str) -> Result<Option<MeasurementSummary>, Error> {
    Ok(app.stores.reads()?.find(uid).await?)
}

async fn without_record(app: &App, uid: &str, is_shown: fn(&MeasurementSummary) -> bool) -> Result<Found, Error> {
    match row(app, uid).await? {
        Some(row) if is_shown(&row) => in_archive(app, uid).await,
        Some(_) => Ok(Found::NoRow),
        None => {
            let location = app.stores.reads()?.body_location(uid).await?;
            let top = location.as_ref().and_then(|location| location.s3path.split('/').next());
            Ok(if top == Some(QUARANTINE) { Found::NoBody } else { Found::NoRow })
        }
    }
}

/// A POST body that is JSON.
struct Parsed {
    /// The measurement in it, or all of it if the measurement is YAML.
    content: Option<Bytes>,
    /// Whether it gets no row.
    is_discarded: bool,
}

impl From<Parsed> for Found {
    fn from(parsed: Parsed) -> Found {
        parsed.content.map_or(Found::NoBody, Found::Body)
    }
}

async fn in_log(app: &App, uid: &str, record: Record) -> Result<Option<Parsed>, Error> {
    let body = record.body;
    let length = usize::try_from(body.length()).unwrap_or(usize::MAX);
    let space = app.bodies.memory.take(length).ok_or_else(no_memory)?;
    let parsed = app.bodies.parse(move || {
        Ok(match body {
            Body::Memory(bytes) => bytes,
            Body::File(_) => space.hold(body.bytes()?),
        })
    });
    parsed.await.map_err(|error| unreadable(uid, &error))
}

impl Bodies {
    /// The memory for large bodies, which the archive uses as well.
    pub fn memory(&self) -> &BodyMemory {
        &self.memory
    }

    /// Permission to explain a measurement, for as long as it takes.
    ///
    /// # Errors
    /// 503 if too many others are explained.
    pub async fn explaining(&self) -> Result<OwnedSemaphorePermit, Error> {
        match timeout(EXPLANATION_TIMEOUT, Arc::clone(&self.explaining).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::unavailable("too many measurements are explained at the same time", RETRY_AFTER)),
        }
    }

    /// Parses a POST body; `None` if it is not JSON.
    async fn parse(
        &self,
        read: impl FnOnce() -> std::io::Result<Bytes> + Send + 'static,
    ) -> std::io::Result<Option<Parsed>> {
        let permit = Arc::clone(&self.parsing).acquire_owned().await.map_err(std::io::Error::other)?;
        let parsed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read().map(|body| parse(&body))
        });
        parsed.await.map_err(std::io::Error::other)?
    }
}

fn parse(body: &Bytes) -> Option<Parsed> {
    let mut reader = Reader::new();
    let document = reader.read(body).ok()?;
    let measurement = match Measurement::new(document.root()) {
        Ok(measurement) => measurement,
        // It is YAML, which only scoring reads. Until it has a row, it is not known whether it will be discarded.
        Err(error) if error.code == Code::Value => {
            return Some(Parsed { content: Some(body.clone()), is_discarded: true });
        }
        Err(_) => return Some(Parsed { content: None, is_discarded: true }),
    };
    let is_discarded = !matches!(discard(&measurement), Ok(None));
    Some(Parsed { content: Some(body.slice_ref(measurement.content().source())), is_discarded })
}

fn unreadable(uid: &str, error: &dyn Display) -> Error {
    tracing::warn!(uid, %error, "a body cannot be read from the intake log");
    Error::internal()
}

fn no_memory() -> Error {
    Error::unavailable("too many large bodies are requested at the same time", RETRY_AFTER)
}

async fn in_archive(app: &App, uid: &str) -> Result<Found, Error> {
    let Some(location) = app.stores.reads()?.body_location(uid).await? else { return Ok(Found::NoBody) };
    let Some(body) = archived(uid, app.archive.body(&location).await)? else { return Ok(Found::NoBody) };
    if !body.has_envelope {
        return Ok(Found::Body(body.text));
    }
    let parsed = app.bodies.parse(move || Ok(body.text)).await.map_err(|error| unreadable(uid, &error))?;
    Ok(parsed.map_or(Found::NoBody, Found::from))
}

/// What was read from the archive; `None` if it is not where the store says.
fn archived<T>(uid: &str, read: Result<T, BodyError>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(BodyError::NotFound(why)) => {
            tracing::warn!(uid, why, "a body is not where the store says");
            Ok(None)
        }
        Err(BodyError::Unavailable(why)) => {
            tracing::warn!(uid, why, "a body cannot be read from the archive now");
            Err(Error::unavailable("the archive is not available", RETRY_AFTER))
        }
        Err(BodyError::Invalid(why) | BodyError::Failed(why)) => {
            tracing::error!(uid, why, "a body cannot be read from the archive");
            Err(Error::internal())
        }
    }
}
