//! [`Input`]: the decompressed bytes of a file. All decompression is here, and is bounded here.
//!
//! Bytes that were decompressed before an error are returned before the error.

use super::format::{Compression, PEEK};
use super::gzip::Gzip;
use super::lz4::Lz4;
use super::raw::{RawBytes, unreadable};
use crate::limits::RATIO_FREE;
use ooni_core::error::{Code, Error};
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Maximum number of layers of compression. Files that were compressed again do occur.
const MOST_LAYERS: usize = 3;

/// Why the rest of a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// Offset in the file as it is stored.
    pub offset: u64,
    /// What is wrong.
    pub error: Error,
}

/// The decompressed bytes of a file.
pub struct Input {
    decoder: Decoder,
    /// The first bytes, if they were peeked at; those from `peeked_at` on have not been read.
    peeked: Vec<u8>,
    peeked_at: usize,
    total_out: u64,
    ratio: u64,
    /// Decompressed bytes up to which the ratio is not checked.
    ratio_free: u64,
    failed: Option<InputError>,
    /// Offset in the stored file, if this is an inner layer of compression.
    outer_offset: Option<Arc<AtomicU64>>,
}

enum Decoder {
    Plain(RawBytes),
    Gzip(Gzip),
    Lz4(Box<Lz4>),
}

impl Decoder {
    fn new(compression: Compression, raw: RawBytes) -> Decoder {
        match compression {
            Compression::None => Decoder::Plain(raw),
            Compression::Gzip => Decoder::Gzip(Gzip::new(raw)),
            Compression::Lz4 => Decoder::Lz4(Box::new(Lz4::new(raw))),
        }
    }
}

impl Input {
    /// Uncompressed bytes.
    pub fn plain(file: Box<dyn Read + Send>) -> Input {
        Input::new(Compression::None, RawBytes::new(file), u64::MAX)
    }

    /// Gzip. Beyond [`RATIO_FREE`] bytes, it is an error if the ratio of decompressed to compressed size exceeds `ratio`.
    pub fn gzip(file: Box<dyn Read + Send>, ratio: u64) -> Input {
        Input::new(Compression::Gzip, RawBytes::new(file), ratio)
    }

    /// LZ4 frames, with the same bound.
    pub fn lz4(file: Box<dyn Read + Send>, ratio: u64) -> Input {
        Input::new(Compression::Lz4, RawBytes::new(file), ratio)
    }

    /// Detects the compression from the first bytes, with several layers or none, and the same bound beyond `ratio_free`
    /// bytes. An empty file has the `expected` compression. Also returns the outermost compression.
    pub(super) fn detected(
        file: Box<dyn Read + Send>,
        expected: Compression,
        ratio: u64,
        ratio_free: u64,
    ) -> (Input, Compression) {
        let mut raw = RawBytes::new(file);
        let failed = raw.at_least(4).err();
        let outermost = if raw.rest().is_empty() { expected } else { Compression::of_bytes(raw.rest()) };
        let mut input = Input { ratio_free, ..Input::new(outermost, raw, ratio) };
        if let Some(error) = failed {
            input.failed = Some(InputError { offset: 0, error: unreadable(error) });
        }
        for _ in 1..MOST_LAYERS {
            while input.peek().len() < 4 && input.peek_more() {}
            let inner = Compression::of_bytes(input.peek());
            if input.peek().len() < 4 || inner == Compression::None {
                break;
            }
            let outer_offset = input.outer_offset.clone().unwrap_or_default();
            let layer = Layer { input, offset: Arc::clone(&outer_offset) };
            input = Input { ratio_free, ..Input::new(inner, RawBytes::new(Box::new(layer)), ratio) };
            input.outer_offset = Some(outer_offset);
        }
        (input, outermost)
    }

    fn new(compression: Compression, raw: RawBytes, ratio: u64) -> Input {
        Input {
            decoder: Decoder::new(compression, raw),
            peeked: Vec::new(),
            peeked_at: 0,
            total_out: 0,
            ratio,
            ratio_free: RATIO_FREE,
            failed: None,
            outer_offset: None,
        }
    }

