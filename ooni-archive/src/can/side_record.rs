//! The side record of a POST body: what the server adds to it. It is kept in pax records of the member of a postcan, because
//! the body stays as the probe sent it.

/// The pax record with the report id that the server assigned to the measurement.
pub const PAX_REPORT_ID: &str = "OONI.report_id";

/// The pax record with the result of verifying the probe's credentials: `t`, `f` or `u`.
pub const PAX_IS_VERIFIED: &str = "OONI.is_verified";
