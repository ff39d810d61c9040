//! A segment: a file with the records of one hour, or of a part of it.
//!
//! Its name is `YYYYmmddHH-N.seg`, with the hour and the sequence number of its first record in 20 digits. It begins with
//! two copies of this header of 64 bytes, so that one damaged byte does not cost the segment; records follow at offset 128
//! without gaps. All numbers are little-endian.
//!
//! | Offset | Length | Field |
//! | --- | --- | --- |
//! | 0 | 8 | `OONIlog` and a line feed |
//! | 8 | 4 | CRC-32C of bytes 12 to 63 |
//! | 12 | 4 | version, 1 |
//! | 16 | 8 | start of the hour in microseconds since 1970 |
//! | 24 | 8 | sequence number of the first record |
//! | 32 | 8 | all records are received after this time, in microseconds since 1970 |
//! | 40 | 8 | marker of the records |
//! | 48 | 16 | 0 |
//!
//! A segment is written under a temporary name and renamed, so under its name it always has a whole header.

use super::error::Error;
use super::record::number;
use crate::clock::{Hour, Timestamp};
use crate::failpoint::{Failpoint, reach};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the records begin.
pub(crate) const DATA_START: u64 = 128;

const MAGIC: &[u8; 8] = b"OONIlog\n";
const VERSION: u32 = 1;
const COPY: usize = 64;

/// Of so many records, one is in the index.
const MARK_RECORDS: u64 = 64;

/// Records in the index are at least this far apart, unless there are `MARK_RECORDS` in between.
const MARK_BYTES: u64 = 256 << 10;

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) hour: Hour,
    /// Sequence number of the first record.
    pub(crate) first: u64,
    /// All records are received after this time.
    pub(crate) floor: Timestamp,
    pub(crate) marker: u64,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; COPY] {
        let mut bytes = [0; COPY];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[12..16].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.hour.start().micros().to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.floor.micros().to_le_bytes());
        bytes[40..48].copy_from_slice(&self.marker.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header, or the version of a copy that is whole.
    fn decode(bytes: &[u8]) -> Option<Result<SegmentHeader, u32>> {
        if bytes[..8] != *MAGIC || number(&bytes[8..12]) != u64::from(crc32c::crc32c(&bytes[12..])) {
            return None;
        }
        let version = u32::try_from(number(&bytes[12..16])).ok()?;
        if version != VERSION {
            return Some(Err(version));
        }
        Some(Ok(SegmentHeader {
            hour: Timestamp::from_micros(number(&bytes[16..24])).hour(),
            first: number(&bytes[24..32]),
            floor: Timestamp::from_micros(number(&bytes[32..40])),
            marker: number(&bytes[40..48]),
        }))
    }

    /// Reads the header of a file; `None` if both copies are damaged, or the file is too short for them.
    pub(crate) fn read(file: &File, path: &Path) -> Result<Option<SegmentHeader>, Error> {
        let mut bytes = [0; 2 * COPY];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(Error::io("read", path, error)),
        }
        match bytes.chunks(COPY).find_map(SegmentHeader::decode) {
            None => Ok(None),
            Some(Ok(header)) => Ok(Some(header)),
            Some(Err(version)) => Err(Error::Version { path: path.to_owned(), version }),
        }
    }

    /// The path of the segment.
    pub(crate) fn path(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}-{:020}.seg", self.hour, self.first))
    }

    /// Creates a segment. It is durable when this returns; an empty one of the same name is replaced.
    pub(crate) fn create(&self, directory: &Path) -> Result<(File, PathBuf), Error> {
        let path = self.path(directory);
        let temporary = path.with_extension("seg.tmp");
        let write = || {
            let _ = std::fs::remove_file(&temporary);
            let mut file = OpenOptions::new().create_new(true).append(true).read(true).open(&temporary)?;
            file.write_all(&[self.encode(), self.encode()].concat())?;
            file.sync_all()?;
            reach(Failpoint::SegmentWritten);
            std::fs::rename(&temporary, &path)?;
            reach(Failpoint::SegmentRenamed);
            sync_directory(directory)?;
            Ok(file)
        };
        match write() {
            Ok(file) => Ok((file, path)),
            Err(error) => {
                let _ = std::fs::remove_file(&temporary);
                Err(Error::io("create", &path, error))
            }
        }
    }
}

