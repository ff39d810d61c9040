//! The bodies of the probe services, as the description of the routes shows them.
//!
//! Handlers read and build JSON values, because probes of ten years send and expect members that come and go. The tests of the
//! documentation compare these types with the answers of a server.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a probe says about itself before a run. Other members are ignored.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInRequest {
    /// The country of the probe: two letters. The default is `ZZ`, unknown.
    #[schema(nullable = false, example = "IT")]
    pub probe_cc: Option<String>,
    /// The network of the probe: `AS` and a number. The default is `AS0`, unknown.
    #[schema(nullable = false, example = "AS3269")]
    pub probe_asn: Option<String>,
    /// The platform.
    #[schema(nullable = false)]
    pub platform: Option<String>,
    /// The name of the program.
    #[schema(nullable = false)]
    pub software_name: Option<String>,
    /// Its version.
    #[schema(nullable = false)]
    pub software_version: Option<String>,
    /// Whether it is connected by Wi-Fi.
    #[schema(nullable = false)]
    pub on_wifi: Option<bool>,
    /// Whether the device is charging, the default. Otherwise there are fewer URLs.
    #[schema(nullable = false)]
    pub charging: Option<bool>,
    /// `manual` for a run that the user started: all URLs. Anything else is a scheduled run.
    #[schema(nullable = false)]
    pub run_type: Option<String>,
    /// Which URLs the probe measures.
    pub web_connectivity: Option<WebConnectivity>,
}

/// Which URLs a probe measures.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebConnectivity {
    /// The categories of the URLs. All, if there are none.
    pub category_codes: Option<Vec<String>>,
}

/// What a probe needs for a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInResponse {
    /// The version of this answer: 1.
    pub v: u32,
    /// The country of the address of the probe; `ZZ` if it is not known.
    pub probe_cc: String,
    /// The network of the address of the probe; `AS0` if it is not known.
    pub probe_asn: String,
    /// The name of the network.
    #[schema(required)]
    pub probe_network_name: Option<String>,
    /// The time of the server: `YYYY-MM-DDTHH:MM:SSZ`.
    pub utc_time: String,
    /// Features and test helpers.
    pub conf: Conf,
    /// A report id for each nettest; that of `web_connectivity` has `urls` too.
    pub tests: BTreeMap<String, Nettest>,
}

/// Features and test helpers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conf {
    /// Whether the probe should do something.
    pub features: BTreeMap<String, bool>,
    /// Test helpers by name.
    pub test_helpers: BTreeMap<String, Vec<ServiceEndpoint>>,
}

/// A nettest of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Nettest {
    /// The id of its report.
    pub report_id: String,
    /// The URLs to measure, in order of importance.
    #[schema(nullable = false)]
    pub urls: Option<Vec<ListedUrl>>,
}

/// A URL of a test list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedUrl {
    /// Its category.
    pub category_code: String,
    /// The country of its list; `XX` for the global list.
    pub country_code: String,
    /// The URL.
    pub url: String,
    /// How often it was measured in this week and the last one. Only with `debug`.
    #[schema(nullable = false)]
    pub msmt_cnt: Option<u64>,
    /// The sum of all rules that match it. Only with `debug`.
    #[schema(nullable = false)]
    pub priority: Option<i64>,
    /// The priority for each measurement, by which URLs are ordered. Only with `debug`.
    #[schema(nullable = false)]
    pub weight: Option<f64>,
}

/// Where a test helper or a collector is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceEndpoint {
    /// URL or address.
    pub address: String,
    /// `https`, `cloudfront`, `onion` or `legacy`.
    pub r#type: String,
    /// The name for domain fronting.
    #[schema(nullable = false)]
    pub front: Option<String>,
}

/// What a probe needs for a run, with inputs for more nettests.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrivateCheckInResponse {
    /// The version of this answer: 2.
    pub v: u32,
    /// The country of the address of the probe; `ZZ` if it is not known.
    pub probe_cc: String,
    /// The network of the address of the probe; `AS0` if it is not known.
    pub probe_asn: String,
    /// The name of the network.
    #[schema(required)]
    pub probe_network_name: Option<String>,
    /// The time of the server: `YYYY-MM-DDTHH:MM:SSZ`.
    pub utc_time: String,
    /// Features and test helpers.
    pub conf: Conf,
    /// The nettests of the run.
    pub nettests: Vec<PrivateNettest>,
}

