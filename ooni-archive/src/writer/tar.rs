//! Headers of a tar archive, as Python's `tarfile` writes them for the reference: ustar, with pax records where needed.

/// Headers take one block; contents are padded to whole blocks.
pub(super) const BLOCK: usize = 512;

/// The end of an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Maximum size that a header can have: eleven octal digits.
pub(super) const LARGEST: u64 = (1 << 33) - 1;

/// The name of the header before pax records; readers ignore it.
const PAX_NAME: &[u8] = b"././@PaxHeader";

/// The headers of a file: pax records if there are some, and the file's own header. `size` is at most [`LARGEST`].
pub(super) fn headers(name: &str, size: u64, mtime: u64, records: &[(&str, &str)]) -> Vec<u8> {
    let (prefix, short) = split(name);
    let long = short.len() > 100;
    let mut content = Vec::new();
    if long {
        content.extend(record("path", name));
    }
    for (key, value) in records {
        content.extend(record(key, value));
    }
    let mut headers = Vec::new();
    if !content.is_empty() {
        headers.extend(header(b'x', b"", PAX_NAME, content.len() as u64, 0));
        let padding = padding(content.len() as u64);
        headers.extend(content);
        headers.resize(headers.len() + padding, 0);
    }
    let short = short.as_bytes();
    headers.extend(header(b'0', prefix.as_bytes(), &short[..short.len().min(100)], size, mtime));
    headers
}

/// Bytes after a content of that size, up to the next block.
pub(super) fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// Folder and name, if both fit into their fields; else only the name.
fn split(name: &str) -> (&str, &str) {
    if name.len() <= 100 {
        return ("", name);
    }
    let fits = |(prefix, short): &(&str, &str)| prefix.len() <= 155 && (1..=100).contains(&short.len());
    name.rsplit_once('/').filter(fits).unwrap_or(("", name))
}

/// A pax record `<length> <key>=<value>\n`, whose length includes its own digits.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    loop {
        let whole = length.to_string().len() + rest.len();
        if whole == length {
            return format!("{length}{rest}").into_bytes();
        }
        length = whole;
    }
}

fn header(kind: u8, prefix: &[u8], name: &[u8], size: u64, mtime: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, b"0000644\0"); // mode
    put(108, b"0000000\0"); // owner
    put(116, b"0000000\0"); // group
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{mtime:011o}\0").as_bytes());
    put(148, b"        "); // blanks in place of the checksum
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(329, b"0000000\0"); // device
    put(337, b"0000000\0");
    put(345, prefix);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_records_include_themselves() {
        assert_eq!(record("path", "a/b"), b"12 path=a/b\n");
        for length in [80, 86, 87, 88, 89, 90, 980, 984, 985, 986, 987, 988] {
            let record = record("comment", &"x".repeat(length));
            assert!(record.starts_with(format!("{} comment=", record.len()).as_bytes()), "{length}");
        }
    }

    #[test]
    fn fields() {
        let headers = headers("a/b.post", 0o1234, 0o17, &[]);
        let [magic, size, mtime] = [&headers[257..265], &headers[124..136], &headers[136..148]];
        assert_eq!((magic, size, mtime), (&b"ustar\x0000"[..], &b"00000001234\0"[..], &b"00000000017\0"[..]));
        let mut read = tar::Header::new_ustar();
        read.as_mut_bytes().copy_from_slice(&headers);
        let sum = read.cksum().unwrap();
        read.set_cksum();
        assert_eq!(read.cksum().unwrap(), sum);
        assert_eq!((read.mode().unwrap(), read.uid().unwrap(), read.gid().unwrap()), (0o644, 0, 0));
    }
}
