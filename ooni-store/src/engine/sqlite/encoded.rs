//! [`Encoded`]: rows of a table as SQLite stores them, and [`Insert`], which writes them.
//!
//! Neighbouring rows have many values in common. Those are encoded once and stay bound to the statement.

use crate::value::Value;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{CachedStatement, Result, ToSql};

/// Rows of a table. Their texts are in one buffer.
pub(super) struct Encoded {
    /// Values in a row.
    width: usize,
    cells: Vec<Cell>,
    texts: Vec<u8>,
}

/// A value. Texts of a column that are equal in neighbouring rows are the same text of the buffer.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Text {
        from: usize,
        to: usize,
    },
    Int(i64),
    /// NaN is stored as NULL.
    Real(f64),
    Null,
}

impl Encoded {
    /// For so many rows with so many values.
    pub(super) fn new(width: usize, rows: usize) -> Encoded {
        /// Approximate length of the texts of a row that differ from those of the row before.
        const TEXTS: usize = 320;
        Encoded { width, cells: Vec::with_capacity(width * rows), texts: Vec::with_capacity(TEXTS * rows) }
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.width
    }

    /// Appends a value to the last row, or begins a row.
    pub(super) fn push(&mut self, value: &Value<'_>) {
        let cell = match value {
            Value::Text(text) => return self.push_text(text),
            Value::Int(value) => match i64::try_from(*value) {
                Ok(value) => Cell::Int(value),
                // Beyond the range of SQLite's integers.
                Err(_) => return self.push_text(&value.to_string()),
            },
            Value::Float(value) => Cell::Real(f64::from(*value)),
            Value::Time(time) => Cell::Int(time.timestamp()),
            Value::Bool(value) => Cell::Int(i64::from(*value)),
            Value::Null => Cell::Null,
        };
        self.cells.push(cell);
    }

    /// Appends a text to the last row, or begins a row.
    pub(super) fn push_text(&mut self, text: &str) {
        let above = self.cells.len().checked_sub(self.width).and_then(|above| self.cells.get(above));
        let cell = match above {
            Some(&same @ Cell::Text { from, to }) if self.texts[from..to] == *text.as_bytes() => same,
            _ => {
                let from = self.texts.len();
                self.texts.extend_from_slice(text.as_bytes());
                Cell::Text { from, to: self.texts.len() }
            }
        };
        self.cells.push(cell);
    }

    fn row(&self, row: usize) -> &[Cell] {
        &self.cells[row * self.width..(row + 1) * self.width]
    }
}

/// A value with its text.
struct Bound<'e>(Cell, &'e [u8]);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Cell::Text { from, to } => ToSqlOutput::Borrowed(ValueRef::Text(&self.1[from..to])),
            Cell::Int(value) => ToSqlOutput::Owned(SqlValue::Integer(value)),
            Cell::Real(value) => ToSqlOutput::Owned(SqlValue::Real(value)),
            Cell::Null => ToSqlOutput::Owned(SqlValue::Null),
        })
    }
}

/// A statement whose first parameters are the values of a row.
pub(super) struct Insert<'c> {
    statement: CachedStatement<'c>,
    /// The row that is bound, if it is encoded.
    bound: Option<usize>,
}

impl<'c> Insert<'c> {
    /// `now` is bound to the last parameter.
    pub(super) fn new(mut statement: CachedStatement<'c>, now: &str) -> Result<Insert<'c>> {
        let last = statement.parameter_count();
        statement.raw_bind_parameter(last, now)?;
        Ok(Insert { statement, bound: None })
    }

    /// Inserts a row. Returns false if it exists. All rows must be of the same `rows`.
    pub(super) fn encoded(&mut self, rows: &Encoded, row: usize) -> Result<bool> {
        let bound = self.bound.map(|bound| rows.row(bound));
        for (column, &cell) in rows.row(row).iter().enumerate() {
            if bound.is_none_or(|bound| bound[column] != cell) {
                self.statement.raw_bind_parameter(column + 1, Bound(cell, &rows.texts))?;
            }
        }
        self.bound = Some(row);
        Ok(self.statement.raw_execute()? == 1)
    }

    /// Inserts a row that is not encoded. Returns false if it exists.
    pub(super) fn values(&mut self, values: &[Value<'_>]) -> Result<bool> {
        self.bound = None;
        for (parameter, value) in (1..).zip(values) {
            self.statement.raw_bind_parameter(parameter, value)?;
        }
        Ok(self.statement.raw_execute()? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use std::borrow::Cow;

    #[test]
    fn rows_are_inserted_as_their_values() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let rows = [
            [text("a"), text("x"), Value::Int(1), Value::Float(0.5)],
            [text("b"), text("x"), Value::Int(1), Value::Float(f32::NAN)],
            [text("a"), text("x"), Value::Int(1), Value::Float(0.5)], // exists
            [text("c"), text(""), Value::Null, Value::Float(f32::NAN)],
            [text("d"), text("x"), Value::Int(u64::MAX), Value::Float(f32::INFINITY)],
            [text("e"), text("xy"), Value::Int(u64::MAX), Value::Bool(true)],
        ];
        let read = |insert: &dyn Fn(&mut Insert<'_>, usize) -> Result<bool>| {
            let connection = Connection::open_in_memory().unwrap();
            connection
                .execute_batch("CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT, c ANY, d ANY, e TEXT) STRICT")
                .unwrap();
            let statement = connection.prepare_cached("INSERT INTO t VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
            let mut statement = Insert::new(statement.unwrap(), "now").unwrap();
            let is_new = (0..rows.len()).map(|row| insert(&mut statement, row).unwrap());
            assert_eq!(is_new.collect::<Vec<_>>(), [true, true, false, true, true, true]);
            let mut read =
                connection.prepare("SELECT quote(a) || quote(b) || quote(c) || quote(d) || e FROM t").unwrap();
            read.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect::<Vec<String>>()
        };
        let mut encoded = Encoded::new(4, 1);
        rows.iter().flatten().for_each(|value| encoded.push(value));
        assert_eq!(encoded.len(), rows.len());
        let expected =
            ["'a''x'10.5now", "'b''x'1NULLnow", "'c'''NULLNULLnow", "'d''x''18446744073709551615'9.0e+999now"];
        let all = read(&|insert, row| insert.encoded(&encoded, row));
        assert_eq!(all[..4], expected);
        assert_eq!(all[4], "'e''xy''18446744073709551615'1now");
        assert_eq!(read(&|insert, row| insert.values(&rows[row])), all);
        let mixed = |insert: &mut Insert<'_>, row: usize| match row % 2 {
            0 => insert.encoded(&encoded, row),
            _ => insert.values(&rows[row]),
        };
        assert_eq!(read(&mixed), all);
    }
}
