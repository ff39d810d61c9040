//! Statements that find rows, their bodies and test-list entries.

use super::builder::Builder;
use super::counts::index;
use super::dialect::Dialect;
use super::log::{LOG, with_log};
use super::statement::{Parameter, Statement};
use crate::query::filter::{Filter, Window};
use crate::query::grain::Grain;
use crate::query::list::{Cursor, List, MeasurementSummary, Order};
use crate::value::{Type, Value};
use crate::write::row::ListedUrl;
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;

/// Tables other than rollups.
pub(crate) const TABLES: [&str; 8] =
    ["fastpath", "jsonl", "obs_openvpn", "refused", "rejected", "removed", "archived", "citizenlab"];

/// Columns of a [`MeasurementSummary`], in the order of [`LISTED_TYPES`].
const LISTED: &str = "f.measurement_uid, f.report_id, f.input, f.probe_cc, f.probe_asn, f.test_name, f.test_start_time, \
    f.measurement_start_time, f.scores, f.anomaly, f.confirmed, f.msm_failure, f.is_verified, f.ruleset, \
    f.fingerprints_sha256, f.body_sha256";

const LISTED_TYPES: [Type; 16] = {
    use Type::{Text, Time, UInt32};
    [Text, Text, Text, Text, UInt32, Text, Time, Time, Text, Text, Text, Text, Text, Text, Text, Text]
};

/// Positions of `measurement_start_time` and `measurement_uid` among the selected columns, both in [`LISTED`] and in
/// `fastpath`.
const TIME_AND_UID: [u32; 2] = [8, 1];

/// A page of rows.
pub(crate) fn list(dialect: Dialect, list: &List) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.ordered(list, LISTED, usize::try_from(list.limit).unwrap_or(usize::MAX));
    sql.statement(LISTED_TYPES.to_vec())
}

/// The rows of a filter after a time and uid, in that order.
pub(crate) fn slice(dialect: Dialect, filter: &Filter, after: Option<(DateTime, &str)>, limit: usize) -> Statement {
    let after = after.map(|(key, uid)| Cursor { key, uid: uid.to_owned() });
    let list = List { filter: filter.clone(), order: Order::MeasurementStartTime(after), ..List::default() };
    let mut sql = Builder::new(dialect);
    sql.ordered(&list, &row_columns(), limit);
    sql.statement(fastpath::COLUMNS.iter().map(|column| column.kind).collect())
}

impl Builder {
    /// Selects the first rows of a list.
    ///
    /// SQLite merges the rows of several countries, networks, …, each in index order; otherwise it would sort all of them.
    fn ordered(&mut self, list: &List, columns: &str, limit: usize) {
        let branches = match (self.dialect, &list.order) {
            (Dialect::Sqlite, Order::MeasurementStartTime(_)) => branches(&list.filter),
            _ => vec![list.filter.clone()],
        };
        let direction = if list.descending { " DESC" } else { "" };
        for (number, filter) in branches.iter().enumerate() {
            self.has_condition = false;
            self.push(if number == 0 { "SELECT " } else { " UNION ALL SELECT " }).push(columns);
            let by_index = self.dialect.by_index(Some(index(filter)));
            self.push(" FROM fastpath AS f").push(&by_index);
            self.rows_filter(filter);
            self.in_category(filter);
            self.after(&list.order, list.descending);
        }
        let [time, uid] = TIME_AND_UID.map(|position| position.to_string());
        let keys = match (&branches[..], self.indexed_prefix(&list.order, column(&list.order))) {
            ([_], Some(prefix)) => vec![prefix, column(&list.order).to_owned()],
            ([_], None) => vec![column(&list.order).to_owned()],
            _ => vec![time],
        };
        let last = if branches.len() == 1 { "f.measurement_uid".to_owned() } else { uid };
        let keys: Vec<String> = keys.into_iter().chain([last]).map(|key| key + direction).collect();
        self.push(" ORDER BY ").push(&keys.join(", ")).limit(limit);
        if list.offset > 0 {
            self.push(" OFFSET ").value(Parameter::Int(i64::try_from(list.offset).unwrap_or(i64::MAX)));
        }
    }

    /// The indexed prefix of a value by which rows are ordered; `None` if the whole value is indexed.
    fn indexed_prefix(&self, order: &Order, value: &str) -> Option<String> {
        match order {
            Order::Input(_) | Order::ProbeCc(_) | Order::TestName(_) => self.dialect.indexed(value),
            Order::MeasurementStartTime(_) | Order::ProbeAsn(_) => None,
        }
    }

    /// The conditions on the report and input of a table's rows.
    fn in_report(&mut self, table: &str, report_id: &str, input: &str) {
        for (column, value) in [("report_id", report_id), ("input", input)] {
            self.indexed_texts(&format!("{table}.{column}"), &[value.to_owned()]);
        }
    }

