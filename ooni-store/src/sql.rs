//! Statements that all engines share, in the words of each: [`Statement`], and [`Builder`] which makes them.
//!
//! What an engine does alone is in its own folder: how it writes, what its tables are.

mod counts;
mod dialect;
mod measurements;
mod rows;
mod runtimes;

pub(crate) use self::dialect::Dialect;

pub(crate) use self::counts::{
    add_cell, add_cells, aggregation, cells, cells_by_day, count, delete_empty_cell, differences, distinct, span,
    state, subtract_window,
};
pub(crate) use self::measurements::{UID, measurement, measurements, refusal, refusals, removal, removals};
pub(crate) use self::rows::{
    TABLES, body_location, categories, inputs, list, listed, listed_url, noted, page, place, report, slice, test_lists,
    uid,
};

pub(crate) use self::runtimes::{runtimes, runtimes_of};

use crate::query::filter::Filter;
use crate::value::Type;
use ooni_core::time::DateTime;

/// A value that is handed to a database apart from the statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameter {
    /// Text.
    Text(String),
    /// An integer.
    Int(i64),
    /// The id of an OONI Run link, which may be beyond what an integer of an engine holds.
    Link(u64),
    /// A time.
    Time(DateTime),
}

/// A query and what it returns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// In the words of one engine.
    pub(crate) sql: String,
    /// Values in the order of their places.
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

/// Makes a statement piece by piece.
struct Builder {
    dialect: Dialect,
    sql: String,
    parameters: Vec<Parameter>,
    has_condition: bool,
}

impl Builder {
    fn new(dialect: Dialect) -> Builder {
        Builder { dialect, sql: String::new(), parameters: Vec::new(), has_condition: false }
    }

    /// Appends text of the program's, never of a user's.
    fn push(&mut self, sql: &str) -> &mut Builder {
        self.sql.push_str(sql);
        self
    }

    /// Appends the place of a value.
    fn value(&mut self, value: Parameter) -> &mut Builder {
        self.sql.push_str(&self.dialect.place(self.parameters.len() + 1, &value));
        self.parameters.push(value);
        self
    }

    /// Begins another condition.
    fn and(&mut self) -> &mut Builder {
        let word = if self.has_condition { " AND " } else { " WHERE " };
        self.has_condition = true;
        self.push(word)
    }

    /// A column that has one of some values; no condition without values.
    fn any(&mut self, column: &str, values: impl IntoIterator<Item = Parameter>) {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return };
        self.and().push(column);
        let mut rest = values.peekable();
        if rest.peek().is_none() {
            self.push(" = ").value(first);
            return;
        }
        self.push(" IN (").value(first);
        for value in rest {
            self.push(", ").value(value);
        }
        self.push(")");
    }

    fn any_text<'t>(&mut self, column: &str, values: impl IntoIterator<Item = &'t String>) {
        self.any(column, values.into_iter().map(|value| Parameter::Text(value.clone())));
    }

    /// A column of texts of any length that is equal to one.
    fn long_text(&mut self, column: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        let parameter = || Parameter::Text(value.to_owned());
        self.any(column, [parameter()]);
        if let Some(indexed) = self.dialect.indexed(column) {
            let place = self.dialect.place(self.parameters.len(), &parameter());
            let place = self.dialect.indexed(&place).unwrap_or_default();
            self.and().push(&indexed).push(" = ").push(&place);
        }
    }

    /// The conditions of a filter on a table that is called `f`, whose time is in the column `time`.
    ///
    /// That on categories is another's, as it is on other columns in every table.
    fn filter(&mut self, filter: &Filter, time: &str) {
        self.long_text("f.report_id", filter.report_id.as_deref());
        self.long_text("f.input", filter.input.as_deref());
        self.any_text("f.domain", &filter.domains);
        self.any_text("f.probe_cc", &filter.probe_ccs);
        self.any("f.probe_asn", filter.probe_asns.iter().map(|&asn| Parameter::Int(i64::from(asn))));
        self.any_text("f.test_name", &filter.test_names);
        if filter.is_of_rare_tests() {
            // Said once more, as an index has it.
            self.and().push("f.test_name <> 'web_connectivity'");
        }
        self.any_text("f.software_version", &filter.software_versions);
        self.any_text("f.test_version", &filter.test_versions);
        self.any_text("f.engine_version", &filter.engine_versions);
        self.any("f.ooni_run_link_id", filter.ooni_run_link_ids.iter().map(|&id| Parameter::Link(id)));
        if let Some(from) = filter.window.from {
            self.and().push(time).push(" >= ").value(Parameter::Time(from));
        }
        if let Some(to) = filter.window.to {
            self.and().push(time).push(" < ").value(Parameter::Time(to));
        }
        let flags =
            [("f.anomaly", filter.anomaly), ("f.confirmed", filter.confirmed), ("f.msm_failure", filter.failure)];
        for (flag, wanted) in flags {
            if let Some(wanted) = wanted {
                let condition = self.dialect.flag(flag, wanted);
                self.and().push(&condition);
            }
        }
        if filter.only_known_cc {
            self.and().push("f.probe_cc <> 'ZZ'");
        }
        if filter.only_known_asn {
            self.and().push("f.probe_asn <> 0");
        }
    }

    /// The condition on categories, of the two columns that have them.
    fn category(&mut self, filter: &Filter, code: &str, cc: &str) {
        if let Some(category) = &filter.category {
            self.and().push(code).push(" = ").value(Parameter::Text(category.code.clone()));
            self.any_text(cc, &category.lists);
        }
    }

    /// The first rows of `fastpath` after a uid, in the order of uids.
    fn page_of_rows(&mut self, after: Option<&str>, limit: usize) {
        if self.dialect == Dialect::Sqlite {
            return self.page("f.measurement_uid", after, limit);
        }
        self.and().push("(f.measurement_start_time, f.measurement_uid) IN (");
        self.noted(after, limit);
        self.push(") ORDER BY f.measurement_uid");
    }

    /// The first rows after a key, in its order.
    fn page(&mut self, key: &str, after: Option<&str>, limit: usize) {
        if let Some(after) = after {
            self.and().push(key).push(" > ").value(Parameter::Text(after.to_owned()));
        }
        self.push(" ORDER BY ").push(key).limit(limit);
    }

    /// The keys of rows that are noted after a uid, in the order of their uids, for an engine that has rows by their times.
    fn noted(&mut self, after: Option<&str>, limit: usize) {
        self.push("SELECT k.measurement_start_time, k.measurement_uid FROM jsonl AS k");
        let outside = std::mem::take(&mut self.has_condition);
        self.page("k.measurement_uid", after, limit);
        self.has_condition = outside;
    }

    fn limit(&mut self, rows: usize) {
        self.push(" LIMIT ").value(Parameter::Int(i64::try_from(rows).unwrap_or(i64::MAX)));
    }

    fn statement(self, columns: Vec<Type>) -> Statement {
        Statement { sql: self.sql, parameters: self.parameters, columns }
    }
}
