//! [`Copy`]: sends rows to a table by binary COPY.

use super::error::PgError;
use super::value::encoded;
use crate::value::Value;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::Sink;
use postgres_types::{IsNull, ToSql, Type};
use std::future::poll_fn;
use std::pin::Pin;
use tokio_postgres::{CopyInSink, Error, Transaction};

/// What precedes the rows: the signature, and no flags and no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Bytes that are sent at once. The server works on them while the next ones are encoded.
const CHUNK: usize = 64 << 10;

/// Size of the buffer: a chunk, and the rest of its last row, which is seldom longer.
const BUFFER: usize = CHUNK + (4 << 10);

/// Rows on their way to a table. Unless it is [finished](Copy::finish), no row is written.
pub(super) struct Copy {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    /// What is not sent yet.
    out: BytesMut,
}

impl Copy {
    /// Begins to send rows with these columns.
    pub(super) async fn begin(transaction: &Transaction<'_>, table: &str, columns: &str) -> Result<Copy, Error> {
        let sink = transaction.copy_in(&format!("COPY {table} ({columns}) FROM STDIN BINARY")).await?;
        let mut out = BytesMut::with_capacity(BUFFER);
        out.put_slice(HEADER);
        Ok(Copy { sink: Box::pin(sink), out })
    }

    /// Begins a row; as many values follow.
    pub(super) async fn row(&mut self, values: usize) -> Result<(), Error> {
        if self.out.len() >= CHUNK {
            self.send().await?;
        }
        self.out.put_i16(values as i16);
        Ok(())
    }

    /// Adds a value to the row, for a column of this type.
    pub(super) fn value(&mut self, value: &Value<'_>, kind: &Type) -> Result<(), PgError> {
        if let Value::Text(text) = value {
            self.text(&encoded(text));
            return Ok(());
        }
        let begin = self.out.len();
        self.out.put_i32(0);
        let length = match value.to_sql(kind, &mut self.out) {
            Ok(IsNull::Yes) => -1,
            Ok(IsNull::No) => i32::try_from(self.out.len() - begin - 4).map_err(|_| PgError::foreign())?,
            Err(error) => return Err(PgError::Refused(error.to_string())),
        };
        self.out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Adds a text to the row, in the encoding of the tables.
    pub(super) fn text(&mut self, encoded: &str) {
        self.out.put_i32(encoded.len() as i32);
        self.out.put_slice(encoded.as_bytes());
    }

    /// Adds an integer to the row; a time is the number of microseconds since 2000.
    pub(super) fn int(&mut self, value: i64) {
        self.out.put_i32(8);
        self.out.put_i64(value);
    }

    /// Ends the rows; returns their number.
    pub(super) async fn finish(mut self) -> Result<u64, Error> {
        self.out.put_i16(-1);
        self.send().await?;
        self.sink.as_mut().finish().await
    }

    async fn send(&mut self) -> Result<(), Error> {
        poll_fn(|context| self.sink.as_mut().poll_ready(context)).await?;
        let full = std::mem::replace(&mut self.out, BytesMut::with_capacity(BUFFER));
        self.sink.as_mut().start_send(full.freeze())
    }
}
