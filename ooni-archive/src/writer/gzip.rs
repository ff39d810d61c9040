//! [`Gzip`]: writes gzip members whose bytes depend on nothing but the content.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, ErrorKind, Write};

/// Size of the pieces that are compressed. A compressor may treat the same bytes in other pieces differently.
const PIECE: usize = 64 << 10;

/// A gzip file that is being written. The header has neither a time nor a name.
pub(super) struct Gzip {
    state: State,
    /// What was written and is not yet compressed; shorter than a piece.
    piece: Vec<u8>,
}

enum State {
    Between(Counted),
    Inside(Box<GzEncoder<Counted>>),
    /// After an error.
    Failed,
}

/// A file, and how many bytes were written to it.
struct Counted {
    out: Box<dyn Write + Send>,
    written: u64,
}

impl Gzip {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Gzip {
        Gzip { state: State::Between(Counted { out, written: 0 }), piece: Vec::with_capacity(PIECE) }
    }

    /// Bytes of the file so far. Up to some ten thousand bytes of the member are still held back.
    pub(super) fn written(&self) -> u64 {
        match &self.state {
            State::Between(out) => out.written,
            State::Inside(encoder) => encoder.get_ref().written,
            State::Failed => 0,
        }
    }

    /// Ends the member, which is empty if nothing was written to it; returns the size of the file. What is written next
    /// begins another member.
    ///
    /// # Errors
    /// The file cannot be written, or an earlier call failed.
    pub(super) fn end_member(&mut self) -> io::Result<u64> {
        let mut encoder = self.take()?;
        encoder.write_all(&self.piece)?;
        self.piece.clear();
        let out = encoder.finish()?;
        let written = out.written;
        self.state = State::Between(out);
        Ok(written)
    }

    /// Ends the last member, if one has begun, and the file; returns its size.
    ///
    /// # Errors
    /// The file cannot be written, or an earlier call failed.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        if self.written() == 0 || !self.is_between() {
            self.end_member()?;
        }
        match self.state {
            State::Between(mut out) => {
                out.flush()?;
                Ok(out.written)
            }
            _ => Err(incomplete()),
        }
    }

    /// Makes all further calls fail.
    pub(super) fn give_up(&mut self) {
        self.state = State::Failed;
    }

    /// Whether no member has begun since the last one ended.
    fn is_between(&self) -> bool {
        matches!(self.state, State::Between(_)) && self.piece.is_empty()
    }

    /// The current member. Unless it is put back, all further calls fail.
    fn take(&mut self) -> io::Result<Box<GzEncoder<Counted>>> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Between(out) => Ok(Box::new(GzEncoder::new(out, Compression::default()))),
            State::Inside(encoder) => Ok(encoder),
            State::Failed => Err(incomplete()),
        }
    }
}

impl Write for Gzip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.state, State::Failed) {
            return Err(incomplete());
        }
        let length = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..length]);
        if self.piece.len() == PIECE {
            let mut encoder = self.take()?;
            encoder.write_all(&self.piece)?;
            self.piece.clear();
            self.state = State::Inside(encoder);
        }
        Ok(length)
    }

    /// Does nothing: it would change how the content is compressed.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.written += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn incomplete() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "the file is incomplete after an earlier error")
}
