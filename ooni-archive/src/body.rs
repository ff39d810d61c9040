//! Reads one body by its location: the key of a file and the number of the measurement in it, as in rows of the table
//! `jsonl` (formats spec §9).
//!
//! If the gzip member of a line is known, or a file of gzip members has a [`MemberIndex`], the member is read with one ranged
//! request. Any other file is streamed from its beginning to the measurement, in bounded memory. A member of a postcan can be
//! streamed itself, by its uid.

mod find;
mod index;
mod memory;
mod post;
mod stream;

pub use self::find::Body;
pub use self::index::{IndexError, MemberIndex};
pub use self::memory::{BodyMemory, BodySpace, SMALL_BODY};
pub use self::post::PostStream;

use self::find::{FindError, find};
use self::stream::{Pieces, feed};
use crate::blobs::{Blobs, Failure, FailureKind, Retries};
use crate::can::{CanName, Expected, Format};
use crate::layout::Layout;
use crate::source::archive::{Archive, Core};
use bytes::Bytes;
use std::fs::File;
use std::future::Future;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::task::{JoinSet, spawn_blocking};

/// Maximum size of an index: about a million members.
const INDEX_SIZE: usize = 16 << 20;
/// Maximum compressed size of a member that is read into memory; files with larger members are streamed.
const MEMBER_SIZE: u64 = 64 << 20;

/// Why a body cannot be read. Messages name the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The file does not exist, or has fewer measurements.
    #[error("{0}")]
    NotFound(String),
    /// The file is damaged before the measurement, or the measurement exceeds a limit.
    #[error("{0}")]
    Invalid(String),
    /// The server cannot be reached or is overloaded, or [`BodyMemory`] is in use; retry later.
    #[error("{0}")]
    Unavailable(String),
    /// The file cannot be read; a retry fails in the same way.
    #[error("{0}")]
    Failed(String),
}

impl BodyError {
    fn of_failure(name: &str, failure: Failure) -> BodyError {
        let why = format!("{name}: {}", failure.why);
        match failure.kind {
            FailureKind::NotFound => BodyError::NotFound(why),
            FailureKind::Permanent => BodyError::Failed(why),
            FailureKind::InvalidResponse | FailureKind::Transient => BodyError::Unavailable(why),
        }
    }

    fn no_memory(key: &str) -> BodyError {
        BodyError::Unavailable(format!("{key}: too many large bodies are in memory"))
    }

    fn of_file(name: &str, error: &io::Error) -> BodyError {
        let why = format!("{name}: {error}");
        if error.kind() == ErrorKind::NotFound { BodyError::NotFound(why) } else { BodyError::Failed(why) }
    }
}

/// What some methods return. It is boxed so that the clients of servers are compiled in this crate only.
pub type Boxed<'f, T> = Pin<Box<dyn Future<Output = Result<T, BodyError>> + Send + 'f>>;

/// Where a line is in a file of gzip members: columns of the table `jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineMember {
    /// Where the member begins in the file.
    pub offset: u64,
    /// Bytes of the member.
    pub length: u64,
    /// The number of the line in the member, from 0.
    pub line: u64,
}

/// Which body.
#[derive(Clone, Debug)]
struct Wanted {
    key: String,
    expected: Expected,
    number: u64,
    member: Option<LineMember>,
    memory: Option<BodyMemory>,
}

