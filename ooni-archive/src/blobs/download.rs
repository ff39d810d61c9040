//! Downloads to a partial file beside the target, resumes with ranged requests after failures, verifies and renames.
//!
//! The partial file is named after the version of the object, so that another run can resume it.

use super::blob::Blob;
use super::checksum::{Checksum, Sum, bare};
use super::counters::Counters;
use super::directory::finish;
use super::failure::Failure;
use super::retry::Retries;
use super::s3::S3;
use ooni_core::hex::hex;
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// Size of the write buffer.
const BUFFER: usize = 256 << 10;
/// An attempt that received this many bytes made progress, and does not count as failed: a slow server may interrupt a
/// long download many times.
const PROGRESS: u64 = 1 << 20;

impl S3 {
    /// Downloads an object to a file. Its folder has to exist.
    ///
    /// # Errors
    /// A sentence that names the object and the part that failed. What was received is kept for another attempt.
    pub(crate) async fn download(&self, blob: &Blob, target: &Path, counters: &Counters) -> Result<(), String> {
        let failed = |why: String| format!("{}/{}: {why}", self.name(), blob.key);
        let mut part = Part::open(blob, target, self.checksums).await.map_err(failed)?;
        let mut retries = Retries::new(&self.retry, counters);
        loop {
            let had = part.have;
            let mut result = self.receive(blob, &mut part, counters).await;
            if result.is_ok() {
                result = match part.verify() {
                    Ok(()) => break,
                    Err(why) => part.restart().and(Err(Failure::invalid_response(why))),
                };
            } else if part.have >= had + PROGRESS {
                retries.reset();
            }
            let Err(failure) = result else { break };
            let have = part.have;
            if let Err(failure) = retries.wait(failure).await {
                part.leave();
                return Err(failed(match have {
                    0 => failure.why,
                    have => format!("from byte {have} of {} on: {}", blob.size, failure.why),
                }));
            }
        }
        part.finish(target).await.map_err(failed)
    }

    /// Receives the rest of an object, usually in one request.
    async fn receive(&self, blob: &Blob, part: &mut Part, counters: &Counters) -> Result<(), Failure> {
        while part.have < blob.size {
            let last = (part.have > 0).then(|| blob.size - 1);
            let mut response = self.get(&blob.key, part.have, last, part.etag.as_deref()).await?;
            match (&part.etag, response.etag.take()) {
                (Some(known), Some(etag)) if bare(known) != bare(&etag) => return Err(Failure::changed()),
                (None, etag) => part.etag = etag,
                _ => {}
            }
            let wanted = blob.size - response.first;
            match (response.total, response.length) {
                // A proxy or disk truncated the response, or the object changed without a new ETag.
                (Some(total), _) if total != blob.size => {
                    return Err(Failure::transient(format!("the object has {total} bytes instead of {}", blob.size)));
                }
                (_, Some(length)) if length > wanted => {
                    return Err(Failure::transient(format!("the response has {length} bytes instead of {wanted}")));
                }
                _ => {}
            }
            if response.first != part.have {
                // The server ignores ranges.
                part.restart()?;
            }
            part.expect(response.checksum.take())?;
            let end = response.length.map_or(blob.size, |length| response.first + length);
            let mut buffer = Vec::with_capacity(BUFFER);
            let result = loop {
                match response.body.next().await {
                    Err(failure) => break Err(failure),
                    Ok(None) => break Ok(()),
                    Ok(Some(bytes)) => {
                        Counters::add(&counters.bytes_downloaded, bytes.len() as u64);
                        buffer.extend_from_slice(&bytes);
                    }
                }
                if part.have + buffer.len() as u64 > end {
                    return Err(Failure::invalid_response(format!(
                        "the response has more than the expected {end} bytes"
                    )));
                }
                if buffer.len() >= BUFFER {
                    part.write(&buffer)?;
                    buffer.clear();
                }
            };
            part.write(&buffer)?;
            result?;
            if part.have != end {
                return Err(Failure::transient(format!("the response ended after {} of {end} bytes", part.have)));
            }
        }
        Ok(())
    }
}

