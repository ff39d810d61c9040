//! Writes compressed files, with one gzip member or LZ4 frame or several in sequence.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use lz4_flex::frame::{FrameEncoder, FrameInfo};

/// The compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Not,
    /// At a level of 0 to 9.
    Gzip(u32),
    Lz4,
}

/// A file that is written sequentially.
pub(super) struct Packed {
    method: Method,
    /// `None` after it has ended or a write has failed.
    out: Option<Out>,
    /// Bytes before compression.
    pub(super) written: u64,
}

enum Out {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Lz4(Box<FrameEncoder<BufWriter<File>>>),
}

impl Packed {
    pub(super) fn create(path: &Path, method: Method) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        Ok(Self { method, out: Some(Out::begin(file, method)), written: 0 })
    }

    /// Ends the gzip member or LZ4 frame; the next data start a new one.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        let file = self.out.take().ok_or_else(ended)?.end()?;
        self.out = Some(Out::begin(file, self.method));
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.take().ok_or_else(ended)?.end()?.flush()
    }
}

impl Out {
    fn begin(file: BufWriter<File>, method: Method) -> Self {
        match method {
            Method::Not => Self::Plain(file),
            Method::Gzip(level) => Self::Gzip(Box::new(GzEncoder::new(file, Compression::new(level.min(9))))),
            Method::Lz4 => {
                let info = FrameInfo::new().content_checksum(true);
                Self::Lz4(Box::new(FrameEncoder::with_frame_info(info, file)))
            }
        }
    }

    fn end(self) -> io::Result<BufWriter<File>> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Gzip(gzip) => gzip.finish(),
            Self::Lz4(lz4) => lz4.finish().map_err(io::Error::other),
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.out.as_mut().ok_or_else(ended)? {
            Out::Plain(out) => out.write(bytes),
            Out::Gzip(out) => out.write(bytes),
            Out::Lz4(out) => out.write(bytes),
        }?;
        self.written += written as u64;
        Ok(written)
    }

    /// Does nothing: flushing would end a block early, and the bytes of a file would depend on how it was written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ended() -> io::Error {
    io::Error::other("write to a finished file")
}

/// Adds a member to a tar archive, in the format that Python's PAX writer uses for short names.
pub(super) fn add_member(tar: &mut tar::Builder<Packed>, name: &str, seconds: u64, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(seconds);
    tar.append_data(&mut header, name, content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use flate2::read::{GzDecoder, MultiGzDecoder};
    use lz4_flex::frame::FrameDecoder;

    use super::*;

    fn in_two(method: Method) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut packed = Packed::create(file.path(), method).unwrap();
        packed.write_all(b"one,").unwrap();
        packed.cut().unwrap();
        packed.write_all(b"two").unwrap();
        assert_eq!(packed.written, 7);
        packed.finish().unwrap();
        fs::read(file.path()).unwrap()
    }

    #[test]
    fn pieces() {
        assert_eq!(in_two(Method::Not), b"one,two");
        let mut text = String::new();
        let gzip = in_two(Method::Gzip(6));
        GzDecoder::new(gzip.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one,");
        text.clear();
        #[expect(clippy::disallowed_methods, reason = "the bytes are our own")]
        MultiGzDecoder::new(gzip.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one,two");
        text.clear();
        let lz4 = in_two(Method::Lz4);
        let mut rest = lz4.as_slice();
        while !rest.is_empty() {
            FrameDecoder::new(&mut rest).read_to_string(&mut text).unwrap();
        }
        assert_eq!(text, "one,two");
    }
}