    /// The first bytes peeked at so far. Nothing of the input may have been read.
    pub(super) fn peek(&self) -> &[u8] {
        &self.peeked
    }

    /// Peeks at more of the first bytes; false when there are no more, or [`PEEK`] bytes were peeked at.
    pub(super) fn peek_more(&mut self) -> bool {
        let length = self.peeked.len();
        if length >= PEEK {
            return false;
        }
        let mut peeked = std::mem::take(&mut self.peeked);
        peeked.resize(PEEK, 0);
        let more = self.decode(&mut peeked[length..]).unwrap_or_default();
        peeked.truncate(length + more);
        self.peeked = peeked;
        more > 0
    }

    /// Skips some of the bytes that were peeked at.
    pub(super) fn skip_peeked(&mut self, bytes: usize) {
        self.peeked_at = bytes.min(self.peeked.len());
    }

    /// Whether the first bytes could not be read.
    pub(super) fn failed_at_once(&self) -> bool {
        self.failed.is_some() && self.peeked.is_empty()
    }

    /// Reads bytes; 0 is the end.
    ///
    /// # Errors
    /// [`InputError`] where the file is damaged, and for each later call.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, InputError> {
        let peeked = &self.peeked[self.peeked_at..];
        if peeked.is_empty() {
            return self.decode(into);
        }
        let bytes = peeked.len().min(into.len());
        into[..bytes].copy_from_slice(&peeked[..bytes]);
        self.peeked_at += bytes;
        if self.peeked_at == self.peeked.len() {
            (self.peeked, self.peeked_at) = (Vec::new(), 0);
        }
        Ok(bytes)
    }

    fn decode(&mut self, into: &mut [u8]) -> Result<usize, InputError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let (bytes, result) = match &mut self.decoder {
            Decoder::Plain(raw) => split(raw.read(into).map_err(unreadable)),
            Decoder::Gzip(gzip) => gzip.read(into),
            Decoder::Lz4(lz4) => split(lz4.read(into)),
        };
        self.total_out += bytes as u64;
        let result = result.and_then(|()| self.check_ratio());
        // Bytes that were decompressed before the error are returned first.
        match result {
            Err(error) => {
                let failed = InputError { offset: self.offset(), error };
                self.failed = Some(failed.clone());
                if bytes > 0 { Ok(bytes) } else { Err(failed) }
            }
            Ok(()) => Ok(bytes),
        }
    }

    /// Offset in the stored file of the next bytes to decompress.
    fn offset(&self) -> u64 {
        match (&self.outer_offset, &self.decoder) {
            (Some(offset), _) => offset.load(Ordering::Relaxed),
            (None, Decoder::Plain(raw) | Decoder::Gzip(Gzip { raw, .. })) => raw.offset(),
            (None, Decoder::Lz4(lz4)) => lz4.offset(),
        }
    }

    fn check_ratio(&self) -> Result<(), Error> {
        let ratio = self.ratio;
        if self.total_out <= self.ratio_free || self.total_out / ratio <= self.offset() {
            return Ok(());
        }
        Err(Error::new(Code::Limit, "", format!("decompresses to more than {ratio} times its size")))
    }
}

fn split(result: Result<usize, Error>) -> (usize, Result<(), Error>) {
    match result {
        Ok(bytes) => (bytes, Ok(())),
        Err(error) => (0, Err(error)),
    }
}

/// Decompressed bytes that are compressed data themselves.
struct Layer {
    input: Input,
    /// Offset in the stored file.
    offset: Arc<AtomicU64>,
}