    /// The condition that a row comes after the cursor of an order.
    fn after(&mut self, order: &Order, is_descending: bool) {
        let (key, uid) = match order {
            Order::MeasurementStartTime(Some(Cursor { key, uid })) => (Parameter::Time(*key), uid),
            Order::ProbeAsn(Some(Cursor { key, uid })) => (Parameter::Int(i64::from(*key)), uid),
            Order::Input(Some(Cursor { key, uid }))
            | Order::ProbeCc(Some(Cursor { key, uid }))
            | Order::TestName(Some(Cursor { key, uid })) => (Parameter::Text(key.clone()), uid),
            _ => return,
        };
        let (column, compare) = (column(order), if is_descending { " < " } else { " > " });
        let compare_key = if is_descending { " <= " } else { " >= " };
        // Implied by the last condition; makes the index usable.
        self.and().push(column).push(compare_key).value(key.clone());
        if let Some(prefix) = self.indexed_prefix(order, column) {
            let placeholder = self.last_placeholder();
            let key_prefix = self.indexed_prefix(order, &placeholder).unwrap_or_default();
            self.and().push(&prefix).push(compare_key).push(&key_prefix);
        }
        self.and().push("(").push(column).push(compare).value(key);
        self.push(" OR f.measurement_uid").push(compare).value(Parameter::Text(uid.clone())).push(")");
    }
}

fn column(order: &Order) -> &'static str {
    match order {
        Order::MeasurementStartTime(_) => "f.measurement_start_time",
        Order::Input(_) => "f.input",
        Order::ProbeCc(_) => "f.probe_cc",
        Order::ProbeAsn(_) => "f.probe_asn",
        Order::TestName(_) => "f.test_name",
    }
}

/// Maximum values of an indexed column for which rows are read in index order and merged.
const MERGED: usize = 64;

/// Splits a filter with several values in its indexed column into filters with one value each, unless there are too
/// many.
fn branches(filter: &Filter) -> Vec<Filter> {
    fn each<T: Clone + Ord>(values: &[T], with: impl Fn(Vec<T>) -> Filter) -> Option<Vec<Filter>> {
        let mut values = values.to_vec();
        values.sort();
        values.dedup();
        (2..=MERGED).contains(&values.len()).then(|| values.into_iter().map(|value| with(vec![value])).collect())
    }
    let Filter { ooni_run_link_ids, domains, probe_asns, probe_ccs, test_names, .. } = filter;
    let with = || filter.clone();
    let branches = match index(filter) {
        "fastpath_by_link" => each(ooni_run_link_ids, |ooni_run_link_ids| Filter { ooni_run_link_ids, ..with() }),
        "fastpath_by_domain" => each(domains, |domains| Filter { domains, ..with() }),
        "fastpath_by_network" => each(probe_asns, |probe_asns| Filter { probe_asns, ..with() }),
        "fastpath_by_country" => each(probe_ccs, |probe_ccs| Filter { probe_ccs, ..with() }),
        "fastpath_by_test" => each(test_names, |test_names| Filter { test_names, ..with() }),
        _ => None,
    };
    branches.unwrap_or_else(|| vec![filter.clone()])
}

/// The row of a uid. If the start of the measurement is given, PostgreSQL plans only one partition.
pub(crate) fn uid(dialect: Dialect, uid: &str, start: Option<DateTime>) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(LISTED).push(" FROM fastpath AS f");
    sql.text("f.measurement_uid", uid);
    if let Some(start) = start {
        sql.and().push("f.measurement_start_time = ").value(Parameter::Time(start));
    } else if let Some(condition) = dialect.by_partition(&dialect.placeholder(1, &Parameter::Text(String::new()))) {
        sql.and().push(&condition);
    }
    sql.statement(LISTED_TYPES.to_vec())
}

/// The start of the measurement of a uid, for [`uid`]; `None` if the engine does not need it.
pub(crate) fn start(dialect: Dialect, uid: &str) -> Option<Statement> {
    if dialect != Dialect::Postgres {
        return None;
    }
    let mut sql = Builder::new(dialect);
    sql.push("SELECT j.measurement_start_time FROM jsonl AS j");
    sql.text("j.measurement_uid", uid);
    Some(sql.statement(vec![Type::Time]))
}

/// The start and the uid of the first measurement of a report and input, for [`uid`]; `None` if the engine does not need
/// them.
pub(crate) fn start_in_report(dialect: Dialect, report_id: &str, input: &str) -> Option<Statement> {
    if dialect != Dialect::Postgres {
        return None;
    }
    let mut sql = Builder::new(dialect);
    sql.push("SELECT j.measurement_start_time, j.measurement_uid FROM jsonl AS j");
    sql.in_report("j", report_id, input);
    sql.push(" ORDER BY j.measurement_uid LIMIT 1");
    Some(sql.statement(vec![Type::Time, Type::Text]))
}

/// The first row of a report and input; an empty input matches measurements without one.
pub(crate) fn report(dialect: Dialect, report_id: &str, input: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(LISTED).push(" FROM fastpath AS f").push(&dialect.by_index(Some("fastpath_by_report")));
    sql.in_report("f", report_id, input);
    sql.push(" ORDER BY f.measurement_uid LIMIT 1");
    // The index is missing during a bulk load.
    sql.statement(LISTED_TYPES.to_vec()).over(Window::default())
}

