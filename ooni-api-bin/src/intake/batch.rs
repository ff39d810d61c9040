//! Writes the records that share a sync.

use super::record::{HEADER, Header};
use super::segment::Mark;
use super::writer::Job;
use crate::failpoint::{Failpoint, is_armed, reach};
use crate::payload::Payload;
use std::fs::File;
use std::io::{self, IoSlice, Write as _};

/// Records that are written together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Pending>,
    /// So many of them are written.
    pub(crate) written: usize,
}

/// A record that is not durable yet.
pub(crate) struct Pending {
    pub(crate) job: Job,
    header: [u8; HEADER],
    pub(crate) mark: Mark,
    pub(crate) length: u64,
}

impl Batch {
    /// Writes the records that are not written yet. All of them are in memory.
    pub(crate) fn flush(&mut self, file: &File) -> io::Result<()> {
        let mut slices = Vec::new();
        for record in self.records.iter().skip(self.written) {
            slices.extend([IoSlice::new(&record.header), IoSlice::new(&record.job.prepared.metadata)]);
            if let Payload::Memory(bytes) = &record.job.prepared.body {
                slices.push(IoSlice::new(bytes));
            }
        }
        if slices.is_empty() {
            return Ok(());
        }
        reach(Failpoint::IntakeBeforeWrite);
        if is_armed(Failpoint::IntakeHalfRecord) {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            write_all(file, &mut [IoSlice::new(&bytes[..bytes.len() / 2])])?;
            reach(Failpoint::IntakeHalfRecord);
            write_all(file, &mut [IoSlice::new(&bytes[bytes.len() / 2..])])?;
        } else {
            write_all(file, &mut slices)?;
        }
        self.written = self.records.len();
        Ok(())
    }
}

impl Pending {
    /// A record that will be written at an offset.
    pub(crate) fn new(job: Job, mark: Mark, marker: u64) -> Pending {
        let prepared = &job.prepared;
        let header = Header {
            payload_crc: prepared.crc,
            metadata: prepared.metadata.len() as u32, // at most MAX_METADATA
            has_kept_uid: prepared.kept_uid().is_some(),
            body: prepared.body.len(),
            sequence: mark.sequence,
            received: mark.received,
            digest: prepared.digest,
        };
        Pending { header: header.encode(marker), length: header.length(), job, mark }
    }

    /// Copies a record whose body is in a file. The inner error is that of the file with the body.
    pub(crate) fn copy(&self, mut file: &File) -> io::Result<io::Result<()>> {
        let prepared = &self.job.prepared;
        file.write_all(&self.header)?;
        file.write_all(&prepared.metadata)?;
        let mut crc = crc32c::crc32c(&prepared.metadata);
        let mut write_error = None;
        let read = prepared.body.for_each_piece(|piece| {
            crc = crc32c::crc32c_append(crc, piece);
            file.write_all(piece).map_err(|error| {
                write_error = Some(error);
                io::Error::other("the copy cannot be written")
            })?;
            reach(Failpoint::IntakeHalfRecord);
            Ok(())
        });
        match write_error {
            Some(error) => Err(error),
            None if read.is_ok() && crc != prepared.crc => Ok(Err(io::Error::other("it has changed"))),
            None => Ok(read),
        }
    }
}

/// Writes all of the slices.
fn write_all(mut file: &File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0); // removes empty ones
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
