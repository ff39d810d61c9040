//! [`Dialect`]: how the SQL of the engines differs.

use super::statement::{Parameter, Statement};
use crate::query::grain::Grain;
use crate::rollup::{Dimension, Rollup};
use crate::value::Type;
use ooni_core::hex::hex;
use ooni_core::time::{SECONDS_PER_DAY, SECONDS_PER_HOUR};

/// Characters of a text in the indexes of PostgreSQL, as in its migrations.
const INDEXED: usize = 128;

const SECONDS_PER_WEEK: i64 = 7 * SECONDS_PER_DAY;

/// Seconds from the last Sunday before 1970-01-01, a Thursday.
const SINCE_SUNDAY: i64 = 4 * SECONDS_PER_DAY;

/// Maximum bytes of a value for ClickHouse. A form field holds 128 KiB, and escaping at most doubles a text.
const LONGEST: usize = 60_000;

/// Splits a text into parts of at most [`LONGEST`] bytes.
fn split(text: &str) -> impl Iterator<Item = String> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = text.split_at(text.floor_char_boundary(LONGEST));
        rest = Some(after).filter(|after| !after.is_empty());
        Some(part.to_owned())
    })
}

/// Splits values into arrays of at most [`LONGEST`] bytes. Each array has at least one value.
fn chunks<T>(values: Vec<T>, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut chunks, mut length) = (vec![Vec::new()], 0);
    for value in values {
        // Two quotes and a comma.
        let more = bytes(&value) + 3;
        if length > 0 && length + more > LONGEST {
            chunks.push(Vec::new());
            length = 0;
        }
        length += more;
        if let Some(last) = chunks.last_mut() {
            last.push(value);
        }
    }
    chunks
}

/// Whether a text in the array contains NUL.
fn has_nul(array: &Parameter) -> bool {
    matches!(array, Parameter::Texts(texts) if texts.iter().any(|text| text.contains('\0')))
}

/// The SQL of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Times are seconds since 1970; flags are `t` and `f`.
    Sqlite,
    /// Times are timestamps; flags are `t` and `f`.
    Postgres,
    /// As in PostgreSQL, but every placeholder states the type of its value.
    Clickhouse,
}

impl Dialect {
    /// The placeholder of the `number`th value, from 1.
    pub(super) fn placeholder(self, number: usize, value: &Parameter) -> String {
        let kind = match (self, value) {
            (Dialect::Sqlite | Dialect::Postgres, _) => return self.number(number),
            (Dialect::Clickhouse, Parameter::Text(_)) => "String",
            (Dialect::Clickhouse, Parameter::Int(_) | Parameter::Folded) => "Int64",
            (Dialect::Clickhouse, Parameter::Link(_)) => "UInt64",
            // Window bounds can lie outside the range of a column.
            (Dialect::Clickhouse, Parameter::Time(_)) => "DateTime64(0, 'UTC')",
            (Dialect::Clickhouse, Parameter::Texts(_)) => "Array(String)",
            (Dialect::Clickhouse, Parameter::Ints(_)) => "Array(Int64)",
            (Dialect::Clickhouse, Parameter::Links(_)) => "Array(UInt64)",
        };
        format!("{{p{number}:{kind}}}")
    }

    /// The placeholder of a value whose type the statement determines.
    pub(super) fn number(self, number: usize) -> String {
        match self {
            Dialect::Sqlite => format!("?{number}"),
            Dialect::Postgres => format!("${number}"),
            Dialect::Clickhouse => format!("{{p{number}:Int64}}"),
        }
    }

    /// The SQL before and after the placeholder of an array, in the condition that a column equals one of its values.
    pub(super) fn any_of(self, array: &Parameter) -> [&'static str; 2] {
        match self {
            Dialect::Sqlite if has_nul(array) => [" IN (SELECT CAST(unhex(value) AS TEXT) FROM json_each(", "))"],
            Dialect::Sqlite => [" IN (SELECT value FROM json_each(", "))"],
            Dialect::Postgres => [" = ANY (", ")"],
            Dialect::Clickhouse => [" IN ", ""],
        }
    }

    /// The value as it is bound: in several parts if it is too long for one placeholder.
    pub(super) fn parts(self, value: Parameter) -> Vec<Parameter> {
        match (self, value) {
            (Dialect::Sqlite, Parameter::Texts(texts)) if texts.iter().any(|text| text.contains('\0')) => {
                // SQLite truncates a JSON text at NUL.
                vec![Parameter::Texts(texts.iter().map(|text| hex(text.bytes())).collect())]
            }
            (Dialect::Clickhouse, Parameter::Text(text)) => split(&text).map(Parameter::Text).collect(),
            (Dialect::Clickhouse, Parameter::Texts(texts)) => {
                chunks(texts, String::len).into_iter().map(Parameter::Texts).collect()
            }
            (Dialect::Clickhouse, Parameter::Ints(values)) => {
                chunks(values, |_| 20).into_iter().map(Parameter::Ints).collect()
            }
            (Dialect::Clickhouse, Parameter::Links(values)) => {
                chunks(values, |_| 20).into_iter().map(Parameter::Links).collect()
            }
            (_, value) => vec![value],
        }
    }

