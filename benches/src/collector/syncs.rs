//! What the disk alone takes: the same bytes, in as many writes, each followed by a sync.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

/// Seconds for these syncs of a file in this folder.
///
/// # Errors
/// The file cannot be written.
pub fn measure(folder: &Path, syncs: u64, bytes: u64) -> io::Result<f64> {
    let piece = vec![b'x'; usize::try_from(bytes / syncs.max(1)).unwrap_or(0)];
    let mut file = File::create(folder.join("syncs"))?;
    let begin = Instant::now();
    for _ in 0..syncs {
        file.write_all(&piece)?;
        file.sync_data()?;
    }
    Ok(begin.elapsed().as_secs_f64())
}
