//! [`Statement`]: a query with its values and the types of its columns.

use crate::value::Type;
use ooni_core::time::DateTime;

/// A value that is bound to a placeholder of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameter {
    /// Text.
    Text(String),
    /// An integer.
    Int(i64),
    /// The id of an OONI Run link, which may be greater than any integer of an engine.
    Link(u64),
    /// A time.
    Time(DateTime),
    /// An array of texts.
    Texts(Vec<String>),
    /// An array of integers.
    Ints(Vec<i64>),
    /// An array of ids of OONI Run links.
    Links(Vec<u64>),
}

/// A query and what it returns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// In the dialect of one engine.
    pub(crate) sql: String,
    /// Values in the order of their placeholders.
    pub(crate) parameters: Vec<Parameter>,
    /// Types of the columns that come back.
    pub(crate) columns: Vec<Type>,
}

impl Statement {
    /// The same, ended after so many rows. Only for a statement without a limit of its own.
    pub(crate) fn at_most(mut self, rows: usize) -> Statement {
        self.sql = format!("{} LIMIT {rows}", self.sql);
        self
    }
}

/// A statement that reads no table.
pub(crate) fn ping() -> Statement {
    let sql = "SELECT CAST(1 AS BIGINT)".to_owned();
    Statement { sql, parameters: Vec::new(), columns: vec![Type::OptionalUInt64] }
}
