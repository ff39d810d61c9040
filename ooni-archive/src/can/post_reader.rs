//! [`PostReader`]: one POST body of a tar archive, read in pieces.

use super::format::Compression;
use super::input::Input;
use super::members::{Member, Members, Next};
use crate::chunk::Chunk;
use crate::limits::RATIO_FREE;
use ooni_core::error::{Code, Error};
use ooni_core::measurement::SideRecord;
use std::io::Read;

/// Size of the buffer. Headers are read as a whole, so it grows if an extended header is long.
const BUFFER: usize = 256 << 10;

/// A POST body that is being read.
pub(crate) struct PostReader {
    input: Input,
    chunk: Chunk,
    /// Where the bytes begin that were read and not used.
    start: usize,
    members: Members,
    size: u64,
    side: SideRecord<'static>,
}

impl PostReader {
    /// Looks for the member `<uid>.post` in a postcan, in any folder, and skips the members before it; `None` if there is
    /// none.
    ///
    /// # Errors
    /// The archive is damaged before the member.
    pub(crate) fn open(file: Box<dyn Read + Send>, uid: &str) -> Result<Option<PostReader>, Error> {
        // The ratio of compression is not limited, because nothing is kept.
        let (input, _) = Input::detected(file, Compression::Gzip, u64::MAX, RATIO_FREE);
        let (chunk, members, side) = (Chunk::new(BUFFER), Members::new(), SideRecord::EMPTY);
        let mut reader = PostReader { input, chunk, start: 0, members, size: 0, side };
        let wanted = format!("{uid}.post");
        loop {
            match reader.members.next(&mut reader.chunk, &mut reader.start) {
                Next::File(Member { name, size, side, .. }) => {
                    if name.rsplit(|byte| *byte == b'/').next() == Some(wanted.as_bytes()) {
                        (reader.size, reader.side) = (size, side);
                        return Ok(Some(reader));
                    }
                    reader.members.skip(size);
                }
                Next::Other(..) => {}
                Next::Lost(_, error) => return Err(error),
                Next::NeedsMore => {
                    if !reader.refill()? {
                        let pending = reader.chunk.filled() - reader.start;
                        return reader.members.ended(pending).map_or(Ok(None), Err);
                    }
                }
            }
        }
    }

    /// Bytes of the body.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Its side record.
    pub(crate) fn side(&self) -> &SideRecord<'static> {
        &self.side
    }

    /// The next bytes of the body; empty at its end.
    ///
    /// # Errors
    /// The archive is damaged here.
    pub(crate) fn next(&mut self) -> Result<&[u8], Error> {
        let left = self.members.left();
        if left > 0 && self.chunk.filled() == self.start && !self.refill()? {
            return Err(Error::new(Code::Can, "", "the archive ends inside this member"));
        }
        let start = self.start;
        let pending = self.chunk.pending(start);
        let piece = usize::try_from(left).map_or(pending, |left| &pending[..left.min(pending.len())]);
        self.members.take(piece.len() as u64);
        self.start += piece.len();
        Ok(piece)
    }

    /// Reads more bytes; false at the end.
    fn refill(&mut self) -> Result<bool, Error> {
        self.chunk.forget_until(&mut self.start);
        let bytes = self.input.read(self.chunk.room()).map_err(|failed| failed.error)?;
        self.chunk.advance(bytes);
        Ok(bytes > 0)
    }
}
