//! Statements on the application tables, which only SQLite and PostgreSQL have, and on the domains of test lists.

use super::builder::Builder;
use super::dialect::Dialect;
use super::statement::{Parameter, Statement};
use crate::app::row::{AppRow, AsnName, FaultyMeasurement, Feedback, InputCount, UrlPriority};
use crate::value::{Type, Value};
use ooni_core::time::DateTime;

/// The application tables, in the order in which statistics list them.
const COLUMNS: [(&str, &[&str], &str); 5] = [
    ("url_priorities", &["category_code", "cc", "domain", "url", "priority"], "category_code, cc, domain, url"),
    ("asnmeta", &["asn", "org_name", "cc", "changed", "aut_name", "source"], "asn, changed"),
    (
        "msmt_feedback",
        &["measurement_uid", "account_id", "status", "comment", "update_time"],
        "measurement_uid, account_id",
    ),
    (
        "counters_asn_test_list",
        &["week", "probe_cc", "probe_asn", "input", "msmt_cnt"],
        "week, probe_cc, probe_asn, input",
    ),
    ("faulty_measurements", &["ts", "type", "uid", "probe_cc", "probe_asn", "details"], "ts, type, uid"),
];

/// Writes a row of an application table.
pub(crate) fn write_app(dialect: Dialect, row: &AppRow) -> Statement {
    let mut sql = Builder::new(dialect);
    let table = row.table();
    let found = COLUMNS.iter().find(|(name, ..)| *name == table);
    let (_, columns, key) = found.copied().unwrap_or((table, &[], ""));
    sql.push("INSERT INTO ").push(table).push(" AS t (").push(&columns.join(", ")).push(") VALUES (");
    for (number, value) in values(row).into_iter().enumerate() {
        sql.push(if number == 0 { "" } else { ", " }).value(value);
    }
    // PostgreSQL's index is on a hash, because the text can have any length.
    let unique = if dialect == Dialect::Postgres {
        key.replace("input", "md5(input)").replace("url", "md5(url)")
    } else {
        key.to_owned()
    };
    let is_of_key = |column: &&&str| key.split(", ").any(|part| part == **column);
    let set: Vec<String> =
        columns.iter().filter(|column| !is_of_key(column)).map(|name| format!("{name} = excluded.{name}")).collect();
    sql.push(") ON CONFLICT (").push(&unique).push(") DO UPDATE SET ").push(&set.join(", "));
    if let AppRow::Feedback(_) = row {
        sql.push(" WHERE excluded.update_time >= t.update_time");
    }
    sql.statement(Vec::new())
}

/// The values of a row, in column order.
fn values(row: &AppRow) -> Vec<Parameter> {
    let text = |text: &String| Parameter::Text(text.clone());
    let asn = |asn: u32| Parameter::Int(i64::from(asn));
    match row {
        AppRow::UrlPriority(UrlPriority { category_code, cc, domain, url, priority }) => {
            vec![text(category_code), text(cc), text(domain), text(url), Parameter::Int(*priority)]
        }
        AppRow::AsnName(AsnName { asn: number, org_name, cc, changed, aut_name, source }) => {
            vec![asn(*number), text(org_name), text(cc), text(changed), text(aut_name), text(source)]
        }
        AppRow::Feedback(Feedback { measurement_uid, account_id, status, comment, update_time }) => {
            vec![text(measurement_uid), text(account_id), text(status), text(comment), text(update_time)]
        }
        AppRow::InputCount(InputCount { week, probe_cc, probe_asn, input, count }) => {
            vec![Parameter::Time(*week), text(probe_cc), asn(*probe_asn), text(input), asn(*count)]
        }
        AppRow::Fault(FaultyMeasurement { ts, kind, uid, probe_cc, probe_asn, details }) => {
            vec![text(ts), text(kind), text(uid), text(probe_cc), asn(*probe_asn), text(details)]
        }
    }
}

/// The latest name of each of these networks, or of all networks if the list is empty.
pub(crate) fn asn_names(dialect: Dialect, asns: &[u32]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT a.asn, a.org_name FROM asnmeta AS a");
    let asns: Vec<i64> = asns.iter().map(|&asn| i64::from(asn)).collect();
    sql.any("a.asn", &asns, Parameter::Int, Parameter::Ints);
    sql.and().push("NOT EXISTS (SELECT 1 FROM asnmeta AS b WHERE b.asn = a.asn AND b.changed > a.changed)");
    sql.push(" ORDER BY a.asn");
    sql.statement(vec![Type::UInt32, Type::Text])
}