/// Makes the creation, renaming and deletion of files durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Creates a directory and those above it that do not exist, durably. One that exists may be left by a process that was killed
/// before it had synced its parent, so that is always done.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    let parent = match directory.parent() {
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_directory(parent)?;
            std::fs::create_dir(directory)?;
        }
        Err(_) if directory.is_dir() => {}
        created => created?,
    }
    sync_directory(parent)
}

/// Hour and first sequence number in the name of a segment.
pub(crate) fn parse_name(name: &OsStr) -> Option<(u64, Hour)> {
    let (hour, first) = name.to_str()?.strip_suffix(".seg")?.split_once('-')?;
    (first.len() == 20 && first.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    Some((first.parse().ok()?, Hour::parse(hour)?))
}

/// A segment in memory.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    pub(crate) path: PathBuf,
    contents: Mutex<Contents>,
}

/// What is durable in a segment.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// Number of whole records.
    pub(crate) records: u64,
    /// Sequence number of the last record; that before the first if there are none.
    pub(crate) last: u64,
    /// Receive time of the last record; the floor if there are none.
    pub(crate) received: Timestamp,
    /// Where the last record ends.
    pub(crate) length: u64,
    /// Whether nothing will be added.
    pub(crate) closed: bool,
    /// Some of the records, in order.
    marks: Vec<Mark>,
    kept: Kept,
    /// Records that cannot be read: the sequence number of the first one and how many follow each other.
    damage: BTreeMap<u64, u64>,
}

/// Where a record is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) sequence: u64,
    pub(crate) received: Timestamp,
    pub(crate) offset: u64,
}

/// Hashes of UIDs that were kept, and where their records are.
#[derive(Clone, Debug, Default)]
struct Kept {
    growing: HashMap<u64, Mark>,
    /// Those of a closed segment, sorted: they take half the memory.
    sorted: Box<[(u64, Mark)]>,
}

impl Kept {
    fn get(&self, hash: u64) -> Option<Mark> {
        let sorted = || {
            let place = self.sorted.binary_search_by_key(&hash, |(hash, _)| *hash).ok()?;
            Some(self.sorted.get(place)?.1)
        };
        self.growing.get(&hash).copied().or_else(sorted)
    }

    fn close(&mut self) {
        if self.growing.is_empty() {
            return;
        }
        let mut all: Vec<(u64, Mark)> = self.sorted.iter().copied().chain(std::mem::take(&mut self.growing)).collect();
        all.sort_unstable_by_key(|(hash, _)| *hash);
        self.sorted = all.into();
    }
}

impl Contents {
    /// Notes that nothing will be added.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.kept.close();
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, mark: Mark, length: u64, kept_uid: Option<&str>) {
        let is_far = |last: &Mark| {
            mark.sequence - last.sequence >= MARK_RECORDS || mark.offset.saturating_sub(last.offset) >= MARK_BYTES
        };
        if self.marks.last().is_none_or(is_far) {
            self.marks.push(mark);
        }
        if let Some(uid) = kept_uid {
            self.kept.growing.insert(hash(uid), mark);
        }
        self.records += 1;
        self.last = mark.sequence;
        self.received = mark.received;
        self.length = mark.offset + length;
    }

    /// The last marked record that is not after a sequence number.
    pub(crate) fn mark_of_sequence(&self, sequence: u64) -> Option<Mark> {
        let after = self.marks.partition_point(|mark| mark.sequence <= sequence);
        self.marks.get(after.checked_sub(1)?).copied()
    }

    /// The last marked record that was not received after a time.
    pub(crate) fn mark_of_time(&self, time: Timestamp) -> Option<Mark> {
        let after = self.marks.partition_point(|mark| mark.received <= time);
        self.marks.get(after.checked_sub(1)?).copied()
    }

    /// Where a record with a kept UID may be.
    pub(crate) fn mark_of_kept(&self, uid: &str) -> Option<Mark> {
        self.kept.get(hash(uid))
    }

    /// Notes that records cannot be read; whether that is news.
    pub(crate) fn add_damage(&mut self, first: u64, records: u64) -> bool {
        self.damage.insert(first, records).is_none()
    }

    /// Whether a part cannot be read.
    pub(crate) fn is_damaged(&self) -> bool {
        !self.damage.is_empty()
    }

    /// How many records cannot be read.
    pub(crate) fn damaged(&self) -> u64 {
        self.damage.values().sum()
    }
}

