//! [`Builder`]: builds a statement piece by piece.

use super::dialect::Dialect;
use super::statement::{Parameter, Statement};
use crate::query::filter::Filter;
use crate::value::Type;
use ooni_core::time::DateTime;

/// Maximum values that SQLite binds one by one; more are bound as one array. SQLite chooses the best index when it sees
/// the values, but the number of placeholders is limited.
const FEW: usize = 100;

/// Builds a statement piece by piece.
pub(super) struct Builder {
    pub(super) dialect: Dialect,
    sql: String,
    parameters: Vec<Parameter>,
    pub(super) has_condition: bool,
    /// Whether parts that read rollups add the rows of the log.
    pub(super) has_log: bool,
}

impl Builder {
    pub(super) fn new(dialect: Dialect) -> Builder {
        Builder { dialect, sql: String::new(), parameters: Vec::new(), has_condition: false, has_log: false }
    }

    /// Appends SQL. Never user input.
    pub(super) fn push(&mut self, sql: &str) -> &mut Builder {
        self.sql.push_str(sql);
        self
    }

    /// Appends a placeholder and binds a value to it.
    pub(super) fn value(&mut self, value: Parameter) -> &mut Builder {
        let parts = self.dialect.parts(value);
        let is_whole = parts.len() == 1;
        self.push(if is_whole { "" } else { self.dialect.joined(&parts) });
        for (number, part) in parts.into_iter().enumerate() {
            self.push(if number == 0 { "" } else { ", " });
            self.sql.push_str(&self.dialect.placeholder(self.parameters.len() + 1, &part));
            self.parameters.push(part);
        }
        self.push(if is_whole { "" } else { ")" })
    }

    /// The placeholder of the last value.
    pub(super) fn last_placeholder(&self) -> String {
        self.dialect.number(self.parameters.len())
    }

    /// Starts a condition.
    pub(super) fn and(&mut self) -> &mut Builder {
        let word = if self.has_condition { " AND " } else { " WHERE " };
        self.has_condition = true;
        self.push(word)
    }

    /// Appends a subquery, which has its own conditions.
    pub(super) fn nested(&mut self, build: impl FnOnce(&mut Builder)) -> &mut Builder {
        let outside = std::mem::take(&mut self.has_condition);
        self.push("(");
        build(self);
        self.has_condition = outside;
        self.push(")")
    }

    /// The condition that a column equals one of some values; no condition if there are none.
    pub(super) fn any<T: Copy>(
        &mut self,
        column: &str,
        values: &[T],
        one: impl Fn(T) -> Parameter,
        all: impl Fn(Vec<T>) -> Parameter,
    ) {
        if values.is_empty() {
            return;
        }
        self.and().push(column);
        match values {
            [value] => drop(self.push(" = ").value(one(*value))),
            few if self.dialect == Dialect::Sqlite && few.len() <= FEW => {
                self.push(" IN (");
                for (number, value) in few.iter().enumerate() {
                    self.push(if number == 0 { "" } else { ", " }).value(one(*value));
                }
                self.push(")");
            }
            many => {
                let all = all(many.to_vec());
                let [before, after] = self.dialect.any_of(&all);
                self.push(before).value(all).push(after);
            }
        }
    }

