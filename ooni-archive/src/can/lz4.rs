//! [`Lz4`]: decompresses any number of LZ4 frames of the current and the legacy format, in any order.
//!
//! Skippable frames are skipped. A frame of the legacy format has no end mark: it ends with the file or where another frame
//! begins, as in `lz4 -dc`. So a file that is truncated between blocks cannot be distinguished from a complete one. Zero
//! bytes after a current frame are padding.

use super::format::{LZ4_FRAME, LZ4_LEGACY_FRAME, is_skippable};
use super::raw::{RawBytes, can_error, unreadable};
use lz4_flex::block::decompress_into;
use lz4_flex::frame::FrameDecoder;
use ooni_core::error::Error;
use std::io::{self, ErrorKind, Read};

/// Size of the end mark of a frame.
const END_MARK: u64 = 4;

/// Decompressed size of a legacy block, except for the last one.
const LEGACY_BLOCK: usize = 8 << 20;

/// Maximum compressed size of a legacy block.
const LEGACY_COMPRESSED: usize = LEGACY_BLOCK + LEGACY_BLOCK / 255 + 16;

/// A decompressor of LZ4 frames.
pub(super) struct Lz4 {
    decoder: Box<FrameDecoder<RawBytes>>,
    state: State,
    block: LegacyBlock,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of the file.
    Begin,
    Frame,
    Legacy,
    /// After a frame.
    Between,
}

/// The block of a legacy frame that was decompressed last.
#[derive(Default)]
struct LegacyBlock {
    compressed: Vec<u8>,
    text: Vec<u8>,
    /// Bytes of the text that have been read, and their number in total.
    read: usize,
    length: usize,
}

impl Lz4 {
    /// The frames in these bytes.
    pub(super) fn new(raw: RawBytes) -> Lz4 {
        let decoder = Box::new(FrameDecoder::new(raw));
        Lz4 { decoder, state: State::Begin, block: LegacyBlock::default() }
    }

    /// Offset in the file of what is read next.
    pub(super) fn offset(&self) -> u64 {
        self.decoder.get_ref().offset()
    }

    /// Decompresses until there is output, or the file is at its end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.state {
                State::Begin | State::Between => {
                    if !self.next_frame()? {
                        return Ok(0);
                    }
                }
                State::Legacy => match self.block.read(into) {
                    0 => {
                        if !self.block.fill(self.decoder.get_mut())? {
                            self.state = State::Between;
                        }
                    }
                    bytes => return Ok(bytes),
                },
                State::Frame => {
                    let before = self.offset();
                    match self.decoder.read(into) {
                        // A frame ends with a mark. If the file ends before or inside it, the decoder does not report
                        // an error.
                        Ok(0) if self.offset() - before < END_MARK => {
                            let is_cut = self.decoder.get_mut().at_least(1).map_err(unreadable)? == 0;
                            return Err(if is_cut { cut() } else { can_error("invalid LZ4 data") });
                        }
                        Ok(0) => self.state = State::Between,
                        Ok(bytes) => return Ok(bytes),
                        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(cut()),
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) if is_of_file(&error) => return Err(unreadable(error)),
                        Err(error) => return Err(can_error(&format!("invalid LZ4 data: {error}"))),
                    }
                }
            }
        }
    }

    /// Advances to the next frame that is not skippable; false at the end of the file.
    fn next_frame(&mut self) -> Result<bool, Error> {
        loop {
            let raw = self.decoder.get_mut();
            if raw.at_least(4).map_err(unreadable)? == 0 {
                let is_empty = raw.offset() == 0;
                return if is_empty { Err(can_error("the file is empty; expected LZ4 data")) } else { Ok(false) };
            }
            let rest = raw.rest();
            if rest.starts_with(&LZ4_LEGACY_FRAME) {
                raw.take(LZ4_LEGACY_FRAME.len());
                self.block.length = 0;
                self.block.read = 0;
                self.state = State::Legacy;
                return Ok(true);
            }
            if is_skippable(rest) {
                skip_frame(raw)?;
                self.state = State::Between;
                continue;
            }
            if self.state == State::Between && rest[0] == 0 {
                let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
                let is_other = zeros < rest.len();
                raw.take(zeros);
                if is_other {
                    return Err(can_error("unexpected data after the LZ4 data"));
                }
                continue;
            }
            self.state = State::Frame;
            return Ok(true);
        }
    }
}

impl LegacyBlock {
    /// Copies decompressed text.
    fn read(&mut self, into: &mut [u8]) -> usize {
        let text = &self.text[self.read..self.length];
        let bytes = text.len().min(into.len());
        into[..bytes].copy_from_slice(&text[..bytes]);
        self.read += bytes;
        bytes
    }

    /// Decompresses the next block; false where the frame ends.
    fn fill(&mut self, raw: &mut RawBytes) -> Result<bool, Error> {
        (self.read, self.length) = (0, 0);
        if raw.at_least(4).map_err(unreadable)? == 0 {
            return Ok(false);
        }
        let Some(&head) = raw.rest().first_chunk::<4>() else {
            raw.take(raw.rest().len());
            return Err(cut());
        };
        if head == LZ4_FRAME || head == LZ4_LEGACY_FRAME || is_skippable(&head) {
            return Ok(false);
        }
        let size = u32::from_le_bytes(head) as usize;
        if size == 0 || size > LEGACY_COMPRESSED {
            return Err(can_error("invalid LZ4 data: neither a block nor another frame"));
        }
        raw.take(4);
        self.compressed.clear();
        while self.compressed.len() < size {
            let available = raw.at_least(1).map_err(unreadable)?;
            if available == 0 {
                return Err(cut());
            }
            let part = available.min(size - self.compressed.len());
            self.compressed.extend_from_slice(&raw.rest()[..part]);
            raw.take(part);
        }
        self.text.resize(LEGACY_BLOCK, 0);
        let length = decompress_into(&self.compressed, &mut self.text);
        self.length = length.map_err(|error| can_error(&format!("invalid LZ4 data: {error}")))?;
        Ok(true)
    }
}

/// Skips a skippable frame.
fn skip_frame(raw: &mut RawBytes) -> Result<(), Error> {
    let available = raw.at_least(8).map_err(unreadable)?;
    let Some(&[_, _, _, _, a, b, c, d]) = raw.rest().first_chunk::<8>() else {
        raw.take(available);
        return Err(cut());
    };
    raw.take(8);
    let mut left = u32::from_le_bytes([a, b, c, d]) as usize;
    while left > 0 {
        let bytes = raw.at_least(1).map_err(unreadable)?.min(left);
        if bytes == 0 {
            return Err(cut());
        }
        raw.take(bytes);
        left -= bytes;
    }
    Ok(())
}

/// Whether an error of the decoder was caused by the underlying file.
fn is_of_file(error: &io::Error) -> bool {
    error.raw_os_error().is_some() || error.get_ref().is_some_and(|inner| inner.is::<Error>())
}

fn cut() -> Error {
    can_error("the file ends inside its LZ4 data")
}
