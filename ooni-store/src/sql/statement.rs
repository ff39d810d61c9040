//! [`Statement`]: a query with its parameters and the types of its columns.

use crate::query::filter::Window;
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
    /// The id of the last row of the log of rollups that is known to be folded; others may be, too. An engine that keeps
    /// this id sends it; 0 is always right.
    Folded,
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
    /// Maximum bytes of the result's texts, if it has more than one row. Beyond that the call fails with
    /// [`ErrorKind::TooLarge`](crate::ErrorKind).
    pub(crate) max_bytes: usize,
    /// The starts of the measurements whose rows or counts it reads; `None` if it reads none, or only look-ups by key.
    /// While a month in this window is being loaded in bulk, the statement fails with
    /// [`ErrorKind::Busy`](crate::ErrorKind).
    pub(crate) window: Option<Window>,
    /// The same query, with what the rows in the log of rollups add. The statement itself reads rollups alone, so it is
    /// right only while the log is empty; engines look in the same snapshot.
    pub(crate) with_log: Option<Box<Statement>>,
}

impl Statement {
    /// A statement whose result may have any size.
    pub(crate) fn new(sql: impl Into<String>, parameters: Vec<Parameter>, columns: Vec<Type>) -> Statement {
        Statement { sql: sql.into(), parameters, columns, max_bytes: usize::MAX, window: None, with_log: None }
    }

    /// The same statement, which reads measurements that start in a window.
    pub(crate) fn over(self, window: Window) -> Statement {
        Statement { window: Some(window), ..self }
    }

    /// The same statement with a limit on its rows. Only for a statement that has no limit.
    pub(crate) fn at_most(mut self, rows: usize) -> Statement {
        self.sql = format!("{} LIMIT {rows}", self.sql);
        self.with_log = self.with_log.map(|statement| Box::new(statement.at_most(rows)));
        self
    }

    /// The statement to execute, given whether the log of rollups has rows.
    pub(crate) fn by_log(&self, has_rows: bool) -> &Statement {
        self.with_log.as_deref().filter(|_| has_rows).unwrap_or(self)
    }
}

/// A statement that reads no table.
pub(crate) fn ping() -> Statement {
    Statement::new("SELECT CAST(1 AS BIGINT)", Vec::new(), vec![Type::OptionalUInt64])
}
