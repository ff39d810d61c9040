//! [`Input`]: the bytes of a file, decompressed. The one place that decompresses, and the one that bounds it.
//!
//! Gzip of several members is read to its end. Zero bytes after the last member are padding; anything else there is an
//! error, as is a file that ends inside a member. All that was decompressed before an error has been delivered by then.

use crate::limits::RATIO_FREE;
use flate2::{Decompress, FlushDecompress, Status};
use ooni_core::error::{Code, Error};
use std::fmt;
use std::io::{ErrorKind, Read};

/// Bytes read from a file at once.
const CHUNK: usize = 64 << 10;

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
    bytes: Box<dyn Read + Send>,
    form: Form,
    /// Bytes read from the file and not yet used are `chunk[used..filled]`. Empty for what is not compressed.
    chunk: Box<[u8]>,
    used: usize,
    filled: usize,
    /// Bytes of the file before `chunk[used]`.
    total_in: u64,
    total_out: u64,
    ratio: u64,
    failed: Option<Broken>,
}

#[derive(Debug)]
enum Form {
    Plain,
    Unknown,
    Gzip(Box<Decompress>, Stage),
}

/// Where in a file of gzip members the reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Inside,
    Between,
    Padding,
}

impl Input {
    /// Bytes as they are.
    pub fn plain(bytes: Box<dyn Read + Send>) -> Input {
        Input::new(bytes, Form::Plain, u64::MAX)
    }

    /// Gzip. Beyond [`RATIO_FREE`] bytes it may not become more than `ratio` times its size.
    pub fn gzip(bytes: Box<dyn Read + Send>, ratio: u64) -> Input {
        Input::new(bytes, gzip(), ratio)
    }

    /// Gzip if it begins like that, else bytes as they are.
    pub fn sniffed(bytes: Box<dyn Read + Send>, ratio: u64) -> Input {
        Input::new(bytes, Form::Unknown, ratio)
    }

    fn new(bytes: Box<dyn Read + Send>, form: Form, ratio: u64) -> Input {
        let chunk = if matches!(form, Form::Plain) { 0 } else { CHUNK };
        let chunk = vec![0; chunk].into_boxed_slice();
        Input { bytes, form, chunk, used: 0, filled: 0, total_in: 0, total_out: 0, ratio, failed: None }
    }

    /// Reads on; 0 is the end.
    ///
    /// # Errors
    /// [`Broken`] where the file is, each time again.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Broken> {
        if let Some(broken) = &self.failed {
            return Err(broken.clone());
        }
        let before = self.total_out;
        let result = self.read_form(into);
        // What was decompressed before the error goes first.
        let bytes = (self.total_out - before) as usize;
        match result {
            Err(broken) => {
                self.failed = Some(broken.clone());
                if bytes > 0 { Ok(bytes) } else { Err(broken) }
            }
            Ok(()) => Ok(bytes),
        }
    }

    fn read_form(&mut self, into: &mut [u8]) -> Result<(), Broken> {
        match &mut self.form {
            Form::Plain => self.read_plain(into),
            Form::Gzip(..) => self.read_gzip(into),
            Form::Unknown => {
                while self.filled < 2 && self.refill()? {}
                let is_gzip = self.chunk[..self.filled].starts_with(&[0x1f, 0x8b]);
                self.form = if is_gzip { gzip() } else { Form::Plain };
                self.read_form(into)
            }
        }
    }

    fn read_plain(&mut self, into: &mut [u8]) -> Result<(), Broken> {
        let rest = &self.chunk[self.used..self.filled];
        let bytes = if rest.is_empty() {
            read(&mut *self.bytes, into).map_err(|error| self.broken(error))?
        } else {
            let bytes = rest.len().min(into.len());
            into[..bytes].copy_from_slice(&rest[..bytes]);
            self.used += bytes;
            bytes
        };
        self.total_in += bytes as u64;
        self.total_out += bytes as u64;
        Ok(())
    }

    /// Decompresses until there is something, or the file at its end.
    fn read_gzip(&mut self, into: &mut [u8]) -> Result<(), Broken> {
        let before = self.total_out;
        while self.total_out == before {
            // At the end of the file there may still be output left.
            let at_end = self.used == self.filled && !self.refill()?;
            let Form::Gzip(inflate, stage) = &mut self.form else { return Ok(()) };
            let rest = &self.chunk[self.used..self.filled];
            match *stage {
                Stage::Between | Stage::Padding if at_end => return Ok(()),
                Stage::Inside => {
                    let (total_in, total_out) = (inflate.total_in(), inflate.total_out());
                    let result = inflate.decompress(rest, into, FlushDecompress::None);
                    let bytes_in = inflate.total_in() - total_in;
                    let bytes_out = inflate.total_out() - total_out;
                    self.used += bytes_in as usize;
                    self.total_in += bytes_in;
                    self.total_out += bytes_out;
                    match result {
                        Ok(Status::StreamEnd) => *stage = Stage::Between,
                        Ok(_) if bytes_in > 0 || bytes_out > 0 => {}
                        Ok(_) if self.total_in == 0 => {
                            return Err(self.broken(can_error("the file is empty where gzip should be")));
                        }
                        Ok(_) => return Err(self.broken(can_error("the file ends inside its gzip data"))),
                        Err(error) => {
                            let error = error.message().map_or_else(|| "wrong data".to_owned(), str::to_owned);
                            return Err(self.broken(can_error(&format!("not sound gzip data: {error}"))));
                        }
                    }
                    self.check_ratio()?;
                }
                Stage::Between if rest.first() == Some(&0x1f) => {
                    inflate.reset(true);
                    *stage = Stage::Inside;
                }
                Stage::Between | Stage::Padding => {
                    *stage = Stage::Padding;
                    let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
                    let garbage = zeros < rest.len();
                    self.used += zeros;
                    self.total_in += zeros as u64;
                    if garbage {
                        return Err(self.broken(can_error("something else follows the gzip data")));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_ratio(&self) -> Result<(), Broken> {
        if self.total_out <= RATIO_FREE || self.total_out / self.ratio <= self.total_in {
            return Ok(());
        }
        let ratio = self.ratio;
        Err(self.broken(Error::new(Code::Limit, "", format!("decompresses to more than {ratio} times its size"))))
    }

    /// Reads the next chunk, once the last has been used; false at the end.
    fn refill(&mut self) -> Result<bool, Broken> {
        if self.used == self.filled {
            (self.used, self.filled) = (0, 0);
        }
        match read(&mut *self.bytes, &mut self.chunk[self.filled..]) {
            Ok(bytes) => {
                self.filled += bytes;
                Ok(bytes > 0)
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    #[cold]
    fn broken(&self, error: Error) -> Broken {
        Broken { at: self.total_in, error }
    }
}

fn gzip() -> Form {
    Form::Gzip(Box::new(Decompress::new_gzip(15)), Stage::Inside)
}

fn can_error(sentence: &str) -> Error {
    Error::new(Code::Can, "", sentence)
}

fn read(bytes: &mut dyn Read, into: &mut [u8]) -> Result<usize, Error> {
    loop {
        match bytes.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(can_error(&format!("cannot be read: {error}"))),
            Ok(bytes) => return Ok(bytes),
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("form", &self.form).field("total_in", &self.total_in).finish_non_exhaustive()
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
