//! Statements that find rows, and what lies beside them.

use super::counts::index;
use super::{Builder, Dialect, Parameter, Statement};
use crate::query::filter::Filter;
use crate::query::list::{List, MeasurementSummary, OrderBy, Start};
use crate::value::{Type, Value};
use crate::write::row::{BodyLocation, ListedUrl};
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;

/// Tables that are no rollups.
pub(crate) const TABLES: [&str; 6] = ["fastpath", "jsonl", "obs_openvpn", "refused", "removed", "citizenlab"];

/// Columns of a [`MeasurementSummary`], in the order of [`LISTED_TYPES`].
const LISTED: &str = "f.measurement_uid, f.report_id, f.input, f.probe_cc, f.probe_asn, f.test_name, f.test_start_time, \
    f.measurement_start_time, f.scores, f.anomaly, f.confirmed, f.msm_failure, f.is_verified, f.ruleset, \
    f.fingerprints_sha256, f.body_sha256";

const LISTED_TYPES: [Type; 16] = {
    use Type::{Text, Time, UInt32};
    [Text, Text, Text, Text, UInt32, Text, Time, Time, Text, Text, Text, Text, Text, Text, Text, Text]
};

/// A page of rows.
pub(crate) fn list(dialect: Dialect, list: &List) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(LISTED).push(" FROM fastpath AS f");
    if list.filter.category.is_some() {
        sql.push(" JOIN citizenlab AS l ON l.url = f.input");
    } else {
        sql.push(&dialect.by_index(Some(index(&list.filter))));
    }
    sql.filter(&list.filter, "f.measurement_start_time");
    sql.category(&list.filter, "l.category_code", "l.cc");
    let (compare, order) = if list.descending { ("<", " DESC") } else { (">", "") };
    if let Start::After(time, uid) = &list.start {
        let time = || Parameter::Time(*time);
        sql.and().push("f.measurement_start_time ").push(compare).push("= ").value(time());
        sql.and().push("(f.measurement_start_time ").push(compare).push(" ").value(time());
        sql.push(" OR f.measurement_uid ").push(compare).push(" ").value(Parameter::Text(uid.clone())).push(")");
    }
    let column = match list.order_by {
        OrderBy::MeasurementStartTime => "measurement_start_time",
        OrderBy::Input => "input",
        OrderBy::ProbeCc => "probe_cc",
        OrderBy::ProbeAsn => "probe_asn",
        OrderBy::TestName => "test_name",
    };
    sql.push(" ORDER BY f.").push(column).push(order).push(", f.measurement_uid").push(order);
    sql.push(" LIMIT ").value(Parameter::Int(i64::from(list.limit)));
    if let Start::Offset(rows @ 1..) = list.start {
        sql.push(" OFFSET ").value(Parameter::Int(i64::try_from(rows).unwrap_or(i64::MAX)));
    }
    sql.statement(LISTED_TYPES.to_vec())
}

/// The row of a uid.
pub(crate) fn uid(dialect: Dialect, uid: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(LISTED).push(" FROM fastpath AS f");
    let parameter = Parameter::Text(uid.to_owned());
    let place = dialect.place(1, &parameter);
    sql.any("f.measurement_uid", [parameter]);
    if let Some(condition) = dialect.by_partition(&place) {
        sql.and().push(&condition);
    }
    sql.statement(LISTED_TYPES.to_vec())
}

/// The first row of a report and input, empty for none.
pub(crate) fn report(dialect: Dialect, report_id: &str, input: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(LISTED).push(" FROM fastpath AS f").push(&dialect.by_index(Some("fastpath_by_report")));
    sql.long_text("f.report_id", Some(report_id));
    sql.long_text("f.input", Some(input));
    sql.push(" ORDER BY f.measurement_uid LIMIT 1");
    sql.statement(LISTED_TYPES.to_vec())
}