impl Segment {
    /// A segment without records.
    pub(crate) fn new(header: SegmentHeader, path: PathBuf) -> Segment {
        let contents = Contents {
            records: 0,
            last: header.first.saturating_sub(1),
            received: header.floor,
            length: DATA_START,
            closed: false,
            marks: Vec::new(),
            kept: Kept::default(),
            damage: BTreeMap::new(),
        };
        Segment { header, path, contents: Mutex::new(contents) }
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(|error| Error::io("open", &self.path, error))
    }

    pub(crate) fn info(&self) -> SegmentInfo {
        let contents = self.contents();
        SegmentInfo {
            hour: self.header.hour,
            path: self.path.clone(),
            first_sequence: self.header.first,
            last_sequence: contents.last,
            records: contents.records,
            damaged: contents.damaged(),
            length: contents.length,
            closed: contents.closed,
        }
    }
}

/// A description of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The hour in which its records were received. An hour may have several segments.
    pub hour: Hour,
    /// The file.
    pub path: PathBuf,
    /// Sequence number of the first record.
    pub first_sequence: u64,
    /// Sequence number of the last record; that before the first if there are none.
    pub last_sequence: u64,
    /// Number of records, without those that are known to be damaged.
    pub records: u64,
    /// Number of records that cannot be read, as far as that is known.
    pub damaged: u64,
    /// Durable length in bytes.
    pub length: u64,
    /// Whether nothing will be added.
    pub closed: bool,
}

fn hash(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        let hour = Hour::parse("2021020822").unwrap();
        SegmentHeader { hour, first: 12, floor: Timestamp::from_micros(77), marker: u64::MAX - 1 }
    }

    #[test]
    fn a_segment_survives_a_damaged_copy_of_its_header() {
        let directory = tempfile::tempdir().unwrap();
        let (file, path) = header().create(directory.path()).unwrap();
        assert_eq!(path.file_name().unwrap(), "2021020822-00000000000000000012.seg");
        assert_eq!(file.metadata().unwrap().len(), DATA_START);
        let whole = std::fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(SegmentHeader::read(&File::open(&path).unwrap(), &path).unwrap(), Some(header()), "{place}");
        }
        std::fs::write(&path, [0; 128]).unwrap();
        assert_eq!(SegmentHeader::read(&File::open(&path).unwrap(), &path).unwrap(), None);
        std::fs::write(&path, &whole[..127]).unwrap();
        assert_eq!(SegmentHeader::read(&File::open(&path).unwrap(), &path).unwrap(), None);
    }

    #[test]
    fn a_later_version_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.seg");
        let mut bytes = header().encode();
        bytes[12] = 2;
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(&path, [bytes, bytes].concat()).unwrap();
        let error = SegmentHeader::read(&File::open(&path).unwrap(), &path).unwrap_err();
        assert!(matches!(error, Error::Version { version: 2, .. }), "{error}");
    }

    #[test]
    fn directories() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b/c");
        for _ in 0..2 {
            create_directory(&directory).unwrap();
            assert!(directory.is_dir());
        }
        create_directory(Path::new("/")).unwrap();
        create_directory(Path::new("src")).unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(create_directory(&root.path().join("file")).is_err());
        assert!(create_directory(&root.path().join("file/a")).is_err());
    }

    #[test]
    fn names() {
        let parse = |name: &str| parse_name(OsStr::new(name));
        assert_eq!(parse("2021020822-00000000000000000012.seg"), Some((12, header().hour)));
        for name in
            ["2021020822-12.seg", "2021020825-00000000000000000012.seg", "2021020822-0000000000000000001x.seg", "a"]
        {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
