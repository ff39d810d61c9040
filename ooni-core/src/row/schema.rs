//! The columns of the tables `fastpath` and `obs_openvpn`. They are listed only here.
//!
//! Each entry defines a field of [`FastpathRow`] or [`OpenvpnRow`], its derivation from a measurement, its position in the
//! output and what a typed store accepts for it. Code that needs names, types or positions of columns takes them from
//! [`fastpath`] and [`openvpn`]: JSON and CSV output, Parquet, and the statements and values of the stores. A new
//! column is one entry here and a migration of the stores.
//!
//! An entry reads `name: type of the field, type of the column [in unit], source => derivation`, below its documentation.
//! The derivation uses the arguments that its table names. It cannot fail: whatever can fail is computed before, as an
//! argument, because the order of errors is specified.

pub use super::column::{ColumnSchema, Type};
use super::fastpath::FastpathParts;
use super::field::{or, or_empty};
use super::openvpn::{highest_transaction_id, resolver_asn};
use super::table::row;
use crate::json::{Json, Value};
use crate::measurement::{IsVerified, Measurement};
use crate::number::Int;
use crate::python::is_truthy;
use crate::rules::Ruleset;
use crate::scores::Scores;
use crate::time::DateTime;
use std::sync::Arc;

row! {
    /// A scored measurement: a row of the table `fastpath` (scoring spec §10). Fields of type [`Json`] hold what the probe
    /// sent, which is a string in every valid measurement.
    FastpathRow, fastpath, (from: FastpathParts<'_, '_>);

    /// ID of the measurement, assigned by the collector or derived from its bytes.
    measurement_uid: String, Text, "the collector" => from.measurement_uid.to_owned();
    /// ID of the report that the measurement belongs to.
    report_id: Json, Text, "report_id" => or_empty(from.measurement.field("report_id"));
    /// What was tested, usually a URL; `""` for tests without an input.
    input: Json, Text, "input, §10.1" => from.input;
    /// Country of the probe, two letters as the probe sent them.
    probe_cc: Json, Text, "probe_cc" => or_empty(from.measurement.field("probe_cc"));
    /// Autonomous system number of the probe's network.
    probe_asn: Int, UInt32, "probe_asn, §10.2" => from.probe_asn;
    /// Name of the test.
    test_name: Json, Text, "test_name" => if is_truthy(from.test_name) { from.test_name.to_json() } else { "".into() };
    /// Start of the report, by the probe's clock.
    test_start_time: DateTime, Time in "UTC", "test_start_time, §10.3" => from.test_start_time;
    /// Start of the measurement, by the probe's clock.
    measurement_start_time: DateTime, Time in "UTC", "measurement_start_time, §10.3" => from.measurement_start_time;
    /// Scores that the test's rule computed, a JSON object.
    scores: Scores, Text, "§7" => from.scores;
    /// Operating system of the probe; `unset` when missing.
    platform: Json, Text, "annotations.platform" => or(from.platform, "unset");
    /// General blocking scored more than 0.5: `t` or `f`.
    #[serde(with = "super::flag")]
    anomaly: bool, Text, "scores, §9" => from.anomaly;
    /// A fingerprint of blocking that counts for this country, or for all countries, was found: `t` or `f`.
    #[serde(with = "super::flag")]
    confirmed: bool, Text, "scores, §9" => from.confirmed;
    /// The measurement itself failed, so its scores are not meaningful: `t` or `f`.
    #[serde(with = "super::flag")]
    msm_failure: bool, Text, "scores, §9" => from.msm_failure;
    /// Kind of blocking that `web_connectivity` found: `dns`, `tcp_ip`, `http-diff`, `http-failure` or `""`.
    blocking_type: Json, Text, "scores, §9" => from.blocking_type;
    /// Host of the URL in `input`, with port and user as written; `""` when there is none.
    domain: Json, Text, "input, §10.1" => from.domain;
    /// Program that measured.
    software_name: Json, Text, "software_name" => or_empty(from.measurement.field("software_name"));
    /// Version of the program.
    software_version: Json, Text, "software_version" => or_empty(from.measurement.field("software_version"));
    /// Version of the test.
    test_version: Json, Text, "test_version" => or_empty(from.measurement.field("test_version"));
    /// Duration of the test; 0 when missing.
    test_runtime: Json, Float32 in "s", "test_runtime" => or(from.measurement.field("test_runtime"), 0.0);
    /// Processor architecture of the probe.
    architecture: Json, Text, "annotations.architecture" => or_empty(from.architecture);
    /// Name of the measurement engine.
    engine_name: Json, Text, "annotations.engine_name" => or_empty(from.engine_name);
    /// Version of the measurement engine.
    engine_version: Json, Text, "annotations.engine_version" => or_empty(from.engine_version);
    /// Address of the test helper.
    test_helper_address: Json, Text, "test_helpers.backend.address" => or_empty(from.test_helper_address);
    /// Type of the test helper, such as `https`.
    test_helper_type: Json, Text, "test_helpers.backend.type" => or_empty(from.test_helper_type);
    /// ID of the OONI Run link that started the test.
    ooni_run_link_id: Option<Int>, OptionalUInt64, "annotations.ooni_run_link_id, §10.5" => from.ooni_run_link_id;
    /// Whether the probe's credentials were verified: `t`, `f` or `u` for unknown.
    is_verified: IsVerified, Text, "the collector" => from.measurement.is_verified();

    beside
    /// Rules and fingerprint lists that produced the row.
    #[serde(default)]
    ruleset: Arc<Ruleset> => Arc::clone(from.ruleset);
}

