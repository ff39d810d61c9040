//! Puts the files of a can into the archive, reads them back, and commits the locations of its bodies.

use super::can::Built;
use crate::failpoint::{Failpoint, reach};
use crate::stores::Stores;
use ooni_archive::layout::HourlyCan;
use ooni_archive::writer::{ArchiveWriter, Stored, WriteError};
use ooni_core::time::DateTime;
use std::path::Path;

/// Locations that are committed in one transaction.
const BATCH: usize = 5000;

/// Whether the archive has an object under the name of a can.
///
/// # Errors
/// A sentence.
pub(super) async fn is_taken(archive: &ArchiveWriter, can: &HourlyCan) -> Result<bool, String> {
    for key in [can.postcan_key(), can.lines_key(), can.quarantine_key()] {
        if archive.size(&key).await.map_err(|error| error.to_string())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Publishes a can, whose name was free at first. Repeating it changes nothing.
///
/// # Errors
/// A sentence. It may be published in part; the step has to be repeated.
pub(super) async fn publish(
    archive: &ArchiveWriter,
    stores: &Stores,
    time: DateTime,
    can: &HourlyCan,
    built: &Built,
) -> Result<(), String> {
    let mut files: Vec<(String, &Path)> = Vec::new();
    if let Some((postcan, lines)) = &built.postcan {
        files.push((can.postcan_key(), postcan.path()));
        files.push((can.lines_key(), lines.path()));
    }
    if let Some(quarantine) = &built.quarantine {
        files.push((can.quarantine_key(), quarantine.path()));
    }
    for (key, path) in &files {
        let receipt = put(archive, key, path).await.map_err(|error| error.to_string())?;
        reach(Failpoint::ArchivePut);
        archive.verify(key, &receipt).await.map_err(|error| error.to_string())?;
        reach(Failpoint::ArchiveVerified);
    }
    let date = &time.to_string()[..10];
    let store = stores.measurements().map_err(|_| "the database is not available".to_owned())?;
    for locations in built.locations(can, date).chunks(BATCH) {
        store.set_body_locations(locations.to_vec()).await.map_err(|error| error.to_string())?;
        reach(Failpoint::ArchiveIndexed);
    }
    Ok(())
}

/// Puts a file. Since the name of the can was free, another object under the key is one that this archiver did not complete.
async fn put(archive: &ArchiveWriter, key: &str, path: &Path) -> Result<Stored, WriteError> {
    match archive.put(key, path).await {
        Err(WriteError::Conflict(why)) => {
            tracing::warn!(why, "an incomplete object is replaced");
            archive.replace(key, path).await
        }
        result => result,
    }
}
