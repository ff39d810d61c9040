//! [`Dialect`]: what the engines say in different words.

use super::{Parameter, Statement};
use crate::query::aggregate::Grain;
use crate::rollup::{Dimension, Rollup};
use crate::value::Type;

/// The SQL of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Times are seconds since 1970, flags `t` and `f`.
    Sqlite,
    /// Times are timestamps, flags `t` and `f`.
    Postgres,
    /// The same; every place says the type of its value.
    Clickhouse,
}

impl Dialect {
    /// The place of the `number`th value, from 1.
    pub(super) fn place(self, number: usize, value: &Parameter) -> String {
        match (self, value) {
            (Dialect::Sqlite | Dialect::Postgres, _) => self.number(number),
            (Dialect::Clickhouse, Parameter::Text(_)) => format!("{{p{number}:String}}"),
            (Dialect::Clickhouse, Parameter::Int(_)) => format!("{{p{number}:Int64}}"),
            (Dialect::Clickhouse, Parameter::Link(_)) => format!("{{p{number}:UInt64}}"),
            // Windows have bounds beyond what a column holds.
            (Dialect::Clickhouse, Parameter::Time(_)) => format!("{{p{number}:DateTime64(0, 'UTC')}}"),
        }
    }

    /// The same of a value whose type the statement tells.
    pub(super) fn number(self, number: usize) -> String {
        match self {
            Dialect::Sqlite => format!("?{number}"),
            Dialect::Postgres => format!("${number}"),
            Dialect::Clickhouse => format!("{{p{number}:Int64}}"),
        }
    }

    /// A flag that is set, or is not.
    pub(super) fn flag(self, column: &str, wanted: bool) -> String {
        match self {
            Dialect::Sqlite | Dialect::Postgres | Dialect::Clickhouse => {
                format!("{column} = '{}'", if wanted { 't' } else { 'f' })
            }
        }
    }

    /// The first moment of the hour, day, … that a time is in.
    pub(super) fn bucket(self, grain: Grain, time: &str) -> String {
        match (self, grain) {
            (Dialect::Sqlite, Grain::Hour) => format!("{time} / 3600 * 3600"),
            (Dialect::Sqlite, Grain::Day) => format!("{time} / 86400 * 86400"),
            // 1970-01-04 was a Sunday.
            (Dialect::Sqlite, Grain::Week) => format!("({time} + 345600) / 604800 * 604800 - 345600"),
            (Dialect::Sqlite, Grain::Month) => format!("unixepoch({time}, 'unixepoch', 'start of month')"),
            (Dialect::Sqlite, Grain::Year) => format!("unixepoch({time}, 'unixepoch', 'start of year')"),
            (Dialect::Postgres, Grain::Hour) => format!("date_trunc('hour', {time})"),
            (Dialect::Postgres, Grain::Day) => format!("date_trunc('day', {time})"),
            // Its weeks begin on Monday.
            (Dialect::Postgres, Grain::Week) => {
                format!("date_trunc('week', {time} + interval '1 day') - interval '1 day'")
            }
            (Dialect::Postgres, Grain::Month) => format!("date_trunc('month', {time})"),
            (Dialect::Postgres, Grain::Year) => format!("date_trunc('year', {time})"),
            (Dialect::Clickhouse, Grain::Hour) => format!("toStartOfHour({time})"),
            (Dialect::Clickhouse, Grain::Day) => format!("toStartOfDay({time})"),
            // It has days since 1970 alone, and the first week begins before.
            (Dialect::Clickhouse, Grain::Week) => {
                format!("toDateTime64(intDiv(toInt64({time}) + 345600, 604800) * 604800 - 345600, 0, 'UTC')")
            }
            // These are days to it.
            (Dialect::Clickhouse, Grain::Month) => format!("toDateTime(toStartOfMonth({time}), 'UTC')"),
            (Dialect::Clickhouse, Grain::Year) => format!("toDateTime(toStartOfYear({time}), 'UTC')"),
        }
    }

    /// How a query would be answered: rows that end with a line of text.
    pub(crate) fn explain(self, statement: Statement) -> Statement {
        let (explain, columns) = match self {
            Dialect::Sqlite => (
                "EXPLAIN QUERY PLAN",
                vec![Type::OptionalUInt64, Type::OptionalUInt64, Type::OptionalUInt64, Type::Text],
            ),
            Dialect::Postgres => ("EXPLAIN", vec![Type::Text]),
            Dialect::Clickhouse => ("EXPLAIN indexes = 1", vec![Type::Text]),
        };
        Statement { sql: format!("{explain} {}", statement.sql), columns, ..statement }
    }

    /// What is said behind a table, to read it by way of an index, or by its key. The others choose for themselves.
    pub(super) fn by_index(self, index: Option<&str>) -> String {
        match (self, index) {
            (Dialect::Sqlite, Some(index)) => format!(" INDEXED BY {index}"),
            (Dialect::Sqlite, None) => " NOT INDEXED".to_owned(),
            (Dialect::Postgres | Dialect::Clickhouse, _) => String::new(),
        }
    }

    /// Seconds that a test ran as scores in a column have it, null where they do not.
    pub(super) fn runtime(self, scores: &str) -> String {
        match self {
            Dialect::Sqlite => format!(
                "CASE WHEN json_type({scores}, '$.extra.test_runtime') IN ('integer', 'real')
                    THEN CAST(json_extract({scores}, '$.extra.test_runtime') AS REAL) END"
            ),
            // What is too long for 32 bits is no error.
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

    /// What an index has of a text of any length, where it does not have all of it.
    pub(super) fn indexed(self, text: &str) -> Option<String> {
        match self {
            Dialect::Sqlite | Dialect::Clickhouse => None,
            Dialect::Postgres => Some(format!("substr({text}, 1, 256)")),
        }
    }

    /// Finds the row of a uid faster, where rows are in partitions: `place` is that of the uid.
    pub(super) fn by_partition(self, place: &str) -> Option<String> {
        match self {
            Dialect::Sqlite => None,
            Dialect::Postgres | Dialect::Clickhouse => {
                let compare = if self == Dialect::Clickhouse { "IN" } else { "=" };
                Some(format!(
                    "f.measurement_start_time {compare} (SELECT j.measurement_start_time FROM jsonl AS j WHERE j.measurement_uid = {place})"
                ))
            }
        }
    }

    /// What makes a cell of a rollup the only one of its key.
    pub(super) fn unique_key(self, rollup: &Rollup) -> String {
        match self {
            // Inputs of any length: their hash.
            Dialect::Postgres if rollup.key.contains(&Dimension::Input) => {
                rollup.key_columns().replace("input", "md5(input)")
            }
            _ => rollup.key_columns(),
        }
    }
}
