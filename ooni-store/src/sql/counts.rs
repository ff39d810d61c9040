//! Statements that count: from rows, from rollups, and into rollups.
//!
//! [`grouped`] defines the content of a rollup: the same SQL rebuilds, checks and updates it.

use super::builder::Builder;
use super::dialect::Dialect;
use super::log::{IN_LOG, LOG, of_parts, with_log};
use super::rows::listed_url;
use super::statement::Statement;
use crate::query::aggregate::{Aggregation, Axis, ListedCounts};
use crate::query::filter::Filter;
use crate::query::grain::Grain;
use crate::query::planner::{self, Part, Source};
use crate::rollup::{COUNTS, Dimension, Rollup};
use crate::value::{Type, Value};

/// The counts of an aggregation, unordered: its axes, then the six counts.
pub(crate) fn aggregation(dialect: Dialect, query: &Aggregation, parts: &[Part]) -> Statement {
    aggregated(dialect, query, parts, |sql, numbers| {
        sql.joined_parts(query, parts, numbers, "", &COUNTS.map(|count| dialect.total(&format!("p.{count}"))));
    })
}

/// As [`aggregation`], but a group can occur once for each part, and once more for its log of rollups. Adding them up
/// elsewhere saves the engine from grouping twice.
pub(crate) fn aggregation_by_part(dialect: Dialect, query: &Aggregation, parts: &[Part]) -> Statement {
    aggregated(dialect, query, parts, |sql, numbers| {
        sql.all_parts(query, parts, numbers, "", &COUNTS.map(|count| format!("p.{count}")));
    })
}

/// A statement that returns the counts of a single part, or what `join` makes of them.
fn aggregated(
    dialect: Dialect,
    query: &Aggregation,
    parts: &[Part],
    join: impl Fn(&mut Builder, fn(Dialect, Source) -> Vec<String>),
) -> Statement {
    of_parts(dialect, parts, |sql| {
        match sql.only(parts) {
            Some(part) => sql.part(query, part, &counts_of(dialect, part.source), ""),
            None => join(sql, |dialect, source| named(&counts_of(dialect, source))),
        }
        columns(query, COUNTS.len())
    })
}

/// The six counts of a group in one part.
fn counts_of(dialect: Dialect, source: Source) -> Vec<String> {
    match source {
        Source::Rollup(_) => COUNTS.map(|count| dialect.total(&format!("f.{count}"))).to_vec(),
        Source::Rows => counts(dialect, "1").map(|count| format!("CAST(coalesce({count}, 0) AS BIGINT)")).to_vec(),
    }
}

/// The six counts, with their names.
fn named(counts: &[String]) -> Vec<String> {
    counts.iter().zip(COUNTS).map(|(count, name)| format!("{count} AS {name}")).collect()
}

/// The number of distinct values of an axis in each group of an aggregation, unordered: its axes, then the number.
pub(crate) fn distinct(dialect: Dialect, query: &Aggregation, of: Axis, parts: &[Part]) -> Statement {
    let number = |value: &str| format!("CAST(count(DISTINCT {value}) AS BIGINT)");
    of_parts(dialect, parts, |sql| {
        if let Some(part) = sql.only(parts) {
            sql.part(query, part, &[number(&key(dialect, of, part.source))], "");
        } else {
            let value = |dialect, source| vec![format!("{} AS value", key(dialect, of, source))];
            sql.joined_parts(query, parts, value, "DISTINCT ", &[number("p.value")]);
        }
        columns(query, 1)
    })
}

/// The axes that [`listed_counts`] joins.
pub(crate) const OF_LISTS: [Axis; 2] = [Axis::Input, Axis::ProbeCc];

