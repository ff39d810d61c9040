//! Finds the body of a measurement: in the intake log, or else in the archive.

use crate::app::App;
use crate::http::Error;
use bytes::Bytes;
use hyper::StatusCode;
use ooni_archive::body::BodyError;
use ooni_core::json::Reader;
use ooni_core::measurement::Measurement;

/// The measurement of a uid as it was sent, without its envelope; `None` if it is neither in the log nor in the archive.
///
/// A measurement in the log is returned if it has a row or is not scored yet: one that was discarded is not public.
///
/// # Errors
/// 503 or 504 when the log, the store or the archive fails.
pub async fn measurement(app: &App, uid: &str, has_row: bool) -> Result<Option<Bytes>, Error> {
    if let Some(body) = in_log(app, uid, has_row).await? {
        return Ok(Some(body));
    }
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

async fn in_log(app: &App, uid: &str, has_row: bool) -> Result<Option<Bytes>, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::warn!(uid, %error, "a body cannot be read from the intake log");
        Error::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    };
    let Some(record) = app.intake.find(uid).await.map_err(|error| failed(&error))? else { return Ok(None) };
    let is_pending = record.sequence > app.scoring.borrow().position.sequence;
    if !has_row && !is_pending {
        return Ok(None);
    }
    let content = tokio::task::spawn_blocking(move || {
        let body = record.body.bytes()?;
        Ok::<_, std::io::Error>(content(&body))
    });
    content.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// The measurement in a body, without its envelope; `None` if the body is not JSON or has none.
pub fn content(body: &Bytes) -> Option<Bytes> {
    let mut reader = Reader::new();
    let document = reader.read(body).ok()?;
    let measurement = Measurement::new(document.root()).ok()?;
    Some(body.slice_ref(measurement.content().source()))
}
