//! What is read of a database of the reference: columns as texts, from a place on.

use crate::value::Type;
use ooni_core::row::schema::ColumnSchema;

/// A place in the order that a database has: after a measurement.
#[derive(Clone, Debug)]
pub struct Place {
    pub(crate) uid: String,
    /// Its start, where rows have the order of these; looked up if it is not known.
    pub(crate) start: Option<String>,
}

impl From<String> for Place {
    fn from(uid: String) -> Place {
        Place { uid, start: None }
    }
}

/// Columns of `jsonl` that are read.
pub(crate) const BODY: [&str; 4] = ["s3path", "linenum", "date", "source"];

/// Columns of `citizenlab` that are read.
pub(crate) const LISTS: [&str; 4] = ["url", "domain", "cc", "category_code"];

/// Names and types of columns.
pub(crate) fn typed(columns: &[ColumnSchema]) -> Vec<(&'static str, Type)> {
    columns.iter().map(|column| (column.name, column.kind)).collect()
}

/// The texts of a row: the columns of `fastpath`, [`BODY`], `obs_openvpn`.
pub(crate) type Texts = Vec<Option<String>>;
