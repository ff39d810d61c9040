//! [`Input`]: the bytes of a file, decompressed. The one place that decompresses, and the one that bounds it.
//!
//! Gzip of several members and LZ4 of several frames are read to their end. After the last gzip member zero bytes are
//! padding; anything else there is an error, as is a file that ends inside a member or frame. All that was decompressed
//! before an error has been delivered by then.

use crate::limits::RATIO_FREE;
use flate2::{Decompress, FlushDecompress, Status};
use lz4_flex::frame::FrameDecoder;
use ooni_core::error::{Code, Error};
use std::fmt;
use std::io::{self, ErrorKind, Read};

/// Bytes read from a file at once.
const CHUNK: usize = 64 << 10;

/// Bytes of the mark at the end of an LZ4 frame.
const LZ4_END: u64 = 4;

/// Why a file cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Offset in the file as it lies there.
    pub at: u64,
    /// What is wrong.
    pub error: Error,
}

/// The bytes of a file, decompressed.
pub struct Input {
    format: Format,
    total_out: u64,
    ratio: u64,
    failed: Option<Broken>,
}

enum Format {
    Plain(Stored),
    /// The first bytes will tell.
    Unknown(Stored),
    Gzip {
        from: Stored,
        inflate: Box<Decompress>,
        stage: Stage,
    },
    Lz4 {
        decoder: Box<FrameDecoder<Stored>>,
        inside: bool,
    },
}

/// Position in a file of gzip members the reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Inside,
    Between,
    Padding,
}

impl Input {
    /// Bytes as they are.
    pub fn plain(bytes: Box<dyn Read + Send>) -> Input {
        Input::new(Format::Plain(Stored::new(bytes)), u64::MAX)
    }

    /// Gzip. Beyond [`RATIO_FREE`] bytes it may not become more than `ratio` times its size.
    pub fn gzip(bytes: Box<dyn Read + Send>, ratio: u64) -> Input {
        Input::new(gzip(Stored::new(bytes)), ratio)
    }

    /// LZ4 frames, bounded likewise.
    pub fn lz4(bytes: Box<dyn Read + Send>, ratio: u64) -> Input {
        let decoder = Box::new(FrameDecoder::new(Stored::new(bytes)));
        Input::new(Format::Lz4 { decoder, inside: false }, ratio)
    }

    /// Gzip if it begins like that, else bytes as they are.
    pub fn sniffed(bytes: Box<dyn Read + Send>, ratio: u64) -> Input {
        Input::new(Format::Unknown(Stored::new(bytes)), ratio)
    }

    fn new(format: Format, ratio: u64) -> Input {
        Input { format, total_out: 0, ratio, failed: None }
    }