    /// The function that joins the parts of a value, up to and including its opening parenthesis.
    pub(super) fn joined(self, parts: &[Parameter]) -> &'static str {
        match parts {
            [Parameter::Text(_), ..] => "concat(",
            _ => "arrayConcat(",
        }
    }

    /// The condition that a flag is set, or that it is not set.
    pub(super) fn flag(self, column: &str, wanted: bool) -> String {
        match self {
            Dialect::Sqlite | Dialect::Postgres | Dialect::Clickhouse => {
                format!("{column} = '{}'", if wanted { 't' } else { 'f' })
            }
        }
    }

    /// The start of the hour, day, … that contains a time.
    pub(super) fn bucket(self, grain: Grain, time: &str) -> String {
        match (self, grain) {
            (Dialect::Sqlite, Grain::Hour) => format!("{time} / {SECONDS_PER_HOUR} * {SECONDS_PER_HOUR}"),
            (Dialect::Sqlite, Grain::Day) => format!("{time} / {SECONDS_PER_DAY} * {SECONDS_PER_DAY}"),
            (Dialect::Sqlite, Grain::Week) => {
                format!("({time} + {SINCE_SUNDAY}) / {SECONDS_PER_WEEK} * {SECONDS_PER_WEEK} - {SINCE_SUNDAY}")
            }
            (Dialect::Sqlite, Grain::Month) => format!("unixepoch({time}, 'unixepoch', 'start of month')"),
            (Dialect::Sqlite, Grain::Year) => format!("unixepoch({time}, 'unixepoch', 'start of year')"),
            (Dialect::Postgres, Grain::Hour) => format!("date_trunc('hour', {time})"),
            (Dialect::Postgres, Grain::Day) => format!("date_trunc('day', {time})"),
            // Weeks begin on Monday in PostgreSQL.
            (Dialect::Postgres, Grain::Week) => {
                format!("date_trunc('week', {time} + interval '1 day') - interval '1 day'")
            }
            (Dialect::Postgres, Grain::Month) => format!("date_trunc('month', {time})"),
            (Dialect::Postgres, Grain::Year) => format!("date_trunc('year', {time})"),
            (Dialect::Clickhouse, Grain::Hour) => format!("toStartOfHour({time})"),
            (Dialect::Clickhouse, Grain::Day) => format!("toStartOfDay({time})"),
            // `Date` starts in 1970, and the first week starts before that.
            (Dialect::Clickhouse, Grain::Week) => {
                let weeks = format!("intDiv(toInt64({time}) + {SINCE_SUNDAY}, {SECONDS_PER_WEEK})");
                format!("toDateTime64({weeks} * {SECONDS_PER_WEEK} - {SINCE_SUNDAY}, 0, 'UTC')")
            }
            // Without the conversion these are a `Date`.
            (Dialect::Clickhouse, Grain::Month) => format!("toDateTime(toStartOfMonth({time}), 'UTC')"),
            (Dialect::Clickhouse, Grain::Year) => format!("toDateTime(toStartOfYear({time}), 'UTC')"),
        }
    }

    /// A value of `update_time` as `YYYY-MM-DD HH:MM:SS`.
    pub(super) fn seconds(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => format!("substr({column}, 1, 19)"),
            Dialect::Postgres => format!("to_char({column}, 'YYYY-MM-DD HH24:MI:SS')"),
            Dialect::Clickhouse => format!("substring(toString({column}), 1, 19)"),
        }
    }

    /// The statement that returns the query plan of a statement. The last column of each row is a line of text.
    pub(crate) fn explain(self, statement: Statement) -> Statement {
        let (explain, columns) = match self {
            Dialect::Sqlite => (
                "EXPLAIN QUERY PLAN",
                vec![Type::OptionalUInt64, Type::OptionalUInt64, Type::OptionalUInt64, Type::Text],
            ),
            Dialect::Postgres => ("EXPLAIN", vec![Type::Text]),
            Dialect::Clickhouse => ("EXPLAIN indexes = 1", vec![Type::Text]),
        };
        Statement { sql: format!("{explain} {}", statement.sql), columns, with_log: None, ..statement }
    }

    /// Whether rows that were added are counted in rollups later, and are in a log until then.
    pub(super) fn has_log(self) -> bool {
        self != Dialect::Clickhouse
    }

    /// The sum of integers, as an integer; 0 if there is nothing to add up.
    pub(super) fn total(self, value: &str) -> String {
        match self {
            Dialect::Postgres => format!("total({value})"),
            _ => format!("CAST(coalesce(sum({value}), 0) AS BIGINT)"),
        }
    }

    /// The index hint after the name of a table: use this index, or the key. Only SQLite needs one.
    pub(super) fn by_index(self, index: Option<&str>) -> String {
        match (self, index) {
            (Dialect::Sqlite, Some(index)) => format!(" INDEXED BY {index}"),
            (Dialect::Sqlite, None) => " NOT INDEXED".to_owned(),
            (Dialect::Postgres | Dialect::Clickhouse, _) => String::new(),
        }
    }

    /// The seconds that a test ran, from a column of scores; null if the scores do not contain it.
    pub(super) fn runtime(self, scores: &str) -> String {
        match self {
            Dialect::Sqlite => format!(
                "CASE WHEN json_type({scores}, '$.extra.test_runtime') IN ('integer', 'real')
                    THEN CAST(json_extract({scores}, '$.extra.test_runtime') AS REAL) END"
            ),
            // A value beyond the range of a 32-bit float would be an error.
            Dialect::Postgres => format!(
                "CASE WHEN json_typeof({scores}::json #> '{{extra,test_runtime}}') = 'number'
                    THEN least(greatest(({scores}::json #>> '{{extra,test_runtime}}')::float8, -3e38), 3e38)::real END"
            ),
            Dialect::Clickhouse => format!(
                "if(JSONType({scores}, 'extra', 'test_runtime') IN ('Double', 'Int64', 'UInt64'),
                    toFloat32(JSONExtractFloat({scores}, 'extra', 'test_runtime')), NULL)"
            ),
        }
    }

    /// The indexed prefix of a text of any length; `None` if the whole text is indexed.
    pub(super) fn indexed(self, text: &str) -> Option<String> {
        match self {
            Dialect::Sqlite | Dialect::Clickhouse => None,
            Dialect::Postgres => Some(format!("substr({text}, 1, {INDEXED})")),
        }
    }

    /// The indexed prefixes of the texts in an array.
    pub(super) fn indexed_prefixes(self, array: &str) -> Option<String> {
        Some(format!("ARRAY(SELECT {} FROM unnest({array}) AS v (whole))", self.indexed("v.whole")?))
    }

    /// Whether a text is shorter than the indexed prefix, so that only texts equal to it have this prefix.
    pub(super) fn is_indexed_whole(self, text: &str) -> bool {
        // U+0000 and U+0001 are stored as two characters each.
        let stored = text.chars().map(|char| if char <= '\u{1}' { 2 } else { 1 });
        self != Dialect::Postgres || stored.sum::<usize>() < INDEXED
    }

    /// The condition that two columns with texts of any length are equal; an index of the first is usable.
    pub(super) fn same_text(self, column: &str, other: &str) -> String {
        match (self.indexed(column), self.indexed(other)) {
            (Some(prefix), Some(other_prefix)) => format!("{column} = {other} AND {prefix} = {other_prefix}"),
            _ => format!("{column} = {other}"),
        }
    }

    /// A condition that limits the search for the row of a uid to one partition. `placeholder` is that of the uid.
    pub(super) fn by_partition(self, placeholder: &str) -> Option<String> {
        match self {
            Dialect::Sqlite => None,
            Dialect::Postgres | Dialect::Clickhouse => {
                let compare = if self == Dialect::Clickhouse { "IN" } else { "=" };
                Some(format!(
                    "f.measurement_start_time {compare} (SELECT j.measurement_start_time FROM jsonl AS j WHERE j.measurement_uid = {placeholder})"
                ))
            }
        }
    }

    /// The unique columns of a rollup.
    pub(super) fn unique_key(self, rollup: &Rollup) -> String {
        if self != Dialect::Postgres {
            return rollup.key_columns();
        }
        // The prefix of each text, followed by the digests of texts that are longer.
        let prefix = |part: &Dimension| match self.indexed(part.column()) {
            Some(prefix) if part.is_text() => prefix,
            _ => part.column().to_owned(),
        };
        let texts = rollup.key.iter().filter(|part| part.is_text());
        let digests = texts.map(|part| format!("text_digest({})", part.column()));
        rollup.key.iter().map(prefix).chain(digests).collect::<Vec<_>>().join(", ")
    }
}