impl Read for Layer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let result = self.input.read(into);
        // An inner layer sets it itself.
        if self.input.outer_offset.is_none() {
            self.offset.store(self.input.offset(), Ordering::Relaxed);
        }
        result.map_err(|failed| io::Error::other(failed.error))
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Returns one byte at a time.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let Some(&byte) = self.0.get(self.1) else { return Ok(0) };
            self.1 += 1;
            into[0] = byte;
            Ok(1)
        }
    }

    fn detected(bytes: &[u8]) -> Input {
        Input::detected(Box::new(Slow(bytes.to_vec(), 0)), Compression::None, 500, RATIO_FREE).0
    }

    fn all(mut input: Input) -> (Vec<u8>, Option<(u64, String)>) {
        let (mut out, mut room) = (Vec::new(), [0; 1000]);
        loop {
            match input.read(&mut room) {
                Ok(0) => return (out, None),
                Ok(bytes) => out.extend_from_slice(&room[..bytes]),
                Err(InputError { offset, error }) => return (out, Some((offset, error.to_string()))),
            }
        }
    }

    fn both(bytes: &[u8]) -> (Vec<u8>, Option<(u64, String)>) {
        let slow = all(Input::gzip(Box::new(Slow(bytes.to_vec(), 0)), 500));
        let fast = all(Input::gzip(Box::new(std::io::Cursor::new(bytes.to_vec())), 500));
        assert_eq!(slow, fast);
        let by_bytes = all(detected(bytes));
        if bytes.starts_with(&[0x1f]) {
            assert_eq!(by_bytes, fast);
        } else {
            assert_eq!(by_bytes, (bytes.to_vec(), None));
        }
        fast
    }

    #[test]
    fn members_padding_garbage() {
        let text: Vec<u8> = (0..50_000u32).flat_map(|i| (i * i).to_le_bytes()).collect();
        let one = packed(&text);
        assert_eq!(both(&one), (text.clone(), None));
        let two = [&*one, &*packed(b""), &*one].concat();
        assert_eq!(both(&two), ([&*text, &*text].concat(), None));
        assert_eq!(both(&[&*one, &[0; 700]].concat()), (text.clone(), None));
        let end = one.len() as u64;
        // Padding between members, as left by tapes and some writers.
        let padded = [&*one, &[0; 300], &*packed(b""), &[0; 70_000], &*one, b"\0"].concat();
        assert_eq!(both(&padded), ([&*text, &*text].concat(), None));
        for (tail, at) in [(&b"garbage"[..], end), (b"\0\0x", end + 2), (b"\0{\x8b", end + 1)] {
            let (out, broken) = both(&[&*one, tail].concat());
            assert_eq!(
                (out, broken.unwrap()),
                (text.clone(), (at, "E-CAN: unexpected data after the gzip data".into()))
            );
        }
        let (out, broken) = both(&[&*one, b"\x1fgarbage"].concat());
        assert_eq!(out, text);
        assert!(broken.unwrap().1.starts_with("E-CAN: invalid gzip data"));
        let (out, broken) = both(&[&*one, b"\0\x1f\x8b"].concat());
        assert_eq!((out, broken.unwrap()), (text, (end + 3, "E-CAN: the file ends inside its gzip data".into())));
    }

    #[test]
    fn several_layers_of_compression() {
        let text: Vec<u8> = (0..50_000u32).flat_map(|i| (i * i).to_le_bytes()).collect();
        let lz4 = |text: &[u8]| {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        for file in [packed(&packed(&text)), lz4(&packed(&text)), packed(&lz4(&packed(&text)))] {
            assert_eq!(all(detected(&file)), (text.clone(), None));
            let (out, broken) = all(detected(&file[..file.len() / 2]));
            assert!(text.starts_with(&out));
            assert_eq!(broken.unwrap().0, file.len() as u64 / 2);
        }
        // The number of layers is bounded.
        let deep = packed(&packed(&packed(&packed(&text))));
        assert_eq!(all(detected(&deep)), (packed(&text), None));
        let bomb = packed(&packed(&vec![b' '; 200 << 20]));
        let (out, broken) =
            all(Input::detected(Box::new(std::io::Cursor::new(bomb)), Compression::None, 500, RATIO_FREE).0);
        assert!(out.len() < RATIO_FREE as usize + 100_000);
        assert!(broken.unwrap().1.starts_with("E-LIMIT: decompresses to more than 500 times its size"));
    }

    /// Blocks of 8 MiB behind a magic number, as `lz4 -l` writes them.
    fn legacy(text: &[u8]) -> Vec<u8> {
        let mut out = super::super::format::LZ4_LEGACY_FRAME.to_vec();
        for block in text.chunks(8 << 20) {
            let block = lz4_flex::block::compress(block);
            out.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
            out.extend(block);
        }
        out
    }

    #[test]
    fn legacy_frames() {
        let text: Vec<u8> = (0..3_000_000u32).flat_map(|i| (i / 5).to_le_bytes()).collect();
        assert!(text.len() > 8 << 20);
        let frame = legacy(&text);
        let read = |bytes: &[u8]| all(Input::lz4(Box::new(std::io::Cursor::new(bytes.to_vec())), 500));
        assert_eq!(read(&frame), (text.clone(), None));
        let small = &text[..100_000];
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(small).unwrap();
        let current = encoder.finish().unwrap();
        let skippable = [&b"\x53\x2a\x4d\x18\x05\0\0\0"[..], b"other"].concat();
        let mixed = [&*legacy(small), &*legacy(b""), &*current, &*skippable, &*legacy(small), &*skippable, &*current];
        assert_eq!(read(&mixed.concat()), ([small; 4].concat(), None));
        assert_eq!(all(detected(&mixed.concat())), ([small; 4].concat(), None));
        // Zeros after a current frame are padding, as in lz4; in a legacy frame they are not a block.
        assert_eq!(read(&[&*current, &[0; 999]].concat()), (small.to_vec(), None));
        let (out, broken) = read(&[&*current, b"\0\0x"].concat());
        let error = "E-CAN: unexpected data after the LZ4 data".to_owned();
        assert_eq!((out, broken), (small.to_vec(), Some((current.len() as u64 + 2, error))));
        let whole = legacy(small);
        let (out, broken) = read(&[&*whole, &[0; 8]].concat());
        assert_eq!(out, small);
        assert!(broken.unwrap().1.starts_with("E-CAN: invalid LZ4 data"));
        for cut in [5, 7, 8, 9, whole.len() / 2, whole.len() - 1] {
            let (out, broken) = read(&whole[..cut]);
            assert_eq!(
                (out.len(), broken.unwrap()),
                (0, (cut as u64, "E-CAN: the file ends inside its LZ4 data".into()))
            );
        }
        // In the size of the block. Legacy frames have no checksums, so damage to other bytes cannot be detected.
        for at in [4, 6, 7] {
            let mut spoiled = whole.clone();
            spoiled[at] ^= 0x40;
            let (_, broken) = read(&spoiled);
            assert!(broken.is_some_and(|(_, why)| why.starts_with("E-CAN: ")), "{at}");
        }
    }

    #[test]
    fn truncated_and_damaged() {
        let text: Vec<u8> = (0..50_000u32).flat_map(|i| (i * i).to_le_bytes()).collect();
        let mut one = packed(&text);
        for length in [1, 2, 9, 10, 11, one.len() / 2, one.len() - 8, one.len() - 1] {
            let (out, broken) = both(&one[..length]);
            assert!(text.starts_with(&out));
            assert_eq!(broken.unwrap(), (length as u64, "E-CAN: the file ends inside its gzip data".into()));
        }
        assert_eq!(both(b"").1.unwrap().1, "E-CAN: the file is empty; expected gzip data");
        assert!(both(b"{}\n").1.unwrap().1.starts_with("E-CAN: invalid gzip data"));
        let crc = one.len() - 8;
        one[crc] ^= 1;
        let (out, broken) = both(&one);
        assert_eq!(out, text);
        assert!(broken.unwrap().1.starts_with("E-CAN: invalid gzip data"));
    }

    #[test]
    fn bombs() {
        let bomb = packed(&vec![b' '; 80 << 20]);
        let (out, broken) = all(Input::gzip(Box::new(std::io::Cursor::new(bomb.clone())), 500));
        assert!((RATIO_FREE as usize..RATIO_FREE as usize + 2000).contains(&out.len()));
        assert_eq!(broken.unwrap().1, "E-LIMIT: decompresses to more than 500 times its size");
        let (out, broken) = all(Input::gzip(Box::new(std::io::Cursor::new(bomb)), 1100));
        assert_eq!((out.len(), broken), (80 << 20, None));
    }
}
