//! [`PostcanWriter`]: POST bodies as a tar archive (formats spec §6).

use super::gzip::Gzip;
use super::tar::{END, LARGEST, headers, padding};
use crate::side::{IS_VERIFIED, REPORT_ID};
use ooni_core::uid;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

/// Compressed size beyond which a postcan gets no further members (formats spec §5.2).
pub const POSTCAN_SIZE: u64 = 20_000_000;

/// Maximum length of a uid, as in stores.
const LONGEST_UID: usize = 600;

/// A POST body that is added to a can, and its side record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Post<'p> {
    /// The uid, from which the member gets its name and time.
    pub uid: &'p str,
    /// Bytes of the body.
    pub size: u64,
    /// The report id that the server assigned, if it did: [`REPORT_ID`].
    pub report_id: Option<&'p str>,
    /// The result of verifying credentials, if the body does not contain it: [`IS_VERIFIED`].
    pub is_verified: Option<&'p str>,
}

/// Writes a postcan or a quarantine can: a tar archive of POST bodies, compressed with gzip.
///
/// Members are `<folder>/<uid>.post`, with mode 0644, owner 0 and the receive time in the uid, or 1970 if it has none. After
/// an error the file is incomplete, and all further calls fail.
pub struct PostcanWriter {
    gzip: Gzip,
    folder: String,
    members: u64,
}

impl PostcanWriter {
    /// Writes to a file, usually with the folder of [`HourlyCan`](crate::layout::HourlyCan::members_folder).
    pub fn new(out: Box<dyn Write + Send>, folder: &str) -> PostcanWriter {
        PostcanWriter { gzip: Gzip::new(out), folder: folder.trim_matches('/').to_owned(), members: 0 }
    }

    /// Adds a POST body, without keeping it in memory.
    ///
    /// # Errors
    /// Uids and values that cannot be written, which are refused before anything is written; a body that cannot be read, or
    /// is shorter or longer than `post.size`; the file cannot be written.
    pub fn append(&mut self, post: &Post<'_>, body: &mut dyn Read) -> io::Result<()> {
        let Post { uid, size, report_id, is_verified } = *post;
        let is_name = |uid: &str| {
            (1..=LONGEST_UID).contains(&uid.len()) && !uid.contains('/') && !uid.chars().any(char::is_control)
        };
        if !is_name(uid) {
            return Err(invalid(format!("{uid:.80?} cannot be the name of a member")));
        }
        if size > LARGEST {
            return Err(invalid(format!("{uid}: {size} bytes are too many for a member")));
        }
        let mut records = Vec::new();
        for (key, value) in [(REPORT_ID, report_id), (IS_VERIFIED, is_verified)] {
            match value {
                // Some readers split records at line feeds, whatever their length.
                Some(value) if value.chars().any(char::is_control) => {
                    return Err(invalid(format!("{uid}: {value:.80?} cannot be the value of {key}")));
                }
                Some(value) => records.push((key, value)),
                None => {}
            }
        }
        let received = uid::received_at(uid).and_then(|(time, _)| u64::try_from(time.timestamp()).ok());
        let name = match &*self.folder {
            "" => format!("{uid}.post"),
            folder => format!("{folder}/{uid}.post"),
        };
        self.gzip.write_all(&headers(&name, size, received.unwrap_or(0), &records))?;
        self.content(uid, size, body).inspect_err(|_| self.gzip.give_up())?;
        self.gzip.write_all(&END[..padding(size)])?;
        self.members += 1;
        Ok(())
    }

    fn content(&mut self, uid: &str, size: u64, body: &mut dyn Read) -> io::Result<()> {
        let copied = io::copy(&mut body.take(size), &mut self.gzip)?;
        if copied < size {
            let why = format!("{uid}: the body ends after {copied} of {size} bytes");
            return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
        }
        if io::copy(&mut body.take(1), &mut io::sink())? > 0 {
            return Err(invalid(format!("{uid}: the body has more than {size} bytes")));
        }
        Ok(())
    }

    /// Members so far.
    pub fn members(&self) -> u64 {
        self.members
    }

    /// Bytes written to the file so far. Up to some ten thousand more are held back by the compressor.
    pub fn compressed_size(&self) -> u64 {
        self.gzip.written()
    }

    /// Whether the can has more than [`POSTCAN_SIZE`] bytes, so that it gets no further members. It depends on the members
    /// only.
    pub fn is_full(&self) -> bool {
        self.compressed_size() > POSTCAN_SIZE
    }

    /// Ends the archive; returns the size of the file.
    ///
    /// # Errors
    /// The file cannot be written, or an earlier call failed.
    pub fn finish(mut self) -> io::Result<u64> {
        self.gzip.write_all(&END)?;
        self.gzip.finish()
    }
}

impl fmt::Debug for PostcanWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostcanWriter")
            .field("folder", &self.folder)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}
