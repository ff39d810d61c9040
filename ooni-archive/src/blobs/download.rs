//! Downloads: into a part beside the target, resumed by range after each break, checked, and then given their name.
//!
//! A part is named after the version of the object, so another run can go on with what this one has left.

use super::s3::{Failure, S3, failure};
use super::{Blob, Counters, finish};
use md5::{Digest, Md5};
use ooni_core::hex::hex;
use sha2::Sha256;
use std::fs::{self, File, TryLockError};
use std::future::poll_fn;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

/// Bytes that are collected before they are written.
const BUFFER: usize = 256 << 10;
/// With so many new bytes, an attempt was no failure: a slow server may break a long download many times.
const PROGRESS: u64 = 1 << 20;

impl S3 {
    /// Brings an object to a file. Its folder has to be there.
    ///
    /// # Errors
    /// A sentence that names the object. What came of it stays for another time.
    pub(crate) async fn download(&self, blob: &Blob, target: &Path, counters: &Counters) -> Result<(), String> {
        let failed = |why: String| format!("{}/{}: {why}", self.name(), blob.key);
        let mut part = Part::open(blob, target).await.map_err(failed)?;
        let mut failures = 0;
        let mut before = None;
        loop {
            let had = part.have;
            let mut result = self.receive(blob, &mut part, counters).await;
            if result.is_ok() {
                result = match part.verify(self.checksums) {
                    Ok(()) => break,
                    // A sum that is wrong in the same way twice is not the fault of the network.
                    Err(why) if before.as_ref() == Some(&why) => Err(Failure::Final(why)),
                    Err(why) => {
                        before = Some(why.clone());
                        part.restart().and(Err(Failure::again(why)))
                    }
                };
            } else if part.have >= had + PROGRESS {
                failures = 0;
            }
            failures += 1;
            let Err(failure) = result else { break };
            if let Err(why) = self.wait(failure, failures, counters).await {
                part.leave();
                return Err(failed(why));
            }
        }
        part.finish(target).await.map_err(failed)
    }

    /// Receives what is missing of an object, in one request.
    async fn receive(&self, blob: &Blob, part: &mut Part, counters: &Counters) -> Result<(), Failure> {
        if part.have == blob.size {
            return Ok(());
        }
        let deadline = Instant::now() + self.retry.request;
        let silent = |_| Failure::again(format!("the server sent nothing for {:?}", self.retry.silence));
        let mut request = self.client.objects().get(&self.bucket, format!("{}{}", self.prefix, blob.key));
        if part.have > 0 {
            request = request.range_bytes(part.have, blob.size - 1);
        }
        if let Some(etag) = &part.etag {
            request = request.if_match(etag);
        }
        let answer = timeout(self.retry.silence, request.send()).await.map_err(silent)?;
        let mut answer = answer.map_err(|error| failure(&error))?;
        let changed = || Failure::Final("it has changed since it was listed".to_owned());
        match (&part.etag, answer.etag.take()) {
            // A server may have it weak in one place and strong in the other.
            (Some(known), Some(etag)) if bare(known) != bare(&etag) => return Err(changed()),
            (None, etag) => part.etag = etag,
            _ => {}
        }
        match answer.content_length {
            Some(length) if length == blob.size - part.have => {}
            // The server knows no ranges.
            Some(length) if length == blob.size => part.restart()?,
            // Whatever it is that cuts answers, or a change that no ETag tells.
            Some(length) => {
                let wanted = blob.size - part.have;
                return Err(Failure::again(format!("the answer has {length} bytes instead of {wanted}")));
            }
            // Nothing tells where this begins.
            None if part.have > 0 => {
                part.restart()?;
                return Err(Failure::again("the server does not say how long its answer is".to_owned()));
            }
            None => {}
        }
        let mut buffer = Vec::with_capacity(BUFFER);
        let result = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let chunk =
                timeout(self.retry.silence.min(left), poll_fn(|context| answer.body.as_mut().poll_next(context)));
            match chunk.await {
                Err(_) if left < self.retry.silence => break Err(self.too_slow()),
                Err(elapsed) => break Err(silent(elapsed)),
                Ok(Some(Err(error))) => break Err(failure(&error)),
                Ok(Some(Ok(chunk))) => {
                    Counters::add(&counters.bytes_downloaded, chunk.len() as u64);
                    buffer.extend_from_slice(&chunk);
                }
                Ok(None) => break Ok(()),
            }
            if part.have + buffer.len() as u64 > blob.size {
                return Err(changed());
            }
            if buffer.len() >= BUFFER {
                part.write(&buffer)?;
                buffer.clear();
            }
        };
        part.write(&buffer)?;
        result?;
        match part.have == blob.size {
            true => Ok(()),
            false => Err(Failure::again(format!("the answer ended after {} of {} bytes", part.have, blob.size))),
        }
    }
}