/// Categories of a URL in the test lists, the global list first.
pub(crate) fn categories(dialect: Dialect, url: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT l.category_code FROM citizenlab AS l");
    sql.any("l.url", [Parameter::Text(url.to_owned())]);
    sql.push(" ORDER BY CASE WHEN l.cc = 'ZZ' THEN 0 ELSE 1 END, l.cc, l.category_code LIMIT 1");
    sql.statement(vec![Type::Text])
}

/// Where the body of a uid is.
pub(crate) fn body_location(dialect: Dialect, uid: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT j.s3path, j.linenum, j.date, j.source FROM jsonl AS j");
    sql.any("j.measurement_uid", [Parameter::Text(uid.to_owned())]);
    sql.and().push("j.s3path <> ''");
    sql.statement(vec![Type::Text, Type::UInt32, Type::Text, Type::Text])
}

/// How often each input of a country was measured in some weeks, by their first days.
pub(crate) fn inputs(dialect: Dialect, cc: &str, weeks: &[DateTime]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT f.input, CAST(sum(f.measurement_count) AS BIGINT) FROM rollup_week_input AS f");
    sql.any("f.test_name", [Parameter::Text("web_connectivity".to_owned())]);
    sql.any("f.probe_cc", [Parameter::Text(cc.to_owned())]);
    sql.any("f.week", weeks.iter().map(|&week| Parameter::Time(week)));
    sql.push(" GROUP BY f.input");
    sql.statement(vec![Type::Text, Type::OptionalUInt64])
}

/// The URLs of some test lists, of all without a `cc`.
pub(crate) fn test_lists(dialect: Dialect, ccs: &[String]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT l.url, l.domain, l.cc, l.category_code FROM citizenlab AS l");
    sql.any_text("l.cc", ccs);
    sql.push(" ORDER BY l.cc, l.url, l.category_code");
    sql.statement(vec![Type::Text; 4])
}

/// Rows after a uid, in the order of their uids.
pub(crate) fn page(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(&row_columns()).push(" FROM fastpath AS f");
    sql.page_of_rows(after, limit);
    sql.statement(fastpath::COLUMNS.iter().map(|column| column.kind).collect())
}

/// How many rows of a page are noted, and the last uid of them; fewer of them may be there.
pub(crate) fn noted(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT count(*), max(n.measurement_uid) FROM (").noted(after, limit);
    sql.push(") AS n");
    sql.statement(vec![Type::OptionalUInt64, Type::Text])
}

fn row_columns() -> String {
    fastpath::NAMES.map(|name| format!("f.{name}")).join(", ")
}

/// Some rows after a time and uid, in the order of their times and uids.
pub(crate) fn slice(dialect: Dialect, filter: &Filter, after: Option<(DateTime, &str)>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT ").push(&row_columns()).push(" FROM fastpath AS f").push(&dialect.by_index(Some(index(filter))));
    sql.filter(filter, "f.measurement_start_time");
    if let Some((time, uid)) = after {
        sql.and().push("f.measurement_start_time >= ").value(Parameter::Time(time));
        sql.and().push("(f.measurement_start_time > ").value(Parameter::Time(time));
        sql.push(" OR f.measurement_uid > ").value(Parameter::Text(uid.to_owned())).push(")");
    }
    sql.push(" ORDER BY f.measurement_start_time, f.measurement_uid").limit(limit);
    sql.statement(fastpath::COLUMNS.iter().map(|column| column.kind).collect())
}

/// A row of [`body_location`].
pub(crate) fn place(row: Vec<Value<'static>>) -> Option<BodyLocation> {
    match <[Value<'static>; 4]>::try_from(row) {
        Ok([Value::Text(s3path), Value::Int(linenum), Value::Text(date), Value::Text(source)]) => Some(BodyLocation {
            s3path: s3path.into(),
            linenum: u32::try_from(linenum).ok()?,
            date: date.into(),
            source: source.into(),
        }),
        _ => None,
    }
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

/// A row that was selected as [`LISTED`].
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
