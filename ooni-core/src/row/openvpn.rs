//! What the columns of `obs_openvpn` are derived from (scoring spec §11).

use super::{FastpathRow, OpenvpnRow};
use crate::json::{Json, Kind, Value};
use crate::measurement::Measurement;
use crate::number::Int;
use crate::python::order;
use crate::python_text;
use std::cmp::Ordering;

/// What the columns of a row are derived from.
pub(super) struct OpenvpnParts<'m, 'a> {
    pub(super) measurement: &'m Measurement<'a>,
    pub(super) test_keys: Value<'a>,
    pub(super) fastpath: &'m FastpathRow,
}

impl OpenvpnRow {
    /// Derives the row of a measurement of the test `openvpn`, beside its row of `fastpath`.
    pub(crate) fn derive(measurement: &Measurement<'_>, fastpath: &FastpathRow) -> OpenvpnRow {
        OpenvpnRow::from_parts(OpenvpnParts { measurement, test_keys: measurement.test_keys(), fastpath })
    }
}

impl OpenvpnParts<'_, '_> {
    /// A network number with or without `AS`; 0 for anything else.
    pub(super) fn resolver_asn(&self) -> Int {
        let text = self.measurement.field("resolver_asn").value().text().unwrap_or_default();
        python_text::to_int(text.strip_prefix(b"AS").unwrap_or(&text)).unwrap_or(Int::Small(0))
    }

    /// Python's `max` over the IDs; 0 when one is missing or they cannot be compared.
    pub(super) fn last_handshake_transaction_id(&self) -> Json {
        let events = self.test_keys.field("network_events").value();
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
}
