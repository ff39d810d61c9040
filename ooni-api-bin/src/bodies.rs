//! Finds the body of a measurement: in the intake log, or else in the archive.

use crate::app::App;
use crate::http::Error;
use crate::intake::Record;
use bytes::Bytes;
use ooni_archive::body::BodyError;
use ooni_core::json::Reader;
use ooni_core::measurement::Measurement;

/// The measurement of a uid as it was sent, without its envelope; `None` if it is neither in the log nor in the archive.
///
/// It is returned if it has a row or is not scored yet: one that was discarded, rejected or refused is not public. `has_row`
/// is whether the caller has found its row.
///
/// # Errors
/// 503 or 504 when the log, the store or the archive fails.
pub async fn measurement(app: &App, uid: &str, has_row: bool) -> Result<Option<Bytes>, Error> {
    let record = app.intake.find(uid).await.map_err(|error| unreadable(uid, &error))?;
    let scored = app.scoring.borrow().position.sequence;
    let is_pending = record.as_ref().is_some_and(|record| record.sequence > scored);
    // The row may have been stored after the caller looked for it.
    if !is_pending && !has_row && app.stores.measurements()?.find(uid).await?.is_none() {
        return Ok(None);
    }
    match record {
        Some(record) => in_log(uid, record).await,
        None => in_archive(app, uid).await,
    }
}

async fn in_log(uid: &str, record: Record) -> Result<Option<Bytes>, Error> {
    let content = tokio::task::spawn_blocking(move || {
        let body = record.body.bytes()?;
        Ok::<_, std::io::Error>(content(&body))
    });
    content.await.map_err(|error| unreadable(uid, &error))?.map_err(|error| unreadable(uid, &error))
}

fn unreadable(uid: &str, error: &dyn std::fmt::Display) -> Error {
    tracing::warn!(uid, %error, "a body cannot be read from the intake log");
    Error::internal()
}

async fn in_archive(app: &App, uid: &str) -> Result<Option<Bytes>, Error> {
    let Some(location) = app.stores.measurements()?.body_location(uid).await? else { return Ok(None) };
    match app.archive.measurement(&location).await {
        Ok(body) => Ok(body),
        Err(BodyError::NotFound(why)) => {
            tracing::warn!(uid, why, "a body is not where the store says");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(uid, %error, "a body cannot be read from the archive");
            Err(Error::unavailable("the archive is not available", 10))
        }
    }
}

/// The measurement in a body, without its envelope; `None` if the body is not JSON or has none.
pub fn content(body: &Bytes) -> Option<Bytes> {
    let mut reader = Reader::new();
    let document = reader.read(body).ok()?;
    let measurement = Measurement::new(document.root()).ok()?;
    Some(body.slice_ref(measurement.content().source()))
}
