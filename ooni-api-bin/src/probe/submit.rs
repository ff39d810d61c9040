//! Reads requests of `submit_measurement` (API spec §5.12): the measurement as a JSON text, beside optional credentials.
//!
//! What is stored is an envelope with the text exactly as the probe signed it. `nym` and `zkp_request` identify the probe,
//! so they are dropped here, before anything is written to disk.

use super::report_id::{ReportId, parse_asn};
use ooni_core::json::{Reader, Value};
use serde_json::json;
use std::borrow::Cow;

/// The longest report id of a probe that is kept to recognize repeats. A longer one still differs by its body.
const MAX_REPORT_ID: usize = 200;

/// A measurement that can be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The bytes to store.
    pub envelope: Vec<u8>,
    /// What the measurement is about.
    pub report: ReportId,
    /// The report id that the probe sent; empty if it sent none.
    pub probe_report_id: String,
    /// Whether any of the four fields of credentials is there.
    pub has_credentials: bool,
}

/// Why a request is refused: the `detail` of the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A code, or a sentence.
    pub error: String,
    /// A sentence, if `error` is a code.
    pub message: Option<String>,
}

impl Refusal {
    /// A refusal without a code.
    pub fn sentence(error: impl Into<String>) -> Refusal {
        Refusal { error: error.into(), message: None }
    }

    fn code(error: &str, message: String) -> Refusal {
        Refusal { error: error.to_owned(), message: Some(message) }
    }

    /// As the value of `detail`.
    pub fn detail(&self) -> serde_json::Value {
        match &self.message {
            Some(message) => json!({"error": self.error, "message": message}),
            None => json!({"error": self.error}),
        }
    }
}

/// Reads a request.
///
/// # Errors
/// The request cannot be used.
pub fn read(body: &[u8]) -> Result<Submitted, Refusal> {
    let mut reader = Reader::new();
    let (envelope, content, has_credentials) = {
        let document = reader.read(body).map_err(|error| Refusal::sentence(format!("JSON expected: {error}")))?;
        let request = document.root();
        if !request.is_object() {
            return Err(Refusal::sentence("an object is expected"));
        }
        let fields =
            ["nym", "zkp_request", "manifest_version", "protocol_version"].map(|key| text_or_null(request, key));
        let [nym, zkp_request, manifest_version, protocol_version] = fields;
        let versions = [protocol_version?, manifest_version?];
        let has_credentials = nym?.is_some() || zkp_request?.is_some() || versions.iter().any(Option::is_some);
        let (envelope, content) = envelope(text(request, "format")?, text(request, "content")?, versions);
        (envelope, content, has_credentials)
    };
    let content = &envelope[content];
    if std::str::from_utf8(content).is_err() {
        return Err(Refusal::sentence("content: a lone surrogate"));
    }
    let document = reader.read(content).map_err(|error| Refusal::sentence(format!("content: {error}")))?;
    let measurement = document.root();
    if !measurement.is_object() {
        return Err(Refusal::sentence("content: an object is expected"));
    }
    let report = check_metadata(measurement)?;
    let probe_report_id = Some(text_of(measurement, "report_id").into_owned()).filter(|id| id.len() <= MAX_REPORT_ID);
    let probe_report_id = probe_report_id.unwrap_or_default();
    Ok(Submitted { envelope, report, probe_report_id, has_credentials })
}