/// All entries of the test lists, each with the number of measurements, and of those with an anomaly, of its URL in the
/// country of its list. The axes of the query are [`OF_LISTS`].
pub(crate) fn listed_counts(dialect: Dialect, query: &Aggregation, parts: &[Part]) -> Statement {
    let count = |name: &str| format!("CAST(coalesce(c.{name}, 0) AS BIGINT)");
    let columns = format!("l.url, l.domain, l.cc, l.category_code, {}, {}", count("measurements"), count("anomalies"));
    let of_part = |dialect: Dialect, source| {
        let [measurements, .., anomalies] = match source {
            Source::Rollup(_) => COUNTS.map(|count| dialect.total(&format!("f.{count}"))),
            Source::Rows => counts(dialect, "1"),
        };
        vec![format!("{measurements} AS measurements"), format!("{anomalies} AS anomalies")]
    };
    let of_all = ["measurements", "anomalies"].map(|name| format!("{} AS {name}", dialect.total(&format!("p.{name}"))));
    of_parts(dialect, parts, |sql| {
        sql.push("SELECT ").push(&columns).push(" FROM citizenlab AS l LEFT JOIN (");
        sql.joined_parts(query, parts, of_part, "", &of_all);
        sql.push(") AS c ON c.axis0 = l.url AND c.axis1 = upper(l.cc) ORDER BY l.cc, l.url, l.category_code");
        use Type::{OptionalUInt64, Text};
        vec![Text, Text, Text, Text, OptionalUInt64, OptionalUInt64]
    })
}

/// A row of [`listed_counts`].
pub(crate) fn listed_count(mut row: Vec<Value<'static>>) -> Option<ListedCounts> {
    match row.split_off(row.len().checked_sub(2)?)[..] {
        [Value::Int(measurements), Value::Int(anomalies)] => {
            Some(ListedCounts { entry: listed_url(row)?, measurements, anomalies })
        }
        _ => None,
    }
}

/// The types of an aggregation's axes, followed by `numbers` integers.
pub(super) fn columns(query: &Aggregation, numbers: usize) -> Vec<Type> {
    let axes = query.axes.iter().map(|&axis| kind(axis));
    axes.chain(std::iter::repeat_n(Type::OptionalUInt64, numbers)).collect()
}

impl Builder {
    /// The part, if there is only one and the log of rollups adds nothing to it.
    fn only<'p>(&self, parts: &'p [Part]) -> Option<&'p Part> {
        match parts {
            [part] if part.source == Source::Rows || !self.has_log => Some(part),
            _ => None,
        }
    }

    /// The groups of some parts, combined. `of_part` gives the numbers of one part, `of_all` how they are combined.
    pub(super) fn joined_parts(
        &mut self,
        query: &Aggregation,
        parts: &[Part],
        of_part: impl Fn(Dialect, Source) -> Vec<String>,
        distinct: &str,
        of_all: &[String],
    ) {
        self.all_parts(query, parts, of_part, distinct, of_all);
        let axes: Vec<String> = (0..query.axes.len()).map(|axis| format!("p.axis{axis}")).collect();
        if !axes.is_empty() {
            self.push(" GROUP BY ").push(&axes.join(", "));
        }
    }

    /// The groups of some parts, and of the log of each that reads a rollup.
    fn all_parts(
        &mut self,
        query: &Aggregation,
        parts: &[Part],
        of_part: impl Fn(Dialect, Source) -> Vec<String>,
        distinct: &str,
        of_all: &[String],
    ) {
        let axes: Vec<String> = (0..query.axes.len()).map(|axis| format!("p.axis{axis}")).collect();
        let selected: Vec<&str> = axes.iter().chain(of_all).map(String::as_str).collect();
        self.push("SELECT ").push(&selected.join(", ")).push(" FROM (");
        for (number, part) in parts.iter().enumerate() {
            self.push(if number == 0 { "" } else { " UNION ALL " });
            self.part(query, part, &of_part(self.dialect, part.source), distinct);
            if self.has_log && matches!(part.source, Source::Rollup(_)) {
                self.push(" UNION ALL ");
                self.rows(query, part, &of_part(self.dialect, Source::Rows), distinct, LOG);
            }
        }
        self.push(") AS p");
    }

    /// One part of an aggregation: its axes and some numbers, one row per group, or distinct rows if `distinct` is not
    /// empty.
    fn part(&mut self, query: &Aggregation, part: &Part, numbers: &[String], distinct: &str) {
        let Source::Rollup(rollup) = part.source else { return self.rows(query, part, numbers, distinct, ROWS) };
        let filter = self.select(query, part, part.source, numbers, distinct);
        self.push(&rollup.table()).push(" AS f");
        if rollup.index.is_some() {
            let index = self.dialect.by_index(planner::index(rollup, &filter).as_deref());
            self.push(&index);
        }
        let time = rollup.time().map(|time| format!("f.{}", time.column()));
        self.cells_filter(&filter, time.as_deref().unwrap_or_default());
        self.category(&filter, "f.category_code", "f.list_cc");
        self.grouped(query, part.source, distinct);
    }

    /// As [`Builder::part`], counted from the rows of a table: `fastpath`, or the log of rollups.
    fn rows(&mut self, query: &Aggregation, part: &Part, numbers: &[String], distinct: &str, table: &str) {
        let filter = self.select(query, part, Source::Rows, numbers, distinct);
        self.push(table).push(" AS f");
        if filter.category.is_some() || query.axes.contains(&Axis::CategoryCode) {
            // SQLite would read the log once for each entry of a category.
            let is_log_first = table == LOG && self.dialect == Dialect::Sqlite;
            self.push(if is_log_first { " CROSS JOIN" } else { " JOIN" }).push(" citizenlab AS l ON l.url = f.input");
        } else if table == ROWS {
            let index = self.dialect.by_index(Some(index(&filter)));
            self.push(&index);
        }
        self.rows_filter(&filter);
        if table == LOG {
            self.in_log();
        }
        self.category(&filter, "l.category_code", "l.cc");
        self.grouped(query, Source::Rows, distinct);
    }

    /// The beginning of a part, up to its table. Returns its filter.
    fn select(
        &mut self,
        query: &Aggregation,
        part: &Part,
        source: Source,
        numbers: &[String],
        distinct: &str,
    ) -> Filter {
        let keys = query.axes.iter().map(|&axis| key(self.dialect, axis, source)).enumerate();
        let named = keys.map(|(number, key)| format!("{key} AS axis{number}"));
        let all: Vec<String> = named.chain(numbers.iter().cloned()).collect();
        self.has_condition = false;
        self.push("SELECT ").push(distinct).push(&all.join(", ")).push(" FROM ");
        Filter { window: part.window, ..query.filter.clone() }
    }

    /// The end of a part.
    fn grouped(&mut self, query: &Aggregation, source: Source, distinct: &str) {
        let keys: Vec<String> = query.axes.iter().map(|&axis| key(self.dialect, axis, source)).collect();
        if !keys.is_empty() && distinct.is_empty() {
            self.push(" GROUP BY ").push(&keys.join(", "));
        }
    }
}