/// Whether a file is what a listing says: of the same size and, where its ETag is an MD5, with the same content.
///
/// # Errors
/// As reading the file.
pub(crate) fn is_copy(blob: &Blob, path: &Path, checksums: bool) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != blob.size {
        return Ok(false);
    }
    match blob.etag.as_deref().and_then(as_md5).filter(|_| checksums) {
        Some(wanted) => Ok(hex(hash(&mut file, blob.size)?.finalize()) == wanted),
        None => Ok(true),
    }
}

/// Position a version of an object is while it comes.
pub(crate) fn part_path(blob: &Blob, target: &Path) -> PathBuf {
    let version = hex(Sha256::digest(blob.etag.as_deref().unwrap_or_default()).into_iter().take(4));
    let name = target.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    target.with_file_name(format!(".{name}.{version}.part"))
}

/// A file that is being downloaded.
struct Part {
    file: File,
    path: PathBuf,
    /// How much of it is there.
    have: u64,
    /// The sum of that.
    sum: Md5,
    /// The version that is downloaded, as soon as it is known.
    etag: Option<String>,
}

impl Part {
    /// Opens what is there of a version, or begins.
    async fn open(blob: &Blob, target: &Path) -> Result<Part, String> {
        let path = part_path(blob, target);
        // Of an unknown version nothing can be kept.
        let most = if blob.etag.is_some() { blob.size } else { 0 };
        let etag = blob.etag.clone();
        let opened = spawn_blocking(move || {
            let failed = |error: std::io::Error| format!("{}: {error}", path.display());
            let options = File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = options.map_err(failed)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(format!("{}: in use by another run", path.display())),
                Err(TryLockError::Error(_)) | Ok(()) => {} // not every file system has locks
            }
            let have = file.metadata().map_err(failed)?.len();
            let have = if have > most { 0 } else { have };
            let sum = hash(&mut file, have).map_err(failed)?;
            file.set_len(have).map_err(failed)?;
            Ok(Part { file, path, have, sum, etag })
        });
        opened.await.map_err(|error| error.to_string())?
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| self.broken(&error))?;
        self.sum.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what is there.
    fn restart(&mut self) -> Result<(), Failure> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|error| self.broken(&error))?;
        self.sum = Md5::new();
        self.have = 0;
        Ok(())
    }

    fn broken(&self, error: &std::io::Error) -> Failure {
        Failure::Final(format!("{}: {error}", self.path.display()))
    }

    /// Compares with the MD5 that the server has of it, if it has one.
    fn verify(&self, checksums: bool) -> Result<(), String> {
        let sum = hex(self.sum.clone().finalize());
        match self.etag.as_deref().and_then(as_md5).filter(|_| checksums) {
            Some(wanted) if wanted != sum => Err(format!("its MD5 is {sum} and should be {wanted}")),
            _ => Ok(()),
        }
    }

    /// Leaves what is there to another time, if there is something.
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

/// Copies a file.
///
/// # Errors
/// A sentence that names one of the files.
pub(crate) fn copy(from: &Path, target: &Path) -> Result<(), String> {
    let name = target.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let part = target.with_file_name(format!(".{name}.part"));
    let copied = fs::copy(from, &part).map_err(|error| format!("{}: cannot be copied: {error}", from.display()));
    copied?;
    let file = File::options().write(true).open(&part);
    let finished = file.and_then(|file| finish(file, &part, target));
    finished.map_err(|error| format!("{}: {error}", target.display()))
}

/// The sum of the first bytes of a file, and the place after them.
fn hash(file: &mut File, bytes: u64) -> std::io::Result<Md5> {
    file.seek(SeekFrom::Start(0))?;
    let (mut sum, mut left) = (Md5::new(), bytes);
    let mut buffer = vec![0; BUFFER];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        file.read_exact(&mut buffer[..most])?;
        sum.update(&buffer[..most]);
        left -= most as u64;
    }
    Ok(sum)
}

/// The MD5 that an ETag is; `None` for those of objects that were uploaded in parts.
fn as_md5(etag: &str) -> Option<String> {
    let sum = bare(etag);
    (sum.len() == 32 && sum.bytes().all(|digit| digit.is_ascii_hexdigit())).then(|| sum.to_ascii_lowercase())
}

fn bare(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}