impl Archive {
    /// Reads measurement `number`, from 0, of the file with this key: `s3path` and `linenum` of the table `jsonl`.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub async fn body(&self, key: &str, number: u64) -> Result<Body, BodyError> {
        self.found(key, number, None).await
    }

    /// The same for a line whose gzip member is known, which takes one ranged request. Without a member, or if the file has
    /// no such member, the file is read as by [`Archive::body`].
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn line<'a>(&'a self, key: &'a str, number: u64, member: Option<LineMember>) -> Boxed<'a, Body> {
        Box::pin(self.found(key, number, member))
    }

    async fn found(&self, key: &str, number: u64, member: Option<LineMember>) -> Result<Body, BodyError> {
        let expected = Expected::of_name(key.rsplit('/').next().unwrap_or_default());
        if matches!(expected.format(), None | Some(Format::Index)) {
            return Err(BodyError::NotFound(format!("{key}: not a file of measurements")));
        }
        let memory = self.core.options.memory.clone();
        let wanted = Wanted { key: key.to_owned(), expected, number, member, memory };
        let mut result = Err(BodyError::NotFound(format!("{key}: no such file")));
        for at in self.places_of(key) {
            result = self.found_at(at, &wanted).await;
            if !matches!(result, Err(BodyError::NotFound(_))) {
                break;
            }
        }
        result
    }

    /// The places that may have a key.
    fn places_of(&self, key: &str) -> Vec<usize> {
        let layout = match key.split('/').next() {
            Some("canned") => Some(Layout::Canned),
            Some("raw" | "jsonl") => Some(Layout::Raw),
            _ => None,
        };
        let places = self.core.places.iter().enumerate();
        let may_have =
            places.filter(|(_, place)| place.only.is_none_or(|only| layout.is_none_or(|layout| layout == only)));
        may_have.map(|(at, _)| at).collect()
    }

    async fn found_at(&self, at: usize, wanted: &Wanted) -> Result<Body, BodyError> {
        let Wanted { key, number, expected, member, .. } = wanted;
        if let Some(LineMember { offset, length, line }) = *member
            && let Some(end) = offset.checked_add(length)
            && (1..=MEMBER_SIZE).contains(&length)
            && let Some(bytes) = self.core.member(at, key, offset..end, None).await?
        {
            // A line says nothing about the format of the file that it is in.
            let line = Wanted { number: line, expected: Expected::Exactly(Format::Lines), ..wanted.clone() };
            match decode(line, move || Ok(Box::new(Cursor::new(bytes)))).await {
                // The file has been replaced since the member was noted.
                Err(BodyError::NotFound(_) | BodyError::Invalid(_)) => {}
                found => return found,
            }
        }
        if expected.format() == Some(Format::Lines)
            && let Some(index) = self.core.index(at, key).await?
            && let Some((range, first)) =
                index.member(*number).filter(|(range, _)| range.end - range.start <= MEMBER_SIZE)
            && let Some(bytes) = self.core.member(at, key, range, Some(index.size())).await?
        {
            let wanted = Wanted { number: number - first, ..wanted.clone() };
            return decode(wanted, move || Ok(Box::new(Cursor::new(bytes)))).await;
        }
        self.streamed(at, wanted).await
    }

    /// Reads a file from its beginning.
    async fn streamed(&self, at: usize, wanted: &Wanted) -> Result<Body, BodyError> {
        let s3 = match &self.core.places[at].blobs {
            Blobs::S3(s3) => s3,
            Blobs::Directory(_) => {
                let path = self.core.path(at, &wanted.key)?;
                return decode(wanted.clone(), move || Ok(Box::new(File::open(path)?))).await;
            }
        };
        let name = format!("{}/{}", s3.name(), wanted.key);
        let (sender, pieces) = Pieces::new();
        // Aborted when it is dropped.
        let mut feeding = JoinSet::new();
        feeding.spawn(feed(Arc::clone(&self.core), at, wanted.key.clone(), sender));
        let found = decode(wanted.clone(), move || Ok(Box::new(pieces))).await;
        match (found, feeding.join_next().await) {
            // The body was read before the download failed.
            (Ok(body), _) => Ok(body),
            (Err(_), Some(Ok(Err(failure)))) => Err(BodyError::of_failure(&name, failure)),
            (Err(error), _) => Err(error),
        }
    }
}

impl Core {
    /// The path of a key in a folder.
    fn path(&self, at: usize, key: &str) -> Result<PathBuf, BodyError> {
        let path = match &self.places[at].blobs {
            Blobs::Directory(directory) => directory.checked_path(key),
            Blobs::S3(_) => None,
        };
        path.ok_or_else(|| BodyError::NotFound(format!("{key}: no such file")))
    }

    /// The index of a file, if it has one.
    async fn index(&self, at: usize, key: &str) -> Result<Option<MemberIndex>, BodyError> {
        let index_key = MemberIndex::key_of(key);
        let text = match &self.places[at].blobs {
            Blobs::S3(s3) => {
                let name = format!("{}/{index_key}", s3.name());
                let read = Retries::new(&s3.retry, &self.counters);
                let read = read.run(|| async { s3.get(&index_key, 0, None, None).await?.body.bytes(INDEX_SIZE).await });
                match read.await {
                    Ok(text) => text,
                    // Servers that do not allow listing respond with 403 for objects that do not exist.
                    Err(failure) if failure.kind != FailureKind::Transient => return Ok(None),
                    Err(failure) => return Err(BodyError::of_failure(&name, failure)),
                }
            }
            Blobs::Directory(_) => {
                let path = self.path(at, &index_key)?;
                match blocking(&index_key, move || read_at_most(&path, INDEX_SIZE)).await {
                    Ok(text) => text,
                    Err(_) => return Ok(None),
                }
            }
        };
        // A damaged index is ignored.
        Ok(MemberIndex::parse(&text).ok())
    }