/// The table of the rows.
const ROWS: &str = "fastpath";

/// The expression of an axis.
pub(super) fn key(dialect: Dialect, axis: Axis, source: Source) -> String {
    match (source, axis) {
        (Source::Rollup(rollup), Axis::MeasurementStart(grain)) => {
            let time = format!("f.{}", rollup.time().map_or("", Dimension::column));
            // A plain column can be read in the order of the key, without sorting.
            if rollup.grain() == Some(grain) { time } else { dialect.bucket(grain, &time) }
        }
        (Source::Rollup(rollup), axis) => {
            rollup.dimension_of(axis).map_or_else(String::new, |dimension| format!("f.{}", dimension.column()))
        }
        (Source::Rows, axis) => match axis {
            Axis::MeasurementStart(grain) => dialect.bucket(grain, "f.measurement_start_time"),
            Axis::CategoryCode => "l.category_code".to_owned(),
            Axis::BlockingType => "f.blocking_type".to_owned(),
            Axis::Domain => "f.domain".to_owned(),
            Axis::Input => "f.input".to_owned(),
            Axis::ProbeAsn => "f.probe_asn".to_owned(),
            Axis::ProbeCc => "f.probe_cc".to_owned(),
            Axis::TestName => "f.test_name".to_owned(),
        },
    }
}

fn kind(axis: Axis) -> Type {
    match axis {
        Axis::MeasurementStart(_) => Type::Time,
        Axis::ProbeAsn => Type::UInt32,
        _ => Type::Text,
    }
}