/// The category of a URL in the test lists, the global list first.
pub(crate) fn categories(dialect: Dialect, url: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT l.category_code FROM citizenlab AS l");
    sql.text("l.url", url);
    sql.push(" ORDER BY CASE WHEN l.cc = 'ZZ' THEN 0 ELSE 1 END, l.cc, l.category_code LIMIT 1");
    sql.statement(vec![Type::Text])
}

/// How often each input of a country that is in a test list was measured in these weeks, given by their first days.
pub(crate) fn inputs(dialect: Dialect, cc: &str, weeks: &[DateTime]) -> Statement {
    let part = |sql: &mut Builder, number: &str, table: &str, week: &str| {
        sql.has_condition = false;
        sql.push("SELECT f.input AS input, ").push(number).push(" AS number FROM ");
        sql.push(table).push(" AS f");
        sql.indexed_texts("f.test_name", &["web_connectivity".to_owned()]);
        sql.indexed_texts("f.probe_cc", &[cc.to_owned()]);
        sql.weeks(week, weeks);
        sql.and().push("f.input IN (SELECT l.url FROM citizenlab AS l)");
        if table == LOG {
            sql.in_log();
        }
        sql.push(" GROUP BY f.input");
    };
    with_log(dialect, true, |sql| {
        let joined = format!("SELECT p.input, {} FROM (", dialect.total("p.number"));
        sql.push(if sql.has_log { &joined } else { "" });
        part(sql, &dialect.total("f.measurement_count"), "rollup_week_input", "f.week");
        if sql.has_log {
            sql.push(" UNION ALL ");
            part(sql, "count(*)", LOG, &dialect.bucket(Grain::Week, "f.measurement_start_time"));
            sql.push(") AS p GROUP BY p.input");
        }
        vec![Type::Text, Type::OptionalUInt64]
    })
}

/// The URLs of these test lists, or of all lists if `ccs` is empty.
pub(crate) fn test_lists(dialect: Dialect, ccs: &[String]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT l.url, l.domain, l.cc, l.category_code FROM citizenlab AS l");
    sql.indexed_texts("l.cc", ccs);
    sql.push(" ORDER BY l.cc, l.url, l.category_code");
    sql.statement(vec![Type::Text; 4])
}

/// Rows after a uid, in uid order.
pub(crate) fn page(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(&row_columns()).push(" FROM fastpath AS f");
    sql.page_of_rows(after, limit);
    sql.statement(fastpath::COLUMNS.iter().map(|column| column.kind).collect())
}

/// The number of keys on a page of `jsonl`, and the last uid; a page may have fewer rows than keys.
pub(crate) fn jsonl_page(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT count(*), max(n.measurement_uid) FROM (").jsonl_keys(after, limit);
    sql.push(") AS n");
    sql.statement(vec![Type::OptionalUInt64, Type::Text])
}

fn row_columns() -> String {
    fastpath::NAMES.map(|name| format!("f.{name}")).join(", ")
}

/// A row of [`test_lists`].
pub(crate) fn listed_url(row: Vec<Value<'static>>) -> Option<ListedUrl> {
    match <[Value<'static>; 4]>::try_from(row) {
        Ok([Value::Text(url), Value::Text(domain), Value::Text(cc), Value::Text(category_code)]) => Some(ListedUrl {
            url: url.into(),
            domain: domain.into(),
            cc: cc.into(),
            category_code: category_code.into(),
        }),
        _ => None,
    }
}

/// A row selected by [`LISTED`].
pub(crate) fn listed(cells: Vec<Value<'static>>) -> Option<MeasurementSummary> {
    let mut cells = cells.into_iter();
    let mut next = || cells.next();
    let text = |cell: Option<Value<'static>>| match cell {
        Some(Value::Text(text)) => Some(text.into_owned()),
        _ => None,
    };
    let time = |cell: Option<Value<'static>>| match cell {
        Some(Value::Time(time)) => Some(time),
        _ => None,
    };
    let flag = |cell: Option<Value<'static>>| text(cell).map(|text| text == "t");
    Some(MeasurementSummary {
        measurement_uid: text(next())?,
        report_id: text(next())?,
        input: text(next())?,
        probe_cc: text(next())?,
        probe_asn: match next() {
            Some(Value::Int(asn)) => u32::try_from(asn).ok()?,
            _ => return None,
        },
        test_name: text(next())?,
        test_start_time: time(next())?,
        measurement_start_time: time(next())?,
        scores: text(next())?,
        anomaly: flag(next())?,
        confirmed: flag(next())?,
        failure: flag(next())?,
        is_verified: text(next())?,
        ruleset: text(next())?,
        fingerprints_sha256: text(next())?,
        body_sha256: text(next())?,
        category_code: None,
    })
}
