//! Derivations of columns of `obs_openvpn` (scoring spec §11).

use crate::json::{Json, Kind, Value};
use crate::number::Int;
use crate::python::order;
use crate::python_text;
use std::cmp::Ordering;

/// A network number with or without `AS`; 0 for anything else.
pub(super) fn resolver_asn(value: Value<'_>) -> Int {
    let text = value.text().unwrap_or_default();
    python_text::to_int(text.strip_prefix(b"AS").unwrap_or(&text)).unwrap_or(Int::Small(0))
}

/// Python's `max` over the IDs; 0 when one is missing or they cannot be compared.
pub(super) fn highest_transaction_id(events: Value<'_>) -> Json {
    let mut highest: Option<Value<'_>> = None;
    for event in events.elements() {
        let Some(id) = event.field("transaction_id").found() else { return Json::from(0) };
        highest = Some(match highest {
            None => id,
            Some(highest) => match order(id, highest) {
                Ok(Some(Ordering::Greater)) => id,
                Ok(_) => highest,
                Err(_) => return Json::from(0),
            },
        });
    }
    match highest {
        Some(id) if events.kind() == Kind::Array => id.to_json(),
        _ => Json::from(0),
    }
}