/// The index of `fastpath` with the fewest rows to scan.
pub(super) fn index(filter: &Filter) -> &'static str {
    let Filter { report_id, input, domains, probe_ccs, probe_asns, ooni_run_link_ids, .. } = filter;
    let choices = [
        (report_id.is_some(), "fastpath_by_report"),
        (input.as_ref().is_some_and(|input| !input.is_empty()), "fastpath_by_input"),
        (!ooni_run_link_ids.is_empty(), "fastpath_by_link"),
        (!domains.is_empty(), "fastpath_by_domain"),
        (!probe_asns.is_empty(), "fastpath_by_network"),
        (!probe_ccs.is_empty(), "fastpath_by_country"),
        (filter.is_of_rare_tests(), "fastpath_by_test"),
    ];
    choices.into_iter().find_map(|(is_given, index)| is_given.then_some(index)).unwrap_or("fastpath_by_time")
}

/// The expression of a dimension, over rows named `f` and test-list entries named `l`.
fn dimension(dialect: Dialect, dimension: Dimension) -> String {
    let bucket = |grain| dialect.bucket(grain, "f.measurement_start_time");
    match dimension {
        Dimension::Hour => bucket(Grain::Hour),
        Dimension::Day => bucket(Grain::Day),
        Dimension::Week => bucket(Grain::Week),
        Dimension::Month => bucket(Grain::Month),
        Dimension::CategoryCode => "l.category_code".to_owned(),
        Dimension::ListCc => "l.cc".to_owned(),
        other => format!("f.{}", other.column()),
    }
}

/// The sums of [`COUNTS`] over rows named `f`, each row with this weight.
pub(super) fn counts(dialect: Dialect, weight: &str) -> [String; COUNTS.len()] {
    let [failure, no_failure] = [true, false].map(|set| dialect.flag("f.msm_failure", set));
    let [confirmed, not_confirmed] = [true, false].map(|set| dialect.flag("f.confirmed", set));
    let anomaly = dialect.flag("f.anomaly", true);
    let of = |condition: &str| format!("sum(CASE WHEN {condition} THEN {weight} ELSE 0 END)");
    [
        format!("sum({weight})"),
        of(&failure),
        of(&format!("{confirmed} AND {no_failure}")),
        of(&format!("{anomaly} AND {not_confirmed} AND {no_failure}")),
        of(&confirmed),
        of(&anomaly),
    ]
}

/// The cells of a rollup, computed from the rows of a table that match a condition: the key, then the counts.
fn grouped(dialect: Dialect, rollup: &Rollup, table: &str, weight: &str, condition: &str) -> String {
    let key: Vec<String> = rollup.key.iter().map(|&part| dimension(dialect, part)).collect();
    let counts = counts(dialect, weight);
    let selected: Vec<&str> = key.iter().chain(&counts).map(String::as_str).collect();
    let lists = if rollup.is_of_lists() { " JOIN citizenlab AS l ON l.url = f.input" } else { "" };
    format!("SELECT {} FROM {table} AS f{lists} WHERE {condition} GROUP BY {}", selected.join(", "), key.join(", "))
}

/// Fills an empty rollup with the counts of all rows.
pub(crate) fn cells(dialect: Dialect, rollup: &Rollup) -> String {
    format!(
        "INSERT INTO {} ({}, {}) {}",
        rollup.table(),
        rollup.key_columns(),
        COUNTS.join(", "),
        grouped(dialect, rollup, "fastpath", "1", "true")
    )
}

/// Adds to the counts of a cell, or inserts it. The parameters are the values of its key, then the numbers to add.
pub(crate) fn add_cell(rollup: &Rollup) -> String {
    let placeholders = vec!["?"; rollup.key.len() + COUNTS.len()].join(", ");
    add_cells(Dialect::Sqlite, rollup, &format!("VALUES ({placeholders})"))
}

/// Deletes the cell with this key if its counts are zero.
pub(crate) fn delete_empty_cell(rollup: &Rollup) -> String {
    let is_it: Vec<String> = rollup.key.iter().map(|part| format!("{} = ?", part.column())).collect();
    format!("DELETE FROM {} WHERE {} AND measurement_count = 0", rollup.table(), is_it.join(" AND "))
}

/// Deletes the cells with the keys that a query returns if their counts are zero, in PostgreSQL.
pub(crate) fn delete_empty_cells(rollup: &Rollup, query: &str) -> String {
    let (table, columns) = (rollup.table(), rollup.key_columns());
    let is_it = same_key(Dialect::Postgres, rollup);
    format!("DELETE FROM {table} AS c USING ({query}) AS k ({columns}) WHERE {is_it} AND c.measurement_count = 0")
}

