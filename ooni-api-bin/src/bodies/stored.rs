//! [`Stored`]: a body exactly as it is kept, with its envelope and its side record.

use super::{Error, archived, no_memory, unreadable};
use crate::app::App;
use crate::intake::Record;
use bytes::Bytes;
use ooni_archive::body::{BodyError, PostStream};
use ooni_archive::limits::Limits;
use ooni_core::measurement::SideRecord;
use std::borrow::Cow;
use tokio::task::spawn_blocking;

/// A body as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes: a POST body with its envelope, or a line without its line ending.
    pub bytes: Bytes,
    /// What the collector added to it.
    pub side: SideRecord<'static>,
    /// Whether these are the bytes of which the row was made. Not so if only the line of a POST body is left, or if a YAML report
    /// was rewritten as JSON.
    pub is_original: bool,
}

/// The body of a measurement as it is kept: that of its record in the log, or else that in the archive. `None` if there is none.
/// Whether it is public is up to the caller.
///
/// # Errors
/// 503 when the store or the archive is not available, or other bodies use too much memory; 500 for a damaged archive.
pub async fn stored(app: &App, uid: &str, record: Option<Record>) -> Result<Option<Stored>, Error> {
    if let Some(record) = record {
        return in_log(app, record).await.map(Some);
    }
    let Some(location) = app.stores.reads()?.body_location(uid).await? else { return Ok(None) };
    match app.archive.post(&location, uid).await {
        Ok(Some(post)) => {
            let side = post.side().clone();
            let Some(bytes) = archived(uid, whole(app, post).await)? else { return Ok(None) };
            return Ok(Some(Stored { bytes, side, is_original: true }));
        }
        // Archives may keep only the lines. The member may have another name if `fastpath` made the uid.
        Ok(None) | Err(BodyError::NotFound(_)) => {}
        Err(error) => return archived(uid, Err(error)),
    }
    let Some(body) = archived(uid, app.archive.body(&location).await)? else { return Ok(None) };
    let is_line_of_post = location.source.ends_with(".tar.gz") && !body.has_envelope;
    let is_original = !is_line_of_post && !body.is_changed;
    Ok(Some(Stored { bytes: body.text, side: SideRecord::EMPTY, is_original }))
}

async fn in_log(app: &App, record: Record) -> Result<Stored, Error> {
    let side = record.side.record();
    let side =
        SideRecord { report_id: side.report_id.map(|id| Cow::Owned(id.into_owned())), is_verified: side.is_verified };
    let length = usize::try_from(record.body.length()).unwrap_or(usize::MAX);
    let space = app.bodies.memory.take(length).ok_or_else(no_memory)?;
    let body = record.body;
    let read = spawn_blocking(move || body.bytes().map(|bytes| space.hold(bytes))).await;
    let bytes = read.map_err(std::io::Error::other).flatten().map_err(|error| unreadable(&record.uid, &error))?;
    Ok(Stored { bytes, side, is_original: true })
}

/// Reads a POST body into memory.
async fn whole(app: &App, mut post: PostStream) -> Result<Bytes, BodyError> {
    let size = usize::try_from(post.size()).ok().filter(|size| *size <= Limits::default().measurement_size);
    let size = size.ok_or_else(|| BodyError::Invalid(format!("a POST body of {} bytes", post.size())))?;
    let space = app.bodies.memory.take(size);
    let space = space.ok_or_else(|| BodyError::Unavailable("too many large bodies are in memory".to_owned()))?;
    let mut bytes = Vec::with_capacity(size);
    while let Some(piece) = post.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(space.hold(bytes))
}
