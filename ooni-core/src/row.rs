//! Rows: what stores keep of a measurement (scoring spec §10 to §12).
//!
//! Every measurement has a [`FastpathRow`]; those of `openvpn` also have an [`OpenvpnRow`]. [`schema`] lists the columns of
//! both, `fastpath`, `openvpn` and `field` derive them, and `acceptance` checks whether a typed store accepts a row.

mod acceptance;
mod column;
mod fastpath;
mod field;
mod flag;
mod openvpn;
pub mod schema;
mod table;

pub use self::acceptance::Refused;
pub use self::column::Column;
pub use self::schema::{FastpathRow, OpenvpnRow};

use self::fastpath::FastpathParts;
use crate::error::Error;
use crate::measurement::Measurement;
use crate::rules::Ruleset;
use crate::scores::Scores;
use std::sync::Arc;

impl FastpathRow {
    /// Derives the row of a measurement that has been scored (scoring spec §10).
    ///
    /// # Errors
    /// `E-KEY`, `E-TYPE`, `E-VALUE` and `E-ASSERT` for a field from which a column cannot be derived, with its path.
    pub(crate) fn derive(
        measurement: &Measurement<'_>,
        measurement_uid: &str,
        scores: Scores,
        ruleset: &Arc<Ruleset>,
    ) -> Result<FastpathRow, Error> {
        FastpathParts::new(measurement, measurement_uid, scores, ruleset).map(FastpathRow::new)
    }
}

impl OpenvpnRow {
    /// Derives the row of a measurement of the test `openvpn`, which also has this row of `fastpath`.
    pub(crate) fn derive(measurement: &Measurement<'_>, fastpath: &FastpathRow) -> OpenvpnRow {
        OpenvpnRow::new(measurement, measurement.test_keys(), fastpath)
    }
}

#[cfg(test)]
mod tests;