    /// Reads on; 0 is the end.
    ///
    /// # Errors
    /// [`Broken`] where the file is, each time again.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Broken> {
        if let Some(broken) = &self.failed {
            return Err(broken.clone());
        }
        let (bytes, result) = self.read_form(into);
        self.total_out += bytes as u64;
        let result = result.and_then(|()| self.check_ratio());
        // What was decompressed before the error goes first.
        match result {
            Err(error) => {
                let broken = Broken { at: self.total_in(), error };
                self.failed = Some(broken.clone());
                if bytes > 0 { Ok(bytes) } else { Err(broken) }
            }
            Ok(()) => Ok(bytes),
        }
    }

    /// Bytes of the file that have been used.
    fn total_in(&self) -> u64 {
        match &self.format {
            Format::Plain(from) | Format::Unknown(from) | Format::Gzip { from, .. } => from.total,
            Format::Lz4 { decoder, .. } => decoder.get_ref().total,
        }
    }

    fn read_form(&mut self, into: &mut [u8]) -> (usize, Result<(), Error>) {
        match &mut self.format {
            Format::Plain(from) => split(from.read(into).map_err(unreadable)),
            Format::Gzip { from, inflate, stage } => read_gzip(from, inflate, stage, into),
            Format::Lz4 { decoder, inside } => split(read_lz4(decoder, inside, into)),
            Format::Unknown(from) => match from.at_least(2) {
                Err(error) => (0, Err(unreadable(error))),
                Ok(_) => {
                    let from = std::mem::take(from);
                    let is_gzip = from.rest().starts_with(&[0x1f, 0x8b]);
                    self.format = if is_gzip { gzip(from) } else { Format::Plain(from) };
                    self.read_form(into)
                }
            },
        }
    }

    fn check_ratio(&self) -> Result<(), Error> {
        let ratio = self.ratio;
        if self.total_out <= RATIO_FREE || self.total_out / ratio <= self.total_in() {
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

fn gzip(from: Stored) -> Format {
    Format::Gzip { from, inflate: Box::new(Decompress::new_gzip(15)), stage: Stage::Inside }
}

/// Decompresses until there is something, or the file at its end.
fn read_gzip(
    from: &mut Stored,
    inflate: &mut Decompress,
    stage: &mut Stage,
    into: &mut [u8],
) -> (usize, Result<(), Error>) {
    let mut bytes = 0;
    let result = loop {
        if bytes > 0 {
            break Ok(());
        }
        // At the end of the file there may still be output left.
        let at_end = match from.at_least(1) {
            Ok(available) => available == 0,
            Err(error) => break Err(unreadable(error)),
        };
        let rest = from.rest();
        match *stage {
            Stage::Between | Stage::Padding if at_end => break Ok(()),
            Stage::Inside => {
                let (total_in, total_out) = (inflate.total_in(), inflate.total_out());
                let result = inflate.decompress(rest, into, FlushDecompress::None);
                let used = (inflate.total_in() - total_in) as usize;
                bytes = (inflate.total_out() - total_out) as usize;
                from.take(used);
                match result {
                    Ok(Status::StreamEnd) => *stage = Stage::Between,
                    Ok(_) if used > 0 || bytes > 0 => {}
                    Ok(_) if from.total == 0 => break Err(can_error("the file is empty where gzip should be")),
                    Ok(_) => break Err(can_error("the file ends inside its gzip data")),
                    // What exactly is wrong is said or not, depending on how much came at once.
                    Err(_) => break Err(can_error("not sound gzip data")),
                }
            }
            Stage::Between if rest.first() == Some(&0x1f) => {
                inflate.reset(true);
                *stage = Stage::Inside;
            }
            Stage::Between | Stage::Padding => {
                *stage = Stage::Padding;
                let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
                let garbage = zeros < rest.len();
                from.take(zeros);
                if garbage {
                    break Err(can_error("something else follows the gzip data"));
                }
            }
        }
    };
    (bytes, result)
}

/// Likewise. The decoder reads a frame and says 0 at its end; frames that hold something else are passed by here.
fn read_lz4(decoder: &mut FrameDecoder<Stored>, inside: &mut bool, into: &mut [u8]) -> Result<usize, Error> {
    loop {
        if !*inside {
            let from = decoder.get_mut();
            if from.at_least(4).map_err(unreadable)? == 0 {
                let nothing = || can_error("the file is empty where LZ4 should be");
                return if from.total == 0 { Err(nothing()) } else { Ok(0) };
            }
            if let Some(&[kind, 0x2a, 0x4d, 0x18]) = from.rest().first_chunk()
                && kind >> 4 == 5
            {
                from.pass_by_frame()?;
                continue;
            }
            *inside = true;
        }
        let before = decoder.get_ref().total;
        match decoder.read(into) {
            // A frame ends with a mark. The decoder takes a file that ends before it, or in it, for a frame that ends.
            Ok(0) if decoder.get_ref().total - before < LZ4_END => {
                let ends = decoder.get_mut().at_least(1).map_err(unreadable)? == 0;
                return Err(can_error(if ends { "the file ends inside its LZ4 data" } else { "not sound LZ4 data" }));
            }
            Ok(0) => *inside = false,
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(can_error("the file ends inside its LZ4 data"));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(can_error(&format!("not sound LZ4 data: {error}"))),
        }
    }
}

/// The bytes of a file as they lie there.
#[derive(Default)]
struct Stored {
    bytes: Option<Box<dyn Read + Send>>,
    /// Bytes read from the file and not yet used are `chunk[used..filled]`.
    chunk: Box<[u8]>,
    used: usize,
    filled: usize,
    /// Bytes of the file before `chunk[used]`.
    total: u64,
}

impl Stored {
    fn new(bytes: Box<dyn Read + Send>) -> Stored {
        Stored { bytes: Some(bytes), ..Stored::default() }
    }

    /// Bytes that have been read and not used.
    fn rest(&self) -> &[u8] {
        &self.chunk[self.used..self.filled]
    }

    /// Counts bytes as used.
    fn take(&mut self, bytes: usize) {
        self.used += bytes;
        self.total += bytes as u64;
    }

    /// Reads until so many bytes are there, or all; returns how many are.
    fn at_least(&mut self, least: usize) -> io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = vec![0; CHUNK].into_boxed_slice();
        }
        if self.used == self.filled {
            (self.used, self.filled) = (0, 0);
        } else if self.filled - self.used < least {
            self.chunk.copy_within(self.used..self.filled, 0);
            (self.used, self.filled) = (0, self.filled - self.used);
        }
        while self.filled - self.used < least {
            let bytes = read(&mut self.bytes, &mut self.chunk[self.filled..])?;
            if bytes == 0 {
                break;
            }
            self.filled += bytes;
        }
        Ok(self.filled - self.used)
    }

    /// Passes by an LZ4 frame that holds something else.
    fn pass_by_frame(&mut self) -> Result<(), Error> {
        let cut = || can_error("the file ends inside its LZ4 data");
        let there = self.at_least(8).map_err(unreadable)?;
        if there < 8 {
            self.take(there);
            return Err(cut());
        }
        self.take(4);
        let Some(&size) = self.rest().first_chunk() else { return Err(cut()) };
        self.take(4);
        let mut left = u32::from_le_bytes(size) as usize;
        while left > 0 {
            let bytes = self.at_least(1).map_err(unreadable)?.min(left);
            if bytes == 0 {
                return Err(cut());
            }
            self.take(bytes);
            left -= bytes;
        }
        Ok(())
    }
}

