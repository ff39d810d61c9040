//! [`Record`]: a sequence of byte strings, the format of rows in temporary files.

use std::io::{self, Read};

/// Byte strings, each prefixed with its length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(Vec<u8>);

impl Record {
    /// Appends a field that `write` writes.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 8]);
        write(&mut self.0);
        let length = (self.0.len() - at - 8) as u64;
        self.0[at..at + 8].copy_from_slice(&length.to_le_bytes());
    }

    /// The fields in order.
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<8>()?;
            let (field, after) = after.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            rest = after;
            Some(field)
        })
    }

    /// A field; empty if there are fewer fields.
    pub fn field(&self, number: usize) -> &[u8] {
        self.fields().nth(number).unwrap_or_default()
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Removes all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends it to a file that [`Record::read`] reads.
    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        out.write_all(&(self.0.len() as u64).to_le_bytes())?;
        out.write_all(&self.0)
    }

    /// Reads the next record of a file; `None` at its end.
    ///
    /// # Errors
    /// The file cannot be read, or ends inside a record.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Record>> {
        let mut length = [0; 8];
        if from.read(&mut length[..1])? == 0 {
            return Ok(None);
        }
        from.read_exact(&mut length[1..])?;
        let length = u64::from_le_bytes(length);
        let mut bytes = Vec::new();
        match from.take(length).read_to_end(&mut bytes)? as u64 == length {
            true => Ok(Some(Record(bytes))),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