    pub(super) fn any_text(&mut self, column: &str, values: &[String]) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let all = |texts: Vec<&str>| Parameter::Texts(texts.into_iter().map(str::to_owned).collect());
        self.any(column, &values, |text| Parameter::Text(text.to_owned()), all);
    }

    pub(super) fn text(&mut self, column: &str, value: &str) {
        self.and().push(column).push(" = ").value(Parameter::Text(value.to_owned()));
    }

    /// The condition that an indexed column equals one of some texts of any length; no condition if there are none.
    ///
    /// If only prefixes are indexed, a whole text is compared only if one of them is longer.
    pub(super) fn indexed_texts(&mut self, column: &str, values: &[String]) {
        let Some(prefix) = self.dialect.indexed(column) else { return self.any_text(column, values) };
        if values.iter().all(|text| self.dialect.is_indexed_whole(text)) {
            return self.any_text(&prefix, values);
        }
        self.any_text(column, values);
        let placeholder = self.last_placeholder();
        let (prefixes, [before, after]) = match values {
            [_] => (self.dialect.indexed(&placeholder), [" = ", ""]),
            _ => (self.dialect.indexed_prefixes(&placeholder), self.dialect.any_of(&Parameter::Texts(Vec::new()))),
        };
        self.and().push(&prefix).push(before).push(&prefixes.unwrap_or_default()).push(after);
    }

    /// The condition that a column equals one of a few times.
    pub(super) fn weeks(&mut self, column: &str, weeks: &[DateTime]) {
        self.and().push(column).push(" IN (");
        for (number, &week) in weeks.iter().enumerate() {
            self.push(if number == 0 { "" } else { ", " }).value(Parameter::Time(week));
        }
        self.push(")");
    }

    /// The conditions of a filter on `fastpath`, named `f`.
    ///
    /// The condition on the category is separate, because its columns differ by table.
    pub(super) fn rows_filter(&mut self, filter: &Filter) {
        if filter.is_of_rare_tests() {
            self.indexed_texts("f.test_name", &filter.test_names);
            // Implied by the previous condition; makes the partial index usable.
            self.and().push("f.test_name <> 'web_connectivity'");
        } else {
            // The statistics of the partial index do not have the other test.
            self.any_text("f.test_name", &filter.test_names);
        }
        self.filter(filter, "f.measurement_start_time");
    }

    /// The conditions of a filter on a rollup, named `f`, with the time column `time`.
    ///
    /// The condition on the category is separate, because its columns differ by table.
    pub(super) fn cells_filter(&mut self, filter: &Filter, time: &str) {
        self.indexed_texts("f.test_name", &filter.test_names);
        self.filter(filter, time);
    }

    /// The conditions of a filter except those on the test and the category.
    fn filter(&mut self, filter: &Filter, time: &str) {
        self.indexed_texts("f.report_id", filter.report_id.as_slice());
        self.indexed_texts("f.input", filter.input.as_slice());
        self.indexed_texts("f.domain", &filter.domains);
        self.indexed_texts("f.probe_cc", &filter.probe_ccs);
        let asns: Vec<i64> = filter.probe_asns.iter().map(|&asn| i64::from(asn)).collect();
        self.any("f.probe_asn", &asns, Parameter::Int, Parameter::Ints);
        self.any_text("f.software_version", &filter.software_versions);
        self.any_text("f.test_version", &filter.test_versions);
        self.any_text("f.engine_version", &filter.engine_versions);
        self.any("f.ooni_run_link_id", &filter.ooni_run_link_ids, Parameter::Link, Parameter::Links);
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
        if filter.only_listed {
            self.and().push("f.input IN (SELECT l.url FROM citizenlab AS l)");
        }
        if filter.only_known_cc {
            self.and().push("f.probe_cc <> 'ZZ'");
        }
        if filter.only_known_asn {
            self.and().push("f.probe_asn <> 0");
        }
    }

    /// The condition on the category, given the columns for its code and its list.
    pub(super) fn category(&mut self, filter: &Filter, code: &str, cc: &str) {
        if let Some(category) = &filter.category {
            self.indexed_texts(code, std::slice::from_ref(&category.code));
            self.indexed_texts(cc, &category.lists);
        }
    }

    /// The condition that a test list has the input in the category of a filter. A row is selected once, however many lists
    /// match.
    pub(super) fn in_category(&mut self, filter: &Filter) {
        if filter.category.is_none() {
            return;
        }
        let is_correlated = self.dialect == Dialect::Sqlite;
        let [before, after] = match self.dialect {
            Dialect::Sqlite => ["EXISTS ", ""],
            // The URLs become a hash table. PostgreSQL would join a plain IN or EXISTS, and look up the URL of each row.
            Dialect::Postgres => ["(f.input IN ", ") IS TRUE"],
            Dialect::Clickhouse => ["f.input IN ", ""],
        };
        self.and().push(before);
        self.nested(|sql| {
            sql.push("SELECT l.url FROM citizenlab AS l");
            if is_correlated {
                // A URL is in few lists, but a category has thousands of URLs.
                let by_url = sql.dialect.by_index(Some("citizenlab_by_url"));
                sql.push(&by_url);
                sql.and().push("l.url = f.input");
            }
            sql.category(filter, "l.category_code", "l.cc");
        });
        self.push(after);
    }

    /// The first rows of `fastpath` after a uid, in uid order.
    pub(super) fn page_of_rows(&mut self, after: Option<&str>, limit: usize) {
        if self.dialect == Dialect::Sqlite {
            return self.page("f.measurement_uid", after, limit);
        }
        self.and().push("(f.measurement_start_time, f.measurement_uid) IN ");
        self.nested(|sql| sql.jsonl_keys(after, limit)).push(" ORDER BY f.measurement_uid");
    }

    /// The first rows after a key, in key order.
    pub(super) fn page(&mut self, key: &str, after: Option<&str>, limit: usize) {
        if let Some(after) = after {
            self.and().push(key).push(" > ").value(Parameter::Text(after.to_owned()));
        }
        self.push(" ORDER BY ").push(key).limit(limit);
    }

    /// The keys in `jsonl` after a uid, in uid order, for engines whose rows are ordered by time.
    pub(super) fn jsonl_keys(&mut self, after: Option<&str>, limit: usize) {
        self.push("SELECT k.measurement_start_time, k.measurement_uid FROM jsonl AS k");
        self.page("k.measurement_uid", after, limit);
    }

    pub(super) fn limit(&mut self, rows: usize) {
        self.push(" LIMIT ").value(Parameter::Int(i64::try_from(rows).unwrap_or(i64::MAX)));
    }

    pub(super) fn statement(self, columns: Vec<Type>) -> Statement {
        Statement::new(self.sql, self.parameters, columns)
    }
}
