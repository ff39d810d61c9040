//! The log of rollups in SQL: rows that were added and that the rollups do not count yet.
//!
//! A part of an aggregation that reads a rollup has the cells of the rollup, and what the rows in the log add to them.
//! Rows of the log have the columns of `fastpath` that rollups use, so they are counted by the same expressions.

use super::builder::Builder;
use super::dialect::Dialect;
use super::statement::{Parameter, Statement};
use crate::query::planner::{Part, Source};
use crate::value::Type;

/// The id of the last row of the log that was folded, and whether the log has rows, in PostgreSQL. The order makes it
/// use the index, which skips rows that were deleted and not cleaned up yet.
pub(crate) const LOG_STATE: &str = "SELECT g.id,
    (SELECT r.id FROM rollup_log AS r WHERE r.id > g.id ORDER BY r.id LIMIT 1) IS NOT NULL FROM rollup_log_folded AS g";

/// The condition on the rows that are in the log.
pub(super) const IN_LOG: &str = "f.id > (SELECT g.id FROM rollup_log_folded AS g)";

/// The table of the log.
pub(super) const LOG: &str = "rollup_log";

impl Builder {
    /// The condition on the rows of [`LOG`] that are in the log.
    pub(super) fn in_log(&mut self) {
        self.and().push(IN_LOG);
        if self.dialect == Dialect::Postgres {
            // It cannot foresee the result of the subquery, but how many rows are after a constant. If many rows were
            // deleted and not cleaned up yet, it should use the key, which skips them.
            self.and().push("f.id > ").value(Parameter::Folded);
        }
    }
}

/// A statement that reads some parts. `build` returns the types of its columns.
pub(super) fn of_parts(dialect: Dialect, parts: &[Part], build: impl Fn(&mut Builder) -> Vec<Type>) -> Statement {
    let reads_rollups = parts.iter().any(|part| matches!(part.source, Source::Rollup(_)));
    with_log(dialect, reads_rollups, build)
}

/// A statement that reads rollups, if `reads_rollups`.
pub(super) fn with_log(dialect: Dialect, reads_rollups: bool, build: impl Fn(&mut Builder) -> Vec<Type>) -> Statement {
    let built = |has_log| {
        let mut sql = Builder::new(dialect);
        sql.has_log = has_log;
        let columns = build(&mut sql);
        sql.statement(columns)
    };
    let with_log = (reads_rollups && dialect.has_log()).then(|| Box::new(built(true)));
    Statement { with_log, ..built(false) }
}