/// Whether a file matches a listed object: it has the same size and, if the ETag is an MD5, the same content.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn is_copy(blob: &Blob, path: &Path, checksums: bool) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != blob.size {
        return Ok(false);
    }
    match blob.etag.as_deref().and_then(Checksum::of_etag).filter(|_| checksums) {
        Some(wanted) => {
            let mut sum = wanted.sum();
            add(&mut file, blob.size, &mut sum)?;
            Ok(wanted.compare(sum).is_ok())
        }
        None => Ok(true),
    }
}

/// The file that a version of an object is downloaded to.
pub(crate) fn part_path(blob: &Blob, target: &Path) -> PathBuf {
    let version = hex(Sha256::digest(blob.etag.as_deref().unwrap_or_default()).into_iter().take(4));
    let name = target.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    target.with_file_name(format!(".{name}.{version}.part"))
}

/// A file that is being downloaded.
struct Part {
    file: File,
    path: PathBuf,
    /// Bytes that were received.
    have: u64,
    /// Expected checksums, and the sums of what was received.
    sums: Vec<(Checksum, Sum)>,
    /// The version of the object, if known.
    etag: Option<String>,
}

impl Part {
    /// Opens the partial file of a version, or creates it.
    async fn open(blob: &Blob, target: &Path, checksums: bool) -> Result<Part, String> {
        let path = part_path(blob, target);
        // Parts of an unknown version cannot be resumed.
        let most = if blob.etag.is_some() { blob.size } else { 0 };
        let etag = blob.etag.clone();
        let opened = spawn_blocking(move || {
            let failed = |error: io::Error| format!("{}: {error}", path.display());
            let options = File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let file = options.map_err(failed)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    return Err(format!("{}: being downloaded by another process", path.display()));
                }
                Err(TryLockError::Error(_)) | Ok(()) => {} // not every file system has locks
            }
            let have = file.metadata().map_err(failed)?.len();
            let have = if have > most { 0 } else { have };
            file.set_len(have).map_err(failed)?;
            let expected = etag.as_deref().and_then(Checksum::of_etag).filter(|_| checksums);
            let mut part = Part { file, path, have, sums: Vec::new(), etag };
            part.file.seek(SeekFrom::Start(have)).map_err(|error| format!("{}: {error}", part.path.display()))?;
            part.expect(expected).map_err(|failure| failure.why)?;
            Ok(part)
        });
        opened.await.map_err(|error| error.to_string())?
    }

    /// Adds an expected checksum.
    fn expect(&mut self, checksum: Option<Checksum>) -> Result<(), Failure> {
        let Some(checksum) = checksum.filter(|new| self.sums.iter().all(|(known, _)| known != new)) else {
            return Ok(());
        };
        let mut sum = checksum.sum();
        add(&mut self.file, self.have, &mut sum).map_err(|error| self.broken(&error))?;
        self.sums.push((checksum, sum));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| self.broken(&error))?;
        self.sums.iter_mut().for_each(|(_, sum)| sum.update(bytes));
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Discards what was received.
    fn restart(&mut self) -> Result<(), Failure> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|error| self.broken(&error))?;
        self.sums.iter_mut().for_each(|(checksum, sum)| *sum = checksum.sum());
        self.have = 0;
        Ok(())
    }

    fn broken(&self, error: &io::Error) -> Failure {
        Failure::permanent(format!("{}: {error}", self.path.display()))
    }

    /// Verifies the checksums.
    fn verify(&mut self) -> Result<(), String> {
        for (checksum, sum) in &mut self.sums {
            checksum.compare(std::mem::replace(sum, checksum.sum()))?;
        }
        Ok(())
    }

    /// Keeps what was received for another attempt; removes an empty file.
    fn leave(self) {
        if self.have == 0 {
            let _ = fs::remove_file(&self.path); // an empty one does no harm
        }
    }

    async fn finish(self, target: &Path) -> Result<(), String> {
        let Part { file, path, .. } = self;
        let target = target.to_owned();
        let finished = spawn_blocking(move || {
            finish(file, &path, &target).map_err(|error| format!("{}: {error}", target.display()))
        });
        finished.await.map_err(|error| error.to_string())?
    }
}

/// Adds the first bytes of a file to a sum. The position of the file is then after them.
fn add(file: &mut File, bytes: u64, sum: &mut Sum) -> io::Result<()> {
    file.rewind()?;
    let mut left = bytes;
    let mut buffer = vec![0; BUFFER];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        file.read_exact(&mut buffer[..most])?;
        sum.update(&buffer[..most]);
        left -= most as u64;
    }
    Ok(())
}
