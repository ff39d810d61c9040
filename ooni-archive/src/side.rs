//! Side records of POST bodies in postcans.
//!
//! The collector keeps a body as it was sent. What it adds, a [`SideRecord`], is in the member's extended header (pax), in
//! records with the keywords below; each may be missing. Programs that do not know them ignore them.
//!
//! A record with another value is an error of its member: without the collector's report id, a measurement would be stored
//! with the probe's, or discarded.

use ooni_core::measurement::{IsVerified, SideRecord};

/// The keyword of the report id: UTF-8 without control characters, 1 to [`MAX_REPORT_ID`] bytes.
pub const REPORT_ID: &str = "OONI.report_id";

/// The keyword of the result of verification: `t`, `f` or `u`.
pub const IS_VERIFIED: &str = "OONI.is_verified";

/// Maximum length of a report id in bytes.
pub const MAX_REPORT_ID: usize = 600;

/// Whether a side record may have this report id.
pub fn is_valid_report_id(report_id: &str) -> bool {
    (1..=MAX_REPORT_ID).contains(&report_id.len()) && !report_id.contains(char::is_control)
}

/// Adds a pax record to a side record. Other keywords are ignored.
///
/// # Errors
/// A message, for an invalid value.
pub(crate) fn add(side: &mut SideRecord<'static>, keyword: &[u8], value: &[u8]) -> Result<(), &'static str> {
    let value = std::str::from_utf8(value);
    if keyword == REPORT_ID.as_bytes() {
        let report_id = value.ok().filter(|id| is_valid_report_id(id)).ok_or("an invalid record OONI.report_id")?;
        side.report_id = Some(report_id.to_owned().into());
    } else if keyword == IS_VERIFIED.as_bytes() {
        let letter = value.ok().and_then(IsVerified::of_letter).ok_or("an invalid record OONI.is_verified")?;
        side.is_verified = Some(letter);
    }
    Ok(())
}