/// A row of [`asn_names`].
pub(crate) fn asn_name(row: Vec<Value<'static>>) -> Option<(u32, String)> {
    match <[Value<'static>; 2]>::try_from(row) {
        Ok([Value::Int(asn), Value::Text(name)]) => Some((u32::try_from(asn).ok()?, name.into_owned())),
        _ => None,
    }
}

/// The rules of these countries, or all rules if the list is empty.
pub(crate) fn url_priorities(dialect: Dialect, ccs: &[String]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT p.category_code, p.cc, p.domain, p.url, CAST(p.priority AS TEXT) FROM url_priorities AS p");
    sql.any_text("p.cc", ccs);
    sql.push(" ORDER BY p.category_code, p.cc, p.domain, p.url");
    sql.statement(vec![Type::Text; 5])
}

/// A row of [`url_priorities`].
pub(crate) fn url_priority(row: Vec<Value<'static>>) -> Option<UrlPriority> {
    let [category_code, cc, domain, url, priority] = texts(row)?;
    Some(UrlPriority { category_code, cc, domain, url, priority: priority.parse().ok()? })
}

/// The number of accounts by the status they reported for a measurement.
pub(crate) fn feedback(dialect: Dialect, uid: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT m.status, CAST(count(*) AS BIGINT) FROM msmt_feedback AS m");
    sql.text("m.measurement_uid", uid);
    sql.push(" GROUP BY m.status ORDER BY m.status");
    sql.statement(vec![Type::Text, Type::OptionalUInt64])
}

/// The status that one account reported for a measurement.
pub(crate) fn feedback_of(dialect: Dialect, uid: &str, account: &str) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT m.status FROM msmt_feedback AS m");
    sql.text("m.measurement_uid", uid);
    sql.text("m.account_id", account);
    sql.statement(vec![Type::Text])
}

/// The newest faulty measurements.
pub(crate) fn faulty_measurements(dialect: Dialect, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push(
        "SELECT m.ts, m.type, m.uid, m.probe_cc, CAST(m.probe_asn AS TEXT), m.details FROM faulty_measurements AS m",
    );
    sql.push(" ORDER BY m.ts DESC, m.type DESC, m.uid DESC").limit(limit);
    sql.statement(vec![Type::Text; 6])
}

/// A row of [`faulty_measurements`].
pub(crate) fn faulty_measurement(row: Vec<Value<'static>>) -> Option<FaultyMeasurement> {
    let [ts, kind, uid, probe_cc, probe_asn, details] = texts(row)?;
    Some(FaultyMeasurement { ts, kind, uid, probe_cc, probe_asn: probe_asn.parse().ok()?, details })
}

/// Test-list entries by domain: the global list first, then the shortest URLs first.
pub(crate) fn listed_domains(dialect: Dialect, domains: &[String]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT l.url, l.domain, l.cc, l.category_code FROM citizenlab AS l");
    sql.any_text("l.domain", domains);
    sql.push(" ORDER BY CASE WHEN l.cc = 'ZZ' THEN 0 ELSE 1 END, length(l.url), l.url, l.cc, l.category_code");
    sql.statement(vec![Type::Text; 4])
}

/// Which of these weeks have imported input counts.
pub(crate) fn imported_weeks(dialect: Dialect, weeks: &[DateTime]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT DISTINCT c.week FROM counters_asn_test_list AS c");
    sql.weeks("c.week", weeks);
    sql.statement(vec![Type::Time])
}

/// The imported input counts of a country or of one of its networks.
pub(crate) fn imported_inputs(dialect: Dialect, cc: &str, asn: Option<u32>, weeks: &[DateTime]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT c.input, CAST(sum(c.msmt_cnt) AS BIGINT) FROM counters_asn_test_list AS c");
    sql.weeks("c.week", weeks);
    sql.text("c.probe_cc", cc);
    if let Some(asn) = asn {
        sql.and().push("c.probe_asn = ").value(Parameter::Int(i64::from(asn)));
    }
    sql.push(" GROUP BY c.input");
    sql.statement(vec![Type::Text, Type::OptionalUInt64])
}

/// A row of text columns.
fn texts<const N: usize>(row: Vec<Value<'static>>) -> Option<[String; N]> {
    let text = |value| if let Value::Text(text) = value { Some(text.into_owned()) } else { None };
    row.into_iter().map(text).collect::<Option<Vec<_>>>()?.try_into().ok()
}