row! {
    /// A row of the table `obs_openvpn` (scoring spec §11), which an `openvpn` measurement has in addition to its
    /// [`FastpathRow`]. Columns are in the order in which the reference inserts them.
    ///
    /// The reference looks for `success` and `platform` at the top level of the measurement, where probes do not put them,
    /// and treats a success as an anomaly. Its rows therefore contain `false` and `""` in practice, and so do these.
    OpenvpnRow, openvpn, (measurement: &Measurement<'_>, test_keys: Value<'_>, fastpath: &FastpathRow);

    /// `success` at the top level is `true`, as in the reference.
    anomaly: bool, Bool, "success" => measurement.field("success").value().is_true();
    /// Duration of the bootstrap; 0 when missing.
    bootstrap_time: Json, Float32 in "s", "test_keys.bootstrap_time" => or(test_keys.field("bootstrap_time"), 0);
    /// Always `false`.
    confirmed: bool, Bool, "constant" => false;
    /// Failure that the probe reported; `""` for none.
    failure: Json, Text, "test_keys.failure" => or_empty(test_keys.field("failure"));
    /// Endpoint that was tested.
    input: Json, Text, "input" => or_empty(measurement.field("input"));
    /// Highest `transaction_id` of the network events; 0 when one of them has none.
    last_handshake_transaction_id: Json, UInt32, "test_keys.network_events, §11" =>
        highest_transaction_id(test_keys.field("network_events").value());
    /// As in `fastpath`.
    measurement_start_time: DateTime, Time in "UTC", "fastpath" => fastpath.measurement_start_time;
    /// As in `fastpath`.
    measurement_uid: String, Text, "fastpath" => fastpath.measurement_uid.clone();
    /// Version of minivpn.
    minivpn_version: Json, Text, "test_keys.minivpn_version" => or_empty(test_keys.field("minivpn_version"));
    /// Version of obfs4.
    obfs4_version: Json, Text, "test_keys.obfs4_version" => or_empty(test_keys.field("obfs4_version"));
    /// Obfuscation used.
    obfuscation: Json, Text, "test_keys.obfuscation" => or_empty(test_keys.field("obfuscation"));
    /// `platform` at the top level, as in the reference.
    platform: Json, Text, "platform" => or_empty(measurement.field("platform"));
    /// As in `fastpath`.
    probe_asn: Int, UInt32, "fastpath" => fastpath.probe_asn.clone();
    /// As in `fastpath`.
    probe_cc: Json, Text, "fastpath" => fastpath.probe_cc.clone();
    /// Name of the probe's network.
    probe_network_name: Json, Text, "probe_network_name" => or_empty(measurement.field("probe_network_name"));
    /// Provider of the VPN.
    provider: Json, Text, "test_keys.provider" => or_empty(test_keys.field("provider"));
    /// Remote address of the VPN.
    remote: Json, Text, "test_keys.remote" => or_empty(test_keys.field("remote"));
    /// As in `fastpath`.
    report_id: Json, Text, "fastpath" => fastpath.report_id.clone();
    /// Autonomous system number of the resolver's network; 0 when it is not a number.
    resolver_asn: Int, UInt32, "resolver_asn, §11" => resolver_asn(measurement.field("resolver_asn").value());
    /// Address of the resolver.
    resolver_ip: Json, Text, "resolver_ip" => or_empty(measurement.field("resolver_ip"));
    /// Name of the resolver's network.
    resolver_network_name: Json, Text, "resolver_network_name" => or_empty(measurement.field("resolver_network_name"));
    /// As in `fastpath`.
    software_name: Json, Text, "fastpath" => fastpath.software_name.clone();
    /// As in `fastpath`.
    software_version: Json, Text, "fastpath" => fastpath.software_version.clone();
    /// The test succeeded.
    success: bool, Bool, "test_keys.success" => is_truthy(test_keys.field("success").value());
    /// The handshake succeeded.
    success_handshake: bool, Bool, "test_keys.success_handshake" =>
        is_truthy(test_keys.field("success_handshake").value());
    /// Pings through the tunnel succeeded.
    success_icmp: bool, Bool, "test_keys.success_icmp" => is_truthy(test_keys.field("success_icmp").value());
    /// Requests through the tunnel succeeded.
    success_urlgrab: bool, Bool, "test_keys.success_urlgrab" => is_truthy(test_keys.field("success_urlgrab").value());
    /// Duration of the test; 0 when missing.
    test_runtime: Json, Float32 in "s", "test_runtime" => or(measurement.field("test_runtime"), 0);
    /// As in `fastpath`.
    test_start_time: DateTime, Time in "UTC", "fastpath" => fastpath.test_start_time;
    /// Transport protocol.
    transport: Json, Text, "test_keys.transport" => or_empty(test_keys.field("transport"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::tests::row;

    #[test]
    fn columns_are_described_in_the_order_of_rows() {
        assert_eq!(row(&[]).columns().map(|(name, _)| name), fastpath::NAMES);
        for (columns, names) in [(&fastpath::COLUMNS[..], &fastpath::NAMES[..]), (&openvpn::COLUMNS, &openvpn::NAMES)] {
            for (column, name) in columns.iter().zip(names) {
                assert_eq!(column.name, *name);
                assert!(
                    column.doc.ends_with('.') && !column.doc.contains('\n') && !column.source.is_empty(),
                    "{column:?}"
                );
            }
        }
        assert_eq!((fastpath::measurement_uid, fastpath::measurement_start_time, fastpath::is_verified), (0, 7, 25));
        assert_eq!((openvpn::measurement_uid, openvpn::transport, openvpn::LEN), (7, 29, 30));
    }

    #[test]
    fn an_entry_describes_its_column() {
        assert_eq!(
            fastpath::COLUMNS[fastpath::test_runtime],
            ColumnSchema {
                name: "test_runtime",
                kind: Type::Float32,
                unit: Some("s"),
                source: "test_runtime",
                doc: "Duration of the test; 0 when missing.",
            }
        );
        assert_eq!(fastpath::COLUMNS[fastpath::anomaly].kind, Type::Text);
        assert_eq!(openvpn::COLUMNS[openvpn::anomaly].kind, Type::Bool);
    }
}
