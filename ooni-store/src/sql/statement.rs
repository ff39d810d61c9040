//! [`Statement`]: a query with its parameters and the types of its columns.

use crate::value::Type;
use ooni_core::time::DateTime;

/// A value bound to a placeholder of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameter {
    /// Text.
    Text(String),
    /// An integer.
    Int(i64),
    /// The id of an OONI Run link, which may exceed the range of an engine's integers.
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

/// A query with its parameters and the types of its columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// The SQL, in the dialect of one engine.
    pub(crate) sql: String,
    /// Values, in placeholder order.
    pub(crate) parameters: Vec<Parameter>,
    /// Types of the returned columns.
    pub(crate) columns: Vec<Type>,
}

impl Statement {
    /// The same statement with a limit on its rows. Only for a statement that has no limit.
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