/// A nettest and its inputs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrivateNettest {
    /// The name of the nettest.
    pub test_name: String,
    /// The id of its report.
    pub report_id: String,
    /// Its inputs.
    pub targets: Vec<Target>,
}

/// An input.
#[derive(Debug, Serialize, ToSchema)]
pub struct Target {
    /// The input.
    pub input: String,
    /// `category_code` and `country_code`, if it is a URL of a test list.
    pub attributes: BTreeMap<String, String>,
    /// Options of the nettest.
    pub options: BTreeMap<String, String>,
}

/// URLs to measure.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestList {
    /// Their number.
    pub metadata: TestListMetadata,
    /// The URLs, in order of importance.
    pub results: Vec<ListedUrl>,
}

/// The number of URLs. Everything else is constant: there is one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestListMetadata {
    /// The number of URLs.
    pub count: u64,
    /// -1.
    pub current_page: i64,
    /// -1.
    pub limit: i64,
    /// An empty text.
    pub next_url: String,
    /// 1.
    pub pages: i64,
}

/// The steps that lead to a list of URLs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Prioritization {
    /// The URLs of the country's list and of the global one, with counts.
    pub entries: Vec<CountedUrl>,
    /// The rules that may match them.
    pub prio_rules: Vec<PriorityRule>,
    /// The result.
    pub test_items: Vec<ListedUrl>,
}

/// A URL of a test list and how often it was measured.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountedUrl {
    /// Its category.
    pub category_code: String,
    /// The country of its list; `ZZ` for the global list.
    pub cc: String,
    /// Its domain.
    pub domain: String,
    /// How often it was measured in this week and the last one.
    pub msmt_cnt: u64,
    /// The URL.
    pub url: String,
}

/// A rule that adds to the priority of URLs. `*` or an empty text matches all.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriorityRule {
    /// The category of the URLs.
    pub category_code: String,
    /// The country of their list.
    pub cc: String,
    /// Their domain.
    pub domain: String,
    /// What the rule adds.
    pub priority: i64,
    /// The URL.
    pub url: String,
}

/// Addresses to look up.
#[derive(Debug, Serialize, ToSchema)]
pub struct GeolookupRequest {
    /// At most 1000 addresses of IPv4 and IPv6.
    #[schema(nullable = false)]
    pub addresses: Option<Vec<String>>,
}

/// Where addresses are.
#[derive(Debug, Serialize, ToSchema)]
pub struct GeolookupResponse {
    /// The version of this answer: 1.
    pub v: u32,
    /// The place of each address, by the address in its canonical spelling.
    pub geolocation: BTreeMap<String, Place>,
}

/// Where an address is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Place {
    /// The country; `ZZ` if it is not known.
    pub cc: String,
    /// The network.
    #[schema(required)]
    pub asn: Option<u32>,
    /// The name of the network.
    #[schema(required)]
    pub as_name: Option<String>,
}

/// The nettests of an old probe.
#[derive(Debug, Serialize, ToSchema)]
pub struct BouncerRequest {
    /// Only the first one is used.
    #[serde(rename = "net-tests")]
    #[schema(min_items = 1)]
    pub net_tests: Vec<BouncerNettest>,
}

/// A nettest of an old probe.
#[derive(Debug, Serialize, ToSchema)]
pub struct BouncerNettest {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A collector and test helpers for the first nettest.
#[derive(Debug, Serialize, ToSchema)]
pub struct BouncerResponse {
    /// The first nettest of the request.
    #[serde(rename = "net-tests")]
    pub net_tests: Vec<Bounced>,
}

/// A collector and test helpers for a nettest.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Bounced {
    /// The name of the nettest.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The collector.
    pub collector: String,
    /// Other ways to the collector.
    pub collector_alternate: Vec<ServiceEndpoint>,
    /// Null.
    #[schema(required)]
    pub input_hashes: Option<Vec<String>>,
    /// Test helpers by name.
    pub test_helpers: BTreeMap<String, String>,
    /// Other ways to the test helpers.
    pub test_helpers_alternate: BTreeMap<String, Vec<ServiceEndpoint>>,
}

