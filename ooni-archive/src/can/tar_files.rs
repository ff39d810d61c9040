//! [`tar_gz_files`]: some files of a `.tar.gz` that is not a can, such as the archive of a repository.

use super::tar::{self, BLOCK, Header, Type};
use flate2::read::MultiGzDecoder;
use std::io::{self, Read};

/// Maximum bytes of an extended header.
const LONGEST_HEADER: u64 = 64 << 10;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TarFile {
    /// Its path in the archive, as it is written there. It may be absolute or contain `..`.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// The files whose paths are wanted, in the order of the archive. The archive may have at most `most` bytes, decompressed.
/// Nothing is extracted to disk.
///
/// # Errors
/// A sentence: it cannot be read, is not a complete archive, or is larger.
pub fn tar_gz_files(archive: impl Read, most: u64, wanted: impl Fn(&str) -> bool) -> Result<Vec<TarFile>, String> {
    // One byte more, so that an archive of exactly that size is not too large.
    #[allow(clippy::disallowed_methods)] // what it decompresses is limited
    let mut reader = Reader { tar: MultiGzDecoder::new(archive).take(most.saturating_add(1)), most };
    let mut files = Vec::new();
    let mut long_name = None;
    let mut long_size = None;
    while let Some(Header { kind, size, name }) = reader.header()? {
        match kind {
            Type::Extended | Type::LongName if size > LONGEST_HEADER => {
                return Err(format!("an extended tar header of {size} bytes, beyond the limit of {LONGEST_HEADER}"));
            }
            Type::LongName => long_name = Some(tar::text(&reader.content(size)?).to_vec()),
            Type::Extended => {
                let records = tar::records(&reader.content(size)?)?;
                long_name = records.name.or(long_name);
                long_size = records.size;
            }
            Type::Global | Type::LongLink => reader.skip(size)?,
            Type::File => {
                let size = long_size.take().unwrap_or(size);
                match String::from_utf8(long_name.take().unwrap_or(name)) {
                    Ok(path) if wanted(&path) => files.push(TarFile { path, content: reader.content(size)? }),
                    _ => reader.skip(size)?,
                }
            }
            Type::Sparse { .. } => return Err("a sparse file in the archive".to_owned()),
            Type::Bare(_) | Type::Other => {
                (long_name, long_size) = (None, None);
                reader.skip(size)?;
            }
        }
    }
    reader.pass_rest()?;
    Ok(files)
}

struct Reader<R: Read> {
    tar: io::Take<R>,
    most: u64,
}

impl<R: Read> Reader<R> {
    /// The next header; `None` at the end of the archive.
    fn header(&mut self) -> Result<Option<Header>, String> {
        let block = self.exactly(BLOCK as u64)?;
        let block = block.first_chunk().ok_or("a tar header that is too short")?;
        Ok(tar::header(block)?)
    }

    /// The content of a member. The padding after it is skipped.
    fn content(&mut self, size: u64) -> Result<Vec<u8>, String> {
        let content = self.exactly(size)?;
        self.pass(padding(size))?;
        Ok(content)
    }

    fn skip(&mut self, size: u64) -> Result<(), String> {
        self.pass(size.saturating_add(padding(size)))
    }

    /// These bytes; memory is only used for those that are there.
    fn exactly(&mut self, bytes: u64) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        let read = self.tar.by_ref().take(bytes).read_to_end(&mut content);
        self.complete(read.map(|read| read as u64), bytes)?;
        Ok(content)
    }

    fn pass(&mut self, bytes: u64) -> Result<(), String> {
        let read = io::copy(&mut self.tar.by_ref().take(bytes), &mut io::sink());
        self.complete(read, bytes)
    }

    fn complete(&self, read: io::Result<u64>, wanted: u64) -> Result<(), String> {
        let read = read.map_err(|error| format!("the archive cannot be read: {error}"))?;
        match self.tar.limit() {
            0 => Err(format!("the archive has more than {} bytes, decompressed", self.most)),
            _ if read < wanted => Err("the archive ends too early".to_owned()),
            _ => Ok(()),
        }
    }

    /// Reads what follows the archive, so that the checksum of the compressed data is verified.
    fn pass_rest(&mut self) -> Result<(), String> {
        let read = io::copy(&mut self.tar, &mut io::sink());
        self.complete(read, 0)
    }
}

/// Bytes after a content of that size, up to the next block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = ::tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn read(archive: &[u8], most: u64) -> Result<Vec<(String, usize)>, String> {
        let files = tar_gz_files(archive, most, |path| path.ends_with(".csv"))?;
        Ok(files.into_iter().map(|file| (file.path, file.content.len())).collect())
    }

    #[test]
    fn wanted_files() {
        let long = format!("{}/it.csv", "d".repeat(200));
        let made = archive(&[("top/README", &[1; 700]), ("top/a.csv", &[2; 512]), (&long, &[3; 1000]), ("b.csv", b"")]);
        let expected = [("top/a.csv".to_owned(), 512), (long, 1000), ("b.csv".to_owned(), 0)];
        assert_eq!(read(&made, 1 << 20).unwrap(), expected);
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // the test knows what it decompresses
    fn archives_that_are_refused() {
        let made = archive(&[("a.csv", &[7; 100_000])]);
        assert_eq!(read(&made, 50_000).unwrap_err(), "the archive has more than 50000 bytes, decompressed");
        let mut decompressed = Vec::new();
        MultiGzDecoder::new(&made[..]).read_to_end(&mut decompressed).unwrap();
        let all = decompressed.len() as u64;
        assert_eq!(read(&made, all).unwrap().len(), 1);
        assert!(read(&made, all - 1).unwrap_err().contains("more than"));
        assert!(read(b"a page instead", 1 << 20).unwrap_err().starts_with("the archive cannot be read"));
        for cut in [0, 20, made.len() / 2, made.len() - 1] {
            assert!(read(&made[..cut], 1 << 20).is_err(), "{cut}");
        }
        let mut damaged = made.clone();
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert!(read(&damaged, 1 << 20).is_err());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&decompressed[..2048]).unwrap();
        assert_eq!(read(&gzip.finish().unwrap(), 1 << 20).unwrap_err(), "the archive ends too early");
    }
}