/// The condition that a cell `c` has the key `k`.
fn same_key(dialect: Dialect, rollup: &Rollup) -> String {
    let is_same = |part: &Dimension| {
        let [cell, key] = ["c", "k"].map(|table| format!("{table}.{}", part.column()));
        if part.is_text() { dialect.same_text(&cell, &key) } else { format!("{cell} = {key}") }
    };
    rollup.key.iter().map(is_same).collect::<Vec<_>>().join(" AND ")
}

/// Adds the keys and counts that a query returns to the cells of a rollup.
pub(crate) fn add_cells(dialect: Dialect, rollup: &Rollup, query: &str) -> String {
    let table = rollup.table();
    let added: Vec<String> =
        COUNTS.iter().map(|count| format!("{count} = {table}.{count} + excluded.{count}")).collect();
    format!(
        "INSERT INTO {table} ({}, {}) {query} ON CONFLICT ({}) DO UPDATE SET {}",
        rollup.key_columns(),
        COUNTS.join(", "),
        dialect.unique_key(rollup),
        added.join(", ")
    )
}

/// Subtracts from a rollup the counts of the rows that started in a window: the start is inclusive, the end exclusive.
/// The second statement deletes cells that are empty afterwards.
pub(crate) fn subtract_window(dialect: Dialect, rollup: &Rollup) -> [String; 2] {
    let [from, to] = [1, 2].map(|number| dialect.number(number));
    let rows =
        format!("(SELECT * FROM fastpath WHERE measurement_start_time >= {from} AND measurement_start_time < {to})");
    let subtract = add_cells(dialect, rollup, &grouped(dialect, rollup, &rows, "-1", "true"));
    [subtract, format!("DELETE FROM {} WHERE measurement_count = 0", rollup.table())]
}

/// Adds to a test-list rollup the counts of rows whose list entries changed, multiplied by the weight of each entry.
/// `changed` is a table `l` with the columns `url`, `category_code`, `cc` and `weight`. The second statement deletes
/// cells that are empty afterwards.
pub(crate) fn count_changed(dialect: Dialect, rollup: &Rollup, changed: &str) -> [String; 2] {
    let key: Vec<String> = rollup.key.iter().map(|&part| dimension(dialect, part)).collect();
    let (key, counts) = (key.join(", "), counts(dialect, "l.weight").join(", "));
    // There are few entries, so the rows of each are found by an index.
    let by_index = dialect.by_index(Some("fastpath_by_input"));
    let join = if dialect == Dialect::Sqlite { "CROSS JOIN" } else { "JOIN" };
    let rows = format!("{join} fastpath AS f{by_index} ON {}", dialect.same_text("f.input", "l.url"));
    let query = format!("SELECT {key}, {counts} FROM {changed} {rows} WHERE true GROUP BY {key}");
    let clean = format!("DELETE FROM {} WHERE measurement_count = 0", rollup.table());
    [add_cells(dialect, rollup, &query), clean]
}

/// Cells that differ between a rollup and the rows, each with its source: 1 for the rollup, 2 for the rows.
pub(crate) fn differences(dialect: Dialect, rollup: &Rollup) -> Statement {
    let columns = format!("{}, {}", rollup.key_columns(), COUNTS.join(", "));
    with_log(dialect, true, |sql| {
        let all = |condition: &str| grouped(dialect, rollup, ROWS, "1", condition);
        let (kept, counted) = match dialect {
            Dialect::Clickhouse => {
                // On ClickHouse, a cell is the sum of its days, and dirty days are counted from the rows.
                let (key, counts) = (rollup.key_columns(), COUNTS.map(|count| format!("sum({count})")).join(", "));
                let not_dirty = format!("NOT IN (SELECT day FROM dirty WHERE rollup_name IN ('', '{}'))", rollup.name);
                let kept =
                    format!("SELECT {key}, {counts} FROM {} WHERE of_day {not_dirty} GROUP BY {key}", rollup.table());
                (kept, all(&format!("toDate(f.measurement_start_time) {not_dirty}")))
            }
            _ => {
                let kept = format!("SELECT {columns} FROM {}", rollup.table());
                let kept = if sql.has_log { with_cells_of_log(dialect, rollup, &kept) } else { kept };
                (kept, all("true"))
            }
        };
        sql.push(&format!(
            "WITH kept ({columns}) AS ({kept}), counted ({columns}) AS ({counted})
             SELECT 1, * FROM (SELECT * FROM kept EXCEPT SELECT * FROM counted) AS k
             UNION ALL SELECT 2, * FROM (SELECT * FROM counted EXCEPT SELECT * FROM kept) AS c"
        ));
        let kind = |&part: &Dimension| match part {
            time if time.is_time() => Type::Time,
            text if text.is_text() => Type::Text,
            _ => Type::UInt32,
        };
        let keys = rollup.key.iter().map(kind);
        [Type::OptionalUInt64].into_iter().chain(keys).chain([Type::OptionalUInt64; COUNTS.len()]).collect()
    })
}