/// The client id of a probe.
#[derive(Debug, Serialize, ToSchema)]
pub struct Registered {
    /// A token, which is the `username` of a login.
    pub client_id: String,
}

/// The credentials of a probe.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginRequest {
    /// The client id.
    pub username: String,
    /// Not used.
    pub password: String,
}

/// The token of a probe.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedIn {
    /// The token.
    pub token: String,
    /// When to log in again: `YYYY-MM-DDTHH:MM:SSZ`.
    pub expire: String,
}

/// What an old probe says about itself. Other members are ignored; null counts as missing.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpdateRequest {
    /// The country of the probe.
    pub probe_cc: Option<String>,
    /// The network of the probe.
    pub probe_asn: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// The name of the program.
    pub software_name: Option<String>,
    /// Its version.
    pub software_version: Option<String>,
    /// Nettests that it supports.
    pub supported_tests: Option<Vec<Value>>,
    /// The type of its network.
    pub network_type: Option<String>,
    /// The language of its user.
    pub language: Option<String>,
}

/// A confirmation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// `ok`.
    pub status: String,
}

/// A report to open. Other members are ignored.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenReportRequest {
    /// The country of the probe. Anything but two characters is `ZZ`.
    #[schema(nullable = false, example = "IT")]
    pub probe_cc: Option<String>,
    /// The network of the probe. Anything but `AS` and a number is `AS0`.
    #[schema(nullable = false, example = "AS3269")]
    pub probe_asn: Option<String>,
    /// The nettest.
    #[schema(nullable = false, example = "web_connectivity")]
    pub test_name: Option<String>,
}

/// A report that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenedReport {
    /// A constant.
    pub backend_version: String,
    /// The id of the report.
    pub report_id: String,
    /// `yaml` and `json`.
    pub supported_formats: Vec<String>,
}

/// A measurement to submit. Any bytes are accepted; this is what probes send.
#[derive(Debug, Serialize, ToSchema)]
pub struct Submission {
    /// `json`.
    pub format: String,
    /// The measurement.
    #[schema(value_type = Object)]
    pub content: Value,
}

/// A measurement that was stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kept {
    /// The id of the measurement. It is missing if the network or the country in the report id is unknown: nothing is stored then.
    #[schema(nullable = false)]
    pub measurement_uid: Option<String>,
}

/// A measurement to submit, with or without anonymous credentials.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmitMeasurementRequest {
    /// `json`.
    pub format: String,
    /// The measurement, as a JSON text. `probe_cc`, `probe_asn` and `test_name` are required in it.
    pub content: String,
    /// A credential. It is not stored.
    pub nym: Option<String>,
    /// A proof. It is not stored.
    pub zkp_request: Option<String>,
    /// The version of the manifest.
    pub manifest_version: Option<String>,
    /// The version of the protocol.
    pub protocol_version: Option<String>,
}

/// A measurement that was stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmitMeasurementResponse {
    /// The id of the measurement.
    pub measurement_uid: String,
    /// `unverified`: this server does not verify credentials.
    pub verification_status: String,
    /// Null.
    #[schema(required)]
    pub submit_response: Option<String>,
    /// The version of the protocol of the server.
    pub protocol_version: String,
    /// `manifest_not_found` if the measurement came with credentials.
    #[schema(required)]
    pub error: Option<String>,
    /// The id of the report, which is a new one for each measurement.
    pub report_id: String,
}

/// A credential to sign.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignCredentialRequest {
    /// The version of the manifest.
    #[schema(nullable = false)]
    pub manifest_version: Option<String>,
    /// The request, in base64.
    #[schema(nullable = false)]
    pub credential_sign_request: Option<String>,
}

/// Whether a report exists.
#[derive(Debug, Serialize, ToSchema)]
pub struct Found {
    /// True.
    pub found: bool,
    /// The version of this answer: 0.
    pub v: u32,
}
