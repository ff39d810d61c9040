//! [`ChunkReader`]: reads decompressed bytes into chunks.

use super::input::{Input, InputError};
use crate::chunk::{Chunk, TARGET};

/// Reads decompressed bytes, and carries an incomplete entry over from one chunk to the next.
#[derive(Debug)]
pub(super) struct ChunkReader {
    input: Input,
    rest: Vec<u8>,
}

/// The result of reading more bytes.
#[derive(Debug)]
pub(super) enum Refill {
    /// There is more text in the chunk.
    Text,
    /// The chunk is full. What was pending is kept for the next one.
    Full,
    /// The file is at its end.
    End,
    /// The file is damaged here.
    Failed(InputError),
}

impl ChunkReader {
    pub(super) fn new(input: Input) -> ChunkReader {
        ChunkReader { input, rest: Vec::new() }
    }

    /// Copies the pending bytes of the last chunk into this one; returns where they begin.
    pub(super) fn resume(&mut self, chunk: &mut Chunk) -> usize {
        let start = chunk.filled();
        chunk.append(&self.rest);
        self.rest.clear();
        self.rest.shrink_to(TARGET);
        start
    }

    /// Keeps what is pending, from `start` on, for the next chunk.
    pub(super) fn keep_rest(&mut self, chunk: &mut Chunk, start: usize) {
        self.rest.extend_from_slice(chunk.pending(start));
        chunk.truncate(start);
    }

    /// Reads more bytes. The pending bytes begin at `start`; they stay contiguous, but may be moved.
    pub(super) fn refill(&mut self, chunk: &mut Chunk, start: &mut usize) -> Refill {
        if chunk.entries().is_empty() {
            chunk.forget_until(start);
        }
        if chunk.is_full() || chunk.check_growth() {
            self.keep_rest(chunk, *start);
            return Refill::Full;
        }
        match self.input.read(chunk.room()) {
            Ok(0) => Refill::End,
            Ok(bytes) => {
                chunk.advance(bytes);
                Refill::Text
            }
            Err(failed) => Refill::Failed(failed),
        }
    }
}