    /// A part of a file; `None` if the file has no such part, or another size than its index says, because the index belongs
    /// to another version.
    async fn member(
        &self,
        at: usize,
        key: &str,
        range: Range<u64>,
        size: Option<u64>,
    ) -> Result<Option<Bytes>, BodyError> {
        let length = range.end - range.start;
        let memory = self.options.memory.as_ref();
        let space = memory.map(|memory| memory.take(length as usize).ok_or_else(|| BodyError::no_memory(key)));
        let space = space.transpose()?;
        let bytes = self.member_bytes(at, key, range, size).await?;
        Ok(bytes.map(|bytes| match space {
            Some(space) => space.hold(bytes),
            None => bytes.into(),
        }))
    }

    async fn member_bytes(
        &self,
        at: usize,
        key: &str,
        range: Range<u64>,
        size: Option<u64>,
    ) -> Result<Option<Vec<u8>>, BodyError> {
        let length = range.end - range.start;
        match &self.places[at].blobs {
            Blobs::S3(s3) => {
                let most = usize::try_from(length).unwrap_or(usize::MAX);
                let read = Retries::new(&s3.retry, &self.counters).run(|| async {
                    let mut part = s3.get(key, range.start, Some(range.end - 1), None).await?;
                    let is_other = size.is_some_and(|size| part.total != Some(size));
                    if part.first != range.start || part.length != Some(length) || is_other {
                        return Ok(None);
                    }
                    let bytes = part.body.bytes(most).await?;
                    if bytes.len() == most {
                        Ok(Some(bytes))
                    } else {
                        Err(Failure::transient("the response is too short"))
                    }
                });
                match read.await {
                    Ok(bytes) => Ok(bytes),
                    // Streaming the file will report the error.
                    Err(failure) if failure.kind != FailureKind::Transient => Ok(None),
                    Err(failure) => Err(BodyError::of_failure(&format!("{}/{key}", s3.name()), failure)),
                }
            }
            Blobs::Directory(_) => {
                let path = self.path(at, key)?;
                let read = move || {
                    let mut file = File::open(path)?;
                    if size.is_some_and(|size| file.metadata().map_or(true, |metadata| metadata.len() != size)) {
                        return Ok(None);
                    }
                    file.seek(SeekFrom::Start(range.start))?;
                    let mut bytes = Vec::new();
                    file.take(length).read_to_end(&mut bytes)?;
                    Ok((bytes.len() as u64 == length).then_some(bytes))
                };
                blocking(key, read).await
            }
        }
    }
}

/// Decodes a file up to the measurement, on a thread for blocking work.
async fn decode<R>(wanted: Wanted, open: R) -> Result<Body, BodyError>
where
    R: FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + 'static,
{
    let found = spawn_blocking(move || {
        let Wanted { key, expected, number, memory, .. } = &wanted;
        let bytes = open().map_err(|error| BodyError::of_file(key, &error))?;
        match find(*expected, bytes, &CanName::of_path(Path::new(key)), *number, memory.as_ref()) {
            Ok(Some(body)) => Ok(body),
            Ok(None) => Err(BodyError::NotFound(format!("{key}: has no measurement {number}"))),
            Err(FindError::Invalid(why)) => Err(BodyError::Invalid(format!("{key}: {why}"))),
            Err(FindError::NoMemory) => Err(BodyError::no_memory(key)),
        }
    });
    found.await.unwrap_or_else(|error| Err(BodyError::Failed(error.to_string())))
}

async fn blocking<T: Send + 'static>(
    key: &str,
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BodyError> {
    match spawn_blocking(read).await {
        Ok(read) => read.map_err(|error| BodyError::of_file(key, &error)),
        Err(error) => Err(BodyError::Failed(format!("{key}: {error}"))),
    }
}

fn read_at_most(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
