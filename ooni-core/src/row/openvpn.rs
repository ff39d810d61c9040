//! [`OpenvpnRow`]: the row of the table `obs_openvpn` (scoring spec §11).
//!
//! The reference looks for `success` and `platform` at the top of the measurement, where probes do not put them, and
//! calls a success an anomaly. Real rows therefore hold `false` and `""`; so do these.

use super::column::write_object;
use super::{Column, FastpathRow, or_empty};
use crate::json::{Json, Kind, Value};
use crate::measurement::Measurement;
use crate::number::Int;
use crate::python::{is_truthy, order};
use crate::python_text;
use crate::time::DateTime;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What is kept of an `openvpn` measurement beside its [`FastpathRow`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the columns have the names of the fields of the measurement that they are copied from
pub struct OpenvpnRow {
    pub anomaly: bool,
    /// Seconds.
    pub bootstrap_time: Json,
    pub confirmed: bool,
    pub failure: Json,
    pub input: Json,
    /// The highest `transaction_id` among the network events; 0 when any of them has none.
    pub last_handshake_transaction_id: Json,
    pub measurement_start_time: DateTime,
    pub measurement_uid: String,
    pub minivpn_version: Json,
    pub obfs4_version: Json,
    pub obfuscation: Json,
    pub platform: Json,
    pub probe_asn: Int,
    pub probe_cc: Json,
    pub probe_network_name: Json,
    pub provider: Json,
    pub remote: Json,
    pub report_id: Json,
    /// Number of the resolver's network, 0 when it cannot be read.
    pub resolver_asn: Int,
    pub resolver_ip: Json,
    pub resolver_network_name: Json,
    pub software_name: Json,
    pub software_version: Json,
    pub success: bool,
    pub success_handshake: bool,
    pub success_icmp: bool,
    pub success_urlgrab: bool,
    /// Seconds.
    pub test_runtime: Json,
    pub test_start_time: DateTime,
    pub transport: Json,
}

impl OpenvpnRow {
    /// Derives the row; the measurement is of the test `openvpn` and has got the row `fastpath`.
    pub(crate) fn derive(measurement: &Measurement<'_>, fastpath: &FastpathRow) -> OpenvpnRow {
        let tk = measurement.test_keys();
        let truthy = |key| is_truthy(tk.field(key).value());
        OpenvpnRow {
            anomaly: measurement.field("success").value().is_true(),
            bootstrap_time: tk.field("bootstrap_time").if_null(Value::ZERO).to_json(),
            confirmed: false,
            failure: or_empty(tk.field("failure")),
            input: or_empty(measurement.field("input")),
            last_handshake_transaction_id: highest_transaction_id(tk.field("network_events").value()),
            measurement_start_time: fastpath.measurement_start_time,
            measurement_uid: fastpath.measurement_uid.clone(),
            minivpn_version: or_empty(tk.field("minivpn_version")),
            obfs4_version: or_empty(tk.field("obfs4_version")),
            obfuscation: or_empty(tk.field("obfuscation")),
            platform: or_empty(measurement.field("platform")),
            probe_asn: fastpath.probe_asn.clone(),
            probe_cc: fastpath.probe_cc.clone(),
            probe_network_name: or_empty(measurement.field("probe_network_name")),
            provider: or_empty(tk.field("provider")),
            remote: or_empty(tk.field("remote")),
            report_id: fastpath.report_id.clone(),
            resolver_asn: resolver_asn(measurement.field("resolver_asn").value()),
            resolver_ip: or_empty(measurement.field("resolver_ip")),
            resolver_network_name: or_empty(measurement.field("resolver_network_name")),
            software_name: fastpath.software_name.clone(),
            software_version: fastpath.software_version.clone(),
            success: truthy("success"),
            success_handshake: truthy("success_handshake"),
            success_icmp: truthy("success_icmp"),
            success_urlgrab: truthy("success_urlgrab"),
            test_runtime: measurement.field("test_runtime").if_null(Value::ZERO).to_json(),
            test_start_time: fastpath.test_start_time,
            transport: or_empty(tk.field("transport")),
        }
    }

    /// The columns in the order in which the reference inserts them.
    pub fn columns(&self) -> [(&'static str, Column<'_>); 30] {
        [
            ("anomaly", Column::Bool(self.anomaly)),
            ("bootstrap_time", Column::Json(&self.bootstrap_time)),
            ("confirmed", Column::Bool(self.confirmed)),
            ("failure", Column::Json(&self.failure)),
            ("input", Column::Json(&self.input)),
            ("last_handshake_transaction_id", Column::Json(&self.last_handshake_transaction_id)),
            ("measurement_start_time", Column::Time(self.measurement_start_time)),
            ("measurement_uid", Column::Text(&self.measurement_uid)),
            ("minivpn_version", Column::Json(&self.minivpn_version)),
            ("obfs4_version", Column::Json(&self.obfs4_version)),
            ("obfuscation", Column::Json(&self.obfuscation)),
            ("platform", Column::Json(&self.platform)),
            ("probe_asn", Column::Int(&self.probe_asn)),
            ("probe_cc", Column::Json(&self.probe_cc)),
            ("probe_network_name", Column::Json(&self.probe_network_name)),
            ("provider", Column::Json(&self.provider)),
            ("remote", Column::Json(&self.remote)),
            ("report_id", Column::Json(&self.report_id)),
            ("resolver_asn", Column::Int(&self.resolver_asn)),
            ("resolver_ip", Column::Json(&self.resolver_ip)),
            ("resolver_network_name", Column::Json(&self.resolver_network_name)),
            ("software_name", Column::Json(&self.software_name)),
            ("software_version", Column::Json(&self.software_version)),
            ("success", Column::Bool(self.success)),
            ("success_handshake", Column::Bool(self.success_handshake)),
            ("success_icmp", Column::Bool(self.success_icmp)),
            ("success_urlgrab", Column::Bool(self.success_urlgrab)),
            ("test_runtime", Column::Json(&self.test_runtime)),
            ("test_start_time", Column::Time(self.test_start_time)),
            ("transport", Column::Json(&self.transport)),
        ]
    }

    /// Appends the columns as a JSON object in the reference's form (scoring spec §14).
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write_object(&self.columns(), out);
    }
}

/// A network number with or without `AS`; 0 for anything else.
fn resolver_asn(value: Value<'_>) -> Int {
    let text = value.text().unwrap_or_default();
    python_text::to_int(text.strip_prefix(b"AS").unwrap_or(&text)).unwrap_or(Int::Small(0))
}

/// Python's `max` over the ids; any trouble at all makes it 0.
fn highest_transaction_id(events: Value<'_>) -> Json {
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
