//! The columns that are read from a reference database, and positions in it.

use crate::value::Type;
use ooni_core::row::schema::ColumnSchema;

/// A position in a reference database: after a measurement, in the order in which pages are read.
#[derive(Clone, Debug)]
pub struct ReferencePosition {
    pub(crate) uid: String,
    /// The start of the measurement, for databases that are ordered by start; looked up if it is `None`.
    pub(crate) start: Option<String>,
}

impl From<String> for ReferencePosition {
    fn from(uid: String) -> ReferencePosition {
        ReferencePosition { uid, start: None }
    }
}

/// The columns of `jsonl` that are read.
pub(crate) const BODY: [&str; 4] = ["s3path", "linenum", "date", "source"];

/// The columns of `citizenlab` that are read.
pub(crate) const LISTS: [&str; 4] = ["url", "domain", "cc", "category_code"];

/// The names and types of columns.
pub(crate) fn typed(columns: &[ColumnSchema]) -> Vec<(&'static str, Type)> {
    columns.iter().map(|column| (column.name, column.kind)).collect()
}

/// The texts of a row: the columns of `fastpath`, [`BODY`] and `obs_openvpn`.
pub(crate) type Texts = Vec<Option<String>>;
