//! Headers of a tar archive: the fields of a block, and the records of extended headers.
//!
//! Blocks are parsed in place; nothing is read, kept or extracted here. Headers are accepted as by Python's `tarfile`, which
//! the reference uses. The types of the crate `tar` differ from it: its `PaxExtensions` rejects a line feed
//! inside a value, and its `Header` neither verifies checksums, including signed ones, nor rejects sizes beyond 64 bits.

use crate::side;
use ooni_core::measurement::SideRecord;

/// Headers take one block; contents are padded to whole blocks.
pub(super) const BLOCK: usize = 512;

/// The type of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// A file with its content.
    File,
    /// Records for the next member (pax).
    Extended,
    /// Records for all members that follow (pax).
    Global,
    /// The name of the next member (GNU).
    LongName,
    /// The target of the next member (GNU).
    LongLink,
    /// A sparse file of GNU tar; if the map continues, more of it follows in separate blocks.
    Sparse { map_goes_on: bool },
    /// A directory, link, device or other entry without content.
    Bare(&'static str),
    /// Something else with content.
    Other,
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Type,
    /// Bytes of content.
    pub(super) size: u64,
    /// The name; a longer one is in an extended header before this one.
    pub(super) name: Vec<u8>,
}

/// Parses a header; `None` for a block of zeros, which ends an archive.
///
/// # Errors
/// A message, for a block that is not a header.
pub(super) fn header(block: &[u8; BLOCK]) -> Result<Option<Header>, &'static str> {
    if block.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    // The checksum is computed with blanks in its own field. Some old writers treat bytes as signed.
    let unsigned = sum_of(block) - sum_of(&block[148..156]) + 8 * u32::from(b' ');
    let signed = || {
        let negative = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte >= 0x80).count() as i64;
        i64::from(unsigned) - 256 * (negative(block) - negative(&block[148..156]))
    };
    let sum = number(&block[148..156]).ok_or("a tar header with an invalid checksum field")?;
    if sum != u64::from(unsigned) && i64::try_from(sum) != Ok(signed()) {
        return Err("not a tar header, or a damaged one");
    }
    let kind = match block[156] {
        b'0' | 0 | b'7' => Type::File,
        b'x' | b'X' => Type::Extended,
        b'g' => Type::Global,
        b'L' => Type::LongName,
        b'K' => Type::LongLink,
        b'S' => Type::Sparse { map_goes_on: block[482] != 0 },
        b'1' => Type::Bare("a hard link"),
        b'2' => Type::Bare("a symbolic link"),
        b'3' | b'4' => Type::Bare("a device"),
        b'5' => Type::Bare("a directory"),
        b'6' => Type::Bare("a pipe"),
        _ => Type::Other,
    };
    let size = match kind {
        Type::Bare(_) => 0,
        _ => number(&block[124..136]).ok_or("a tar header with an invalid size field")?,
    };
    let (name, prefix) = (text(&block[..100]), text(&block[345..500]));
    let is_ustar = &block[257..263] == b"ustar\0";
    let name = if is_ustar && !prefix.is_empty() { [prefix, b"/", name].concat() } else { name.to_vec() };
    Ok(Some(Header { kind, size, name }))
}

fn sum_of(bytes: &[u8]) -> u32 {
    bytes.iter().map(|&byte| u32::from(byte)).sum()
}

/// Whether another block of the map of a sparse file follows.
pub(super) fn map_goes_on(block: &[u8; BLOCK]) -> bool {
    block[504] != 0
}

/// The name of the first file of an archive; `None` if it is not in these bytes.
pub(super) fn first_name(mut archive: &[u8]) -> Option<Vec<u8>> {
    let mut name = None;
    loop {
        let header = header(archive.first_chunk()?).ok()??;
        let size = usize::try_from(header.size).ok()?;
        let content = archive.get(BLOCK..)?;
        match header.kind {
            Type::Extended => name = records(content.get(..size)?).ok()?.name.or(name),
            Type::LongName => name = Some(text(content.get(..size)?).to_vec()),
            Type::File | Type::Sparse { .. } => return Some(name.unwrap_or(header.name)),
            Type::Bare(_) | Type::Other => name = None,
            Type::Global | Type::LongLink => {}
        }
        archive = content.get(size.checked_next_multiple_of(BLOCK)?..)?;
    }
}

/// A field up to its first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    &field[..end]
}

/// A number: octal digits with blanks around, or binary in a field that begins with the byte 0x80.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((0x80, bytes)) => {
            let (high, low) = bytes.split_at(bytes.len().saturating_sub(8));
            let fits = high.iter().all(|&byte| byte == 0);
            fits.then(|| low.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
        }
        _ => {
            let digits = text(field).trim_ascii();
            digits.iter().try_fold(0u64, |number, &digit| match digit {
                b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
                _ => None,
            })
        }
    }
}

