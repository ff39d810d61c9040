//! [`MemberIndex`]: where the members of a gzip file of lines begin.
//!
//! It is kept beside the file, under the same key with `.members` after it, as lines of text:
//!
//! ```text
//! gzip-members 1
//! 0 0
//! 34521 16
//! 81234 29
//! ```
//!
//! The first line has the name and version of the format. Each further line has the offset of a member in the file and
//! the number of lines before it, both in decimal; the first is `0 0`. The last line is the end: the size of the file and
//! the number of all its lines. A member that begins inside a line is not listed.

use flate2::bufread::GzDecoder;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

const HEADER: &str = "gzip-members 1";
/// Members of a file, at most.
const MOST_MEMBERS: usize = 1 << 20;

/// Where the members of a gzip file of lines begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberIndex {
    /// Offsets in the file and the number of lines before each, ascending; the last one is the end of the file.
    marks: Vec<(u64, u64)>,
}

/// Why an index cannot be built or parsed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file cannot be read, or is not gzip.
    #[error("cannot be read as gzip: {0}")]
    Read(#[from] io::Error),
    /// The file has more members than an index may list.
    #[error("more than {MOST_MEMBERS} gzip members")]
    TooMany,
    /// The text is not an index; the number is that of the line from 1.
    #[error("line {0} is not valid in an index of gzip members")]
    Text(usize),
}

impl MemberIndex {
    /// The key of the index of a file.
    pub fn key_of(key: &str) -> String {
        format!("{key}.members")
    }

    /// Reads a whole file and notes where its members begin.
    ///
    /// # Errors
    /// The file cannot be read, is not gzip, or has too many members.
    pub fn build(file: impl Read) -> Result<MemberIndex, IndexError> {
        let mut input = Counted { file: BufReader::with_capacity(64 << 10, file), used: 0 };
        let mut marks = Vec::new();
        let (mut lines, mut inside_line) = (0, false);
        let mut buffer = vec![0; 64 << 10];
        while input.skip_padding()? {
            if !inside_line {
                if marks.len() >= MOST_MEMBERS {
                    return Err(IndexError::TooMany);
                }
                // A member without lines needs no mark of its own.
                if marks.last().is_none_or(|(_, before)| *before < lines) {
                    marks.push((input.used, lines));
                }
            }
            #[allow(clippy::disallowed_methods)] // what it decompresses is counted and not kept
            let mut member = GzDecoder::new(&mut input);
            loop {
                match member.read(&mut buffer)? {
                    0 => break,
                    length => {
                        lines += memchr::memchr_iter(b'\n', &buffer[..length]).count() as u64;
                        inside_line = buffer[length - 1] != b'\n';
                    }
                }
            }
        }
        lines += u64::from(inside_line);
        if marks.is_empty() {
            marks.push((0, 0));
        }
        if marks.last().is_some_and(|(offset, _)| *offset < input.used) {
            marks.push((input.used, lines));
        }
        Ok(MemberIndex { marks })
    }

    /// Reads the text of an index.
    ///
    /// # Errors
    /// The first invalid line.
    pub fn parse(text: &[u8]) -> Result<MemberIndex, IndexError> {
        let text = std::str::from_utf8(text).map_err(|_| IndexError::Text(1))?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) || !text.ends_with('\n') {
            return Err(IndexError::Text(1));
        }
        let mut marks: Vec<(u64, u64)> = Vec::new();
        for (number, line) in lines.enumerate() {
            let mark = line.split_once(' ').and_then(|(offset, line)| Some((offset.parse().ok()?, line.parse().ok()?)));
            let grows = |(offset, line): &(u64, u64)| match marks.last() {
                Some((offset_before, line_before)) => offset > offset_before && line >= line_before,
                None => (*offset, *line) == (0, 0),
            };
            match mark.filter(grows) {
                Some(mark) if marks.len() <= MOST_MEMBERS => marks.push(mark),
                _ => return Err(IndexError::Text(number + 2)),
            }
        }
        if marks.is_empty() { Err(IndexError::Text(2)) } else { Ok(MemberIndex { marks }) }
    }

    /// The text of the index.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (offset, line) in &self.marks {
            let _ = writeln!(text, "{offset} {line}"); // writing to a string does not fail
        }
        text
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.marks.last().map_or(0, |(offset, _)| *offset)
    }

    /// The bytes that a line, from 0, is in, and the number of the first line in them.
    pub fn member(&self, line: u64) -> Option<(Range<u64>, u64)> {
        let next = self.marks.partition_point(|(_, before)| *before <= line);
        let (start, first) = *self.marks.get(next.checked_sub(1)?)?;
        let (end, _) = *self.marks.get(next)?;
        Some((start..end, first))
    }
}

/// A file, and how many of its bytes were used.
struct Counted<R> {
    file: BufReader<R>,
    used: u64,
}

impl<R: Read> Counted<R> {
    /// Skips zero bytes, which may be between and after members; false at the end.
    fn skip_padding(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.file.fill_buf()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let (is_end, more) = (bytes.is_empty(), zeros < bytes.len());
            self.consume(zeros);
            if is_end || more {
                return Ok(more);
            }
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(into)?;
        self.used += length as u64;
        Ok(length)
    }
}

impl<R: Read> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.file.consume(bytes);
        self.used += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_of_whole_lines() {
        let members = ["a\nb\n", "", "c\nd", "d\n", "e\n"].map(gzip);
        let mut file: Vec<u8> = Vec::new();
        let mut starts = Vec::new();
        for member in &members {
            starts.push(file.len() as u64);
            file.extend_from_slice(member);
        }
        file.extend_from_slice(&[0; 100]);
        let size = file.len() as u64;
        let index = MemberIndex::build(&*file).unwrap();
        // The empty member belongs to the one after it; the fourth begins inside of a line.
        assert_eq!(index.marks, [(0, 0), (starts[1], 2), (starts[4], 4), (size, 5)]);
        assert_eq!((index.size(), index.member(5)), (size, None));
        assert_eq!(index.member(0), Some((0..starts[1], 0)));
        assert_eq!(index.member(3), Some((starts[1]..starts[4], 2)));
        assert_eq!(index.member(4), Some((starts[4]..size, 4)));
        assert_eq!(MemberIndex::parse(index.to_text().as_bytes()).unwrap(), index);
    }

    #[test]
    fn a_last_line_without_a_line_feed() {
        let file = gzip("a\nb");
        let index = MemberIndex::build(&*file).unwrap();
        assert_eq!(index.marks, [(0, 0), (file.len() as u64, 2)]);
        assert_eq!(MemberIndex::build(&b""[..]).unwrap().marks, [(0, 0)]);
        assert!(MemberIndex::build(&b"not gzip"[..]).is_err());
        assert!(MemberIndex::build(&file[..file.len() - 1]).is_err());
    }

    #[test]
    fn texts_that_are_no_index() {
        for (text, line) in [
            ("", 1),
            ("gzip-members 2\n0 0\n", 1),
            ("gzip-members 1\n0 0", 1),
            ("gzip-members 1\n", 2),
            ("gzip-members 1\n1 0\n", 2),
            ("gzip-members 1\n0 0\n5 2\n5 3\n", 4),
            ("gzip-members 1\n0 0\n5 2\n9 1\n", 4),
            ("gzip-members 1\n0 0\n-5 2\n", 3),
            ("gzip-members 1\n0 0\nfive\n", 3),
        ] {
            let error = MemberIndex::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, IndexError::Text(found) if found == line), "{text:?}: {error}");
        }
    }
}