/// The cells of a rollup that a query returns, and those that the log adds.
fn with_cells_of_log(dialect: Dialect, rollup: &Rollup, cells: &str) -> String {
    let (key, log) = (rollup.key_columns(), grouped(dialect, rollup, LOG, "1", IN_LOG));
    let sums = COUNTS.map(|count| format!("CAST(sum({count}) AS BIGINT)")).join(", ");
    format!("SELECT {key}, {sums} FROM ({cells} UNION ALL {log}) AS c GROUP BY {key}")
}

/// Fills `rollup_NAME_next`, for an engine that replaces whole months: with cells computed from the rows for the days that
/// match `is_dirty`, and with stored cells for the days that match `is_kept`.
pub(crate) fn cells_by_day(dialect: Dialect, rollup: &Rollup, is_dirty: &str, is_kept: &str) -> String {
    let key: Vec<String> = rollup.key.iter().map(|&part| dimension(dialect, part)).collect();
    let key = key.join(", ");
    let lists = if rollup.is_of_lists() { " JOIN citizenlab AS l ON l.url = f.input" } else { "" };
    let columns = format!("{}, of_day, {}", rollup.key_columns(), COUNTS.join(", "));
    let (table, counts) = (rollup.table(), counts(dialect, "1").join(", "));
    const DAY: &str = "toDate(f.measurement_start_time)";
    format!(
        "INSERT INTO {table}_next ({columns})
         SELECT {key}, {DAY}, {counts} FROM fastpath AS f{lists} WHERE {DAY} {is_dirty} GROUP BY {key}, {DAY}
         UNION ALL SELECT {columns} FROM {table} WHERE {is_kept}"
    )
}

/// The start times of the first and the last measurement; nulls if there are none.
pub(crate) fn span(_dialect: Dialect) -> Statement {
    // Two subqueries, so that each is a single index look-up.
    let sql = "SELECT (SELECT min(measurement_start_time) FROM fastpath), \
        (SELECT max(measurement_start_time) FROM fastpath)";
    Statement::new(sql, Vec::new(), vec![Type::Time; 2])
}

/// The number of rows of a table.
pub(crate) fn count(_dialect: Dialect, table: &str) -> Statement {
    let sql = format!("SELECT count(*) FROM {table}");
    Statement::new(sql, Vec::new(), vec![Type::OptionalUInt64])
}

/// The number of cells of a rollup, and the number of measurements that they count.
pub(crate) fn state(dialect: Dialect, rollup: &Rollup) -> Statement {
    with_log(dialect, true, |sql| {
        let (mut cells, mut counted) = ("count(*)".to_owned(), "coalesce(sum(f.measurement_count), 0)".to_owned());
        if sql.has_log {
            let (key, log) = (rollup.key_columns(), grouped(dialect, rollup, LOG, "1", IN_LOG));
            sql.push(&format!("WITH added ({key}, {}) AS ({log}) ", COUNTS.join(", ")));
            let is_there = format!("SELECT 1 FROM {} AS c WHERE {}", rollup.table(), same_key(dialect, rollup));
            cells += &format!(" + (SELECT count(*) FROM added AS k WHERE NOT EXISTS ({is_there}))");
            counted += " + (SELECT coalesce(sum(k.measurement_count), 0) FROM added AS k)";
        }
        sql.push(&format!("SELECT {cells}, CAST({counted} AS BIGINT) FROM {} AS f", rollup.table()));
        vec![Type::OptionalUInt64; 2]
    })
}
