//! What several rules share: counting connections, finding unknown failures (scoring spec §5).

use super::Context;
use crate::error::Error;
use crate::json::Value;
use crate::python::is_truthy;

/// Connections that the probe made.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpCounts {
    pub(super) accessible: i64,
    pub(super) unreachable: i64,
}

/// Counts the entries of `tcp_connect` by `status.success` (scoring spec §5.2).
pub(super) fn tcp_counts(context: &Context<'_>, tk: Value<'_>) -> Result<TcpCounts, Error> {
    let mut counts = TcpCounts { accessible: 0, unreachable: 0 };
    for entry in tk.get("tcp_connect")?.objects()? {
        let success = entry?.field("status").if_null(Value::EMPTY_OBJECT).get("success")?;
        if success.value().is_true() {
            counts.accessible += 1;
            context.fired("an endpoint can be reached", "blocking_general", &[&success]);
        } else if success.value().is_false() {
            counts.unreachable += 1;
            context.fired("an endpoint cannot be reached", "blocking_general", &[&success]);
        }
    }
    Ok(counts)
}

/// The share of `bad` in both; one half when there are none.
pub(super) fn ratio(bad: i64, good: i64) -> f64 {
    if bad + good == 0 { 0.5 } else { bad as f64 / (bad + good) as f64 }
}

/// Whether a key that ends in `_failure` tells of an unknown failure (scoring spec §5.3).
///
/// # Errors
/// `E-TYPE` for a truthy failure that is no string, before the first that is unknown.
pub(super) fn has_unknown_failure(context: &Context<'_>, tk: Value<'_>) -> Result<bool, Error> {
    if !tk.is_object() {
        return Err(tk.wrong_kind("an object"));
    }
    for (key, value) in tk.members() {
        if !key.text().is_some_and(|key| key.ends_with(b"_failure")) || !is_truthy(value) {
            continue;
        }
        match value.text() {
            Some(text) if text.starts_with(b"unknown_failure") => {
                context.fired("the probe met an unknown failure", "accuracy", &[&value]);
                return Ok(true);
            }
            Some(_) => {}
            None => return Err(value.wrong_kind("a string")),
        }
    }
    Ok(false)
}