impl Read for Stored {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() && into.len() < CHUNK {
            self.at_least(1)?;
        }
        let rest = self.rest();
        let bytes = if rest.is_empty() {
            read(&mut self.bytes, into)?
        } else {
            let bytes = rest.len().min(into.len());
            into[..bytes].copy_from_slice(&rest[..bytes]);
            self.used += bytes;
            bytes
        };
        self.total += bytes as u64;
        Ok(bytes)
    }
}

fn read(bytes: &mut Option<Box<dyn Read + Send>>, into: &mut [u8]) -> io::Result<usize> {
    let Some(bytes) = bytes else { return Ok(0) };
    loop {
        match bytes.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn unreadable(error: io::Error) -> Error {
    can_error(&format!("cannot be read: {error}"))
}

fn can_error(sentence: &str) -> Error {
    Error::new(Code::Can, "", sentence)
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("total_in", &self.total_in()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Hands out a byte at a time.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let Some(&byte) = self.0.get(self.1) else { return Ok(0) };
            self.1 += 1;
            into[0] = byte;
            Ok(1)
        }
    }

    fn all(mut input: Input) -> (Vec<u8>, Option<(u64, String)>) {
        let (mut out, mut room) = (Vec::new(), [0; 1000]);
        loop {
            match input.read(&mut room) {
                Ok(0) => return (out, None),
                Ok(bytes) => out.extend_from_slice(&room[..bytes]),
                Err(Broken { at, error }) => return (out, Some((at, error.to_string()))),
            }
        }
    }

    fn both(bytes: &[u8]) -> (Vec<u8>, Option<(u64, String)>) {
        let slow = all(Input::gzip(Box::new(Slow(bytes.to_vec(), 0)), 500));
        let fast = all(Input::gzip(Box::new(std::io::Cursor::new(bytes.to_vec())), 500));
        assert_eq!(slow, fast);
        let sniffed = all(Input::sniffed(Box::new(Slow(bytes.to_vec(), 0)), 500));
        if bytes.starts_with(&[0x1f, 0x8b]) {
            assert_eq!(sniffed, fast);
        } else {
            assert_eq!(sniffed, (bytes.to_vec(), None));
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
        for (tail, at) in [(&b"garbage"[..], end), (b"\0\0x", end + 2), (b"\0\x1f\x8b", end + 1)] {
            let (out, broken) = both(&[&*one, tail].concat());
            assert_eq!(
                (out, broken.unwrap()),
                (text.clone(), (at, "E-CAN: something else follows the gzip data".into()))
            );
        }
        let (out, broken) = both(&[&*one, b"\x1fgarbage"].concat());
        assert_eq!(out, text);
        assert!(broken.unwrap().1.starts_with("E-CAN: not sound gzip data"));
    }

    #[test]
    fn cut_and_damaged() {
        let text: Vec<u8> = (0..50_000u32).flat_map(|i| (i * i).to_le_bytes()).collect();
        let mut one = packed(&text);
        for length in [1, 2, 9, 10, 11, one.len() / 2, one.len() - 8, one.len() - 1] {
            let (out, broken) = both(&one[..length]);
            if length == 1 {
                continue; // seen as no gzip at all when sniffed, which `both` has checked
            }
            assert!(text.starts_with(&out));
            assert_eq!(broken.unwrap(), (length as u64, "E-CAN: the file ends inside its gzip data".into()));
        }
        assert_eq!(both(b"").1.unwrap().1, "E-CAN: the file is empty where gzip should be");
        assert!(both(b"{}\n").1.unwrap().1.starts_with("E-CAN: not sound gzip data"));
        let crc = one.len() - 8;
        one[crc] ^= 1;
        let (out, broken) = both(&one);
        assert_eq!(out, text);
        assert!(broken.unwrap().1.starts_with("E-CAN: not sound gzip data"));
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
