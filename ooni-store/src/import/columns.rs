//! What is read from a reference database: columns as texts, from a position on.

use crate::value::Type;
use ooni_core::row::schema::ColumnSchema;

/// A position in the order of a database: after a measurement.
#[derive(Clone, Debug)]
pub struct Place {
    pub(crate) uid: String,
    /// Its start, where rows are ordered by start first; looked up if it is not known.
    pub(crate) start: Option<String>,
}

impl From<String> for Place {
    fn from(uid: String) -> Place {
        Place { uid, start: None }
    }
}

/// The columns of `jsonl` that are read.
pub(crate) const BODY: [&str; 4] = ["s3path", "linenum", "date", "source"];

/// The columns of `citizenlab` that are read.
pub(crate) const LISTS: [&str; 4] = ["url", "domain", "cc", "category_code"];

/// Names and types of columns.
pub(crate) fn typed(columns: &[ColumnSchema]) -> Vec<(&'static str, Type)> {
    columns.iter().map(|column| (column.name, column.kind)).collect()
}

/// The texts of a row: the columns of `fastpath`, [`BODY`] and `obs_openvpn`.
pub(crate) type Texts = Vec<Option<String>>;
