//! [`Dialect`]: what the engines say in different words.

use super::Parameter;
use crate::store::aggregate::Grain;

/// The SQL of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Times are seconds since 1970, flags `t` and `f`.
    Sqlite,
}

impl Dialect {
    /// The place of the `number`th value, from 1.
    pub(super) fn place(self, number: usize, _value: &Parameter) -> String {
        match self {
            Dialect::Sqlite => format!("?{number}"),
        }
    }

    /// A flag that is set, or is not.
    pub(super) fn flag(self, column: &str, wanted: bool) -> String {
        match self {
            Dialect::Sqlite => format!("{column} = '{}'", if wanted { 't' } else { 'f' }),
        }
    }

    /// The id of an OONI Run link, which may be beyond what an integer of the engine holds.
    pub(super) fn link(self, id: u64) -> Parameter {
        match i64::try_from(id) {
            Ok(id) => Parameter::Int(id),
            Err(_) => Parameter::Text(id.to_string()),
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
        }
    }

    /// What is said behind the table of rows, to read it by way of an index.
    pub(super) fn by_index(self, index: &str) -> String {
        match self {
            Dialect::Sqlite => format!(" INDEXED BY {index}"),
        }
    }
}
