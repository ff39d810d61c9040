//! Bulk loads: what they return, and which months they have not finished.

use crate::error::Error;
use crate::query::filter::Window;
use crate::value::Value;
use crate::write::row::{BatchResult, RowBatch};
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a loader counts as alive after its last write.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// The result of a batch of a [bulk load](crate::Load).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkResult {
    /// The result.
    pub written: BatchResult,
    /// The rows that were written the usual way, by month: the month, or on SQLite the store, held rows before the load, or
    /// it is outside the partitions.
    pub steady: BTreeMap<DateTime, u64>,
}

impl BulkResult {
    /// The result of a batch that was written the usual way.
    pub(crate) fn of_steady(written: BatchResult, rows: &(dyn RowBatch + 'static)) -> BulkResult {
        let mut steady = BTreeMap::new();
        for row in rows.iter() {
            if let Ok(cells) = row.cells()
                && let Value::Time(start) = cells[fastpath::measurement_start_time]
            {
                *steady.entry(start.start_of_month()).or_default() += 1;
            }
        }
        BulkResult { written, steady }
    }
}

/// A month whose bulk load is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishedMonth {
    /// Its first second.
    pub month: DateTime,
    /// The rows that were loaded.
    pub rows: u64,
}

/// Fails if one of the unfinished months overlaps a window.
pub(crate) fn check(unfinished: &[DateTime], window: Window) -> Result<(), Error> {
    let overlaps = |&&month: &&DateTime| {
        window.to.is_none_or(|to| month < to) && window.from.is_none_or(|from| month.start_of_next_month() > from)
    };
    let months: Vec<DateTime> = unfinished.iter().filter(overlaps).copied().collect();
    if months.is_empty() { Ok(()) } else { Err(Error::loading(&months)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn windows_that_overlap_an_unfinished_month() {
        let at = |month, day| DateTime::new(2024, month, day, 0, 0, 0).unwrap();
        let unfinished = [at(2, 1), at(5, 1)];
        let outcome = |from, to| check(&unfinished, Window { from, to });
        assert!(outcome(Some(at(1, 1)), Some(at(2, 1))).is_ok());
        assert!(outcome(Some(at(3, 1)), Some(at(5, 1))).is_ok());
        assert!(outcome(Some(at(6, 1)), None).is_ok());
        assert!(outcome(None, Some(at(2, 1))).is_ok());
        let error = outcome(Some(at(2, 29)), Some(at(5, 1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.message().starts_with("2024-02 is being loaded"), "{error}");
        assert!(error.public_message().starts_with("2024-02 is being loaded"), "{error}");
        let error = outcome(None, None).unwrap_err();
        assert!(error.message().starts_with("2024-02 and 2024-05 are being loaded"), "{error}");
        assert!(check(&[], Window::default()).is_ok());
    }
}