/// The stored bytes, and where the measurement is in them. The texts are the insides of JSON strings.
fn envelope(format: &[u8], content: &[u8], versions: [Option<&[u8]>; 2]) -> (Vec<u8>, std::ops::Range<usize>) {
    let mut out = Vec::with_capacity(content.len() + format.len() + 100);
    out.extend_from_slice(b"{\"format\":\"");
    out.extend_from_slice(format);
    out.extend_from_slice(b"\",\"content\":");
    let start = out.len();
    ooni_core::json::unescape(content, &mut out);
    let end = out.len();
    for (key, version) in ["protocol_version", "manifest_version"].into_iter().zip(versions) {
        out.extend_from_slice(format!(",\"{key}\":").as_bytes());
        match version {
            Some(text) => {
                out.push(b'"');
                out.extend_from_slice(text);
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    (out, start..end)
}

/// The inside of a string that has to be there.
fn text<'v>(request: Value<'v>, key: &'static str) -> Result<&'v [u8], Refusal> {
    text_or_null(request, key)?.ok_or_else(|| Refusal::sentence(format!("{key}: a text is required")))
}

/// The inside of a string; `None` if it is missing or null. A text other than `content` must be valid Unicode, since it is
/// stored as it is spelled.
fn text_or_null<'v>(request: Value<'v>, key: &'static str) -> Result<Option<&'v [u8]>, Refusal> {
    let value = request.field(key).value();
    match value.raw_text() {
        None if value.is_null() => Ok(None),
        None => Err(Refusal::sentence(format!("{key}: a text is expected"))),
        Some(_) if key != "content" && value.text().is_some_and(|text| std::str::from_utf8(&text).is_err()) => {
            Err(Refusal::sentence(format!("{key}: a lone surrogate")))
        }
        Some((raw, _)) => Ok(Some(raw)),
    }
}

/// Checks country, test and network of a measurement, in the order and with the words of API spec §5.11.
fn check_metadata(measurement: Value<'_>) -> Result<ReportId, Refusal> {
    let [cc, test_name, asn] = ["probe_cc", "test_name", "probe_asn"].map(|key| text_of(measurement, key));
    let [test_length, asn_length] = [&test_name, &asn].map(|text| text.chars().count());
    let rules = [
        ("bad_cc", !is_country(&cc)),
        ("tn_len", !(2..=30).contains(&test_length)),
        ("tn_no_lower", !is_lower(&test_name)),
        ("asn_len", !(3..=12).contains(&asn_length)),
        ("asn_no_as_prefix", !asn.starts_with("AS")),
        ("asn_leading_zero", asn.starts_with("AS0") && asn != "AS0"),
    ];
    let broken: Vec<String> = rules.iter().filter(|(_, broken)| *broken).map(|(name, _)| format!("'{name}'")).collect();
    if !broken.is_empty() {
        return Err(Refusal::code("bad_metadata", format!("Errors: [{}]", broken.join(", "))));
    }
    let discarded = |error, what: &str| Refusal::code(error, format!("Measurement discarded, {what}"));
    let number = parse_asn(asn.strip_prefix("AS").unwrap_or_default());
    let number = number.ok_or_else(|| discarded("asn_invalid", &format!("ASN == {asn}")))?;
    if number == 0 {
        return Err(discarded("asn_0", "ASN == 0"));
    }
    if cc == "ZZ" {
        return Err(discarded("cc_zz", "CC == ZZ"));
    }
    ReportId::new(&test_name.replace('_', ""), &cc, number)
        .ok_or_else(|| Refusal::code("bad_metadata", "Incorrect format".to_owned()))
}

/// The text of a member; empty if it is missing or something else.
fn text_of<'v>(measurement: Value<'v>, key: &'static str) -> Cow<'v, str> {
    match measurement.field(key).value().text() {
        Some(Cow::Borrowed(text)) => String::from_utf8_lossy(text),
        Some(Cow::Owned(text)) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
        None => Cow::Borrowed(""),
    }
}

/// Two capital letters, or one and a digit.
fn is_country(cc: &str) -> bool {
    cc.len() == 2
        && cc.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && cc.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// At least one letter, and none that is not lower case.
fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONTENT: &str = r#"{"probe_cc": "IT",  "test_name":"web_connectivity","probe_asn":"AS3269","report_id":"r",
        "annotations": {"platform": "linux"}, "software_name":"miniooni", "input":"a\u00e9\/😀"}"#;

    fn request(content: &str, more: &str) -> Vec<u8> {
        format!("{{\"format\":\"json\",\"content\":{}{more}}}", serde_json::to_string(content).unwrap()).into_bytes()
    }

    fn refused(body: &[u8]) -> (String, String) {
        let refusal = read(body).unwrap_err();
        (refusal.error, refusal.message.unwrap_or_default())
    }

    #[test]
    fn the_content_is_stored_as_it_was_signed() {
        let credentials =
            r#","nym":"SECRET","zkp_request":"SECRET","manifest_version":"1\u0041","protocol_version":null"#;
        let submitted = read(&request(CONTENT, credentials)).unwrap();
        let expected = format!(
            "{{\"format\":\"json\",\"content\":{CONTENT},\"protocol_version\":null,\"manifest_version\":\"1\\u0041\"}}"
        );
        assert_eq!(String::from_utf8(submitted.envelope).unwrap(), expected);
        assert_eq!(submitted.report, ReportId::new("webconnectivity", "IT", 3269).unwrap());
        assert_eq!(submitted.probe_report_id, "r");
        assert!(submitted.has_credentials);
        for none in ["", r#","nym":null,"zkp_request":null,"manifest_version":null,"protocol_version":null"#] {
            assert!(!read(&request(CONTENT, none)).unwrap().has_credentials);
        }
        for one in [r#","nym":"""#, r#","zkp_request":"x""#, r#","manifest_version":"x""#, r#","protocol_version":"x""#]
        {
            assert!(read(&request(CONTENT, one)).unwrap().has_credentials, "{one}");
        }
    }

    /// A lenient reader reads the stored envelope as the probe's measurement.
    #[test]
    fn an_envelope_is_read_like_its_content() {
        for content in [CONTENT, &format!(" \n{CONTENT}\r\n"), &CONTENT.replace("\"r\"", "1.0, \"x\": NaN")] {
            let submitted = read(&request(content, "")).unwrap();
            let (mut one, mut two) = (Reader::new(), Reader::new());
            let (envelope, alone) = (one.read(&submitted.envelope).unwrap(), two.read(content.as_bytes()).unwrap());
            let [stored, sent] = [envelope.root().field("content").value(), alone.root()].map(|value| {
                let mut text = Vec::new();
                ooni_core::json::write_json(&value.to_json(), &mut text);
                text
            });
            assert_eq!(stored, sent);
        }
    }

    #[test]
    fn unusable_requests() {
        for (body, error) in [
            (&b""[..], "JSON expected: "),
            (b"{", "JSON expected: "),
            (b"[]", "an object is expected"),
            (b"5", "an object is expected"),
            (b"{}", "format: a text is required"),
            (br#"{"format":"json"}"#, "content: a text is required"),
            (br#"{"format":"json","content":null}"#, "content: a text is required"),
            (br#"{"format":"json","content":{}}"#, "content: a text is expected"),
            (br#"{"format":5,"content":"{}"}"#, "format: a text is expected"),
            (br#"{"format":"json","content":"{}","nym":5}"#, "nym: a text is expected"),
            (br#"{"format":"json","content":"{}","zkp_request":[]}"#, "zkp_request: a text is expected"),
            (br#"{"format":"json","content":"{}","manifest_version":1}"#, "manifest_version: a text is expected"),
            (br#"{"format":"\ud83d","content":"{}"}"#, "format: a lone surrogate"),
            (br#"{"format":"json","content":"{\"a\":\"\ud83d\"}"}"#, "content: a lone surrogate"),
            (b"{\"format\":\"json\",\"content\":\"{\\\"a\\\":\\\"\xed\xa0\xbd\\\"}\"}", "content: a lone surrogate"),
            (br#"{"format":"json","content":"{\"a\":\"\u0000\"}"}"#, "content: a NUL byte at byte 6"),
            (b"{\"format\":\"json\",\"content\":\"\0\"}", "JSON expected: a NUL byte"),
            (b"{\"format\":\"json\",\"content\":\"\xff\"}", "JSON expected: not UTF-8"),
            (br#"{"format":"json","content":"not json"}"#, "content: "),
            (br#"{"format":"json","content":"{}{}"}"#, "content: "),
            (br#"{"format":"json","content":""}"#, "content: "),
            (br#"{"format":"json","content":"[]"}"#, "content: an object is expected"),
        ] {
            let (found, message) = refused(body);
            assert!(found.starts_with(error) && message.is_empty(), "{found}, not {error}");
        }
        // An escaped surrogate in the measurement is text of the measurement, which may have one.
        assert!(read(&request(&CONTENT.replace("a\\u00e9", "\\ud83d"), "")).is_ok());
    }

    #[test]
    fn metadata_of_the_measurement() {
        let all = "Errors: ['bad_cc', 'tn_len', 'tn_no_lower', 'asn_len', 'asn_no_as_prefix']";
        assert_eq!(refused(&request("{}", "")), ("bad_metadata".to_owned(), all.to_owned()));
        let numbers = r#"{"probe_cc":1,"test_name":[],"probe_asn":null}"#;
        assert_eq!(refused(&request(numbers, "")).1, all);
        for (from, to, error, message) in [
            ("\"IT\"", "\"it\"", "bad_metadata", "Errors: ['bad_cc']"),
            ("\"IT\"", "\"ITA\"", "bad_metadata", "Errors: ['bad_cc']"),
            ("\"IT\"", "\"É\"", "bad_metadata", "Errors: ['bad_cc']"),
            ("\"IT\"", "\"12\"", "bad_metadata", "Errors: ['bad_cc']"),
            ("\"IT\"", "\"ZZ\"", "cc_zz", "Measurement discarded, CC == ZZ"),
            ("web_connectivity", "w", "bad_metadata", "Errors: ['tn_len']"),
            ("web_connectivity", "a234567890123456789012345678901", "bad_metadata", "Errors: ['tn_len']"),
            ("web_connectivity", "Web", "bad_metadata", "Errors: ['tn_no_lower']"),
            ("web_connectivity", "123", "bad_metadata", "Errors: ['tn_no_lower']"),
            ("web_connectivity", "web-connectivity", "bad_metadata", "Incorrect format"),
            ("web_connectivity", "тест", "bad_metadata", "Incorrect format"),
            ("web_connectivity", "w_", "bad_metadata", "Incorrect format"),
            ("web_connectivity", "a23456789012345678901234567890", "bad_metadata", "Incorrect format"),
            ("AS3269", "3269", "bad_metadata", "Errors: ['asn_no_as_prefix']"),
            ("AS3269", "AS", "bad_metadata", "Errors: ['asn_len']"),
            ("AS3269", "AS03269", "bad_metadata", "Errors: ['asn_leading_zero']"),
            ("AS3269", "AS0", "asn_0", "Measurement discarded, ASN == 0"),
            ("AS3269", "ASXYZ", "asn_invalid", "Measurement discarded, ASN == ASXYZ"),
            ("AS3269", "AS4294967296", "asn_invalid", "Measurement discarded, ASN == AS4294967296"),
            ("AS3269", "ASAS1", "asn_invalid", "Measurement discarded, ASN == ASAS1"),
        ] {
            let found = refused(&request(&CONTENT.replacen(from, to, 1), ""));
            assert_eq!(found, (error.to_owned(), message.to_owned()), "{to}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(body: Vec<u8>) {
            let _ = read(&body);
        }

        #[test]
        fn any_content(content in "\\PC*") {
            prop_assert!(read(&request(&content, "")).is_err());
        }

        #[test]
        fn any_input(input: String, escape in any::<bool>()) {
            let mut text = serde_json::to_string(&input).unwrap();
            if escape {
                text = text.replace('a', "\\u0061");
            }
            let content = CONTENT.replace("\"linux\"", &text);
            let submitted = read(&request(&content, "")).unwrap();
            let start = b"{\"format\":\"json\",\"content\":".len();
            prop_assert_eq!(&submitted.envelope[start..start + content.len()], content.as_bytes());
        }
    }
}