/// The records of an extended header that are needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// Whether the member is a sparse file.
    pub(super) is_sparse: bool,
    /// The side record.
    pub(super) side: SideRecord<'static>,
    /// What is wrong with the side record. The other records are as they are.
    pub(super) side_error: Option<&'static str>,
}

/// Reads the records `<length> <key>=<value>\n` of an extended header.
///
/// # Errors
/// A message, for anything else.
pub(super) fn records(mut content: &[u8]) -> Result<Records, &'static str> {
    const WRONG: &str = "a damaged extended tar header";
    let mut records = Records::default();
    let mut sparse_name = None;
    while let Some(blank) = memchr::memchr(b' ', content) {
        let length: usize =
            std::str::from_utf8(&content[..blank]).ok().and_then(|length| length.parse().ok()).ok_or(WRONG)?;
        let record = content.get(blank + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or(WRONG)?;
        let equals = memchr::memchr(b'=', record).ok_or(WRONG)?;
        let value = &record[equals + 1..];
        match &record[..equals] {
            b"path" => records.name = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok());
                records.size = Some(size.ok_or(WRONG)?);
            }
            b"GNU.sparse.name" => sparse_name = Some(value.to_vec()),
            key if key.starts_with(b"OONI.") => {
                let added = side::add(&mut records.side, key, value);
                records.side_error = records.side_error.or(added.err());
            }
            key => records.is_sparse |= key.starts_with(b"GNU.sparse."),
        }
        content = &content[length..];
    }
    // The record `path` of a sparse file is only a placeholder for programs that do not know sparse files.
    records.is_sparse |= sparse_name.is_some();
    records.name = sparse_name.or(records.name);
    if text(content).is_empty() { Ok(records) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ooni_core::measurement::IsVerified;

    #[test]
    fn headers() {
        let mut made = tar::Header::new_ustar();
        made.set_path("a/b.post").unwrap();
        made.set_size(1234);
        made.set_cksum();
        let mut block = *made.as_bytes();
        let read = header(&block).unwrap().unwrap();
        assert_eq!(read, Header { kind: Type::File, size: 1234, name: b"a/b.post".to_vec() });
        block[0] ^= 1;
        assert!(header(&block).is_err());
        assert_eq!(header(&[0; BLOCK]), Ok(None));

        let long = format!("{}/{}", "d".repeat(120), "f".repeat(90));
        made.set_path(&long).unwrap();
        made.set_entry_type(tar::EntryType::Directory);
        made.set_cksum();
        let read = header(made.as_bytes()).unwrap().unwrap();
        assert_eq!(read, Header { kind: Type::Bare("a directory"), size: 0, name: long.into_bytes() });

        let mut made = tar::Header::new_gnu();
        made.set_path("x").unwrap();
        made.set_size(1 << 40);
        made.set_cksum();
        assert_eq!(header(made.as_bytes()).unwrap().unwrap().size, 1 << 40);
    }

    #[test]
    fn numbers() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"00009\0"), None);
        assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x01\x02"), Some(0x102));
        assert_eq!(number(b"\x80\0\0\x01\0\0\0\0\0\0\0\0"), None);
        assert_eq!(number(b"777777777777777777777777"), None);
    }

    #[test]
    fn extended_records() {
        let read = |content: &[u8]| records(content).map(|records| (records.name, records.size));
        assert_eq!(read(b"12 path=a/b\n"), Ok((Some(b"a/b".to_vec()), None)));
        assert_eq!(read(b"20 mtime=1.123456789\n"), Err("a damaged extended tar header"));
        assert_eq!(read(b"21 mtime=1.123456789\n11 size=77\n"), Ok((None, Some(77))));
        assert_eq!(read(b""), Ok((None, None)));
        // A value may contain line feeds.
        assert_eq!(read(b"17 comment=a\nb=c\n12 path=a/b\n"), Ok((Some(b"a/b".to_vec()), None)));
        let sparse = records(b"22 GNU.sparse.major=1\n25 GNU.sparse.name=a/b.c\n9 path=x\n").unwrap();
        assert_eq!((sparse.is_sparse, sparse.name.as_deref()), (true, Some(&b"a/b.c"[..])));
        let side = records(b"20 OONI.report_id=R\n22 OONI.is_verified=f\n12 path=a/b\n").unwrap();
        assert_eq!((side.side.report_id.as_deref(), side.side.is_verified), (Some("R"), Some(IsVerified::Failed)));
        assert_eq!((side.name.as_deref(), side.side_error), (Some(&b"a/b"[..]), None));
        for wrong in [&b"999 path=a\n"[..], b"5 path\n", b"x path=a\n", b"9 path=a", b"0 =\n", b"10 size=x\n", b"junk"]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
