//! Report ids of the current form: `20210208T162755Z_ndt_DZ_36947_n1_8swgXi7xNuRUyO9a` (API spec §1.7).

use super::base64;
use crate::clock::Timestamp;

/// Random bytes in a report id.
const RANDOM: usize = 12;

/// The parts of a report id that say what a measurement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportId {
    /// The test, without underscores. The case of the letters is kept.
    pub test_name: String,
    /// The country. The case of the letters is kept.
    pub probe_cc: String,
    /// The network.
    pub probe_asn: u32,
}

/// Why a measurement of a report is not kept although its id is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// The network is AS0.
    UnknownNetwork,
    /// The country is ZZ.
    UnknownCountry,
}

impl ReportId {
    /// Parses a report id, after percent-decoding. `None` unless it has six parts with a test, a country and a network.
    pub fn parse(text: &str) -> Option<ReportId> {
        let parts: Vec<&str> = text.splitn(7, '_').collect();
        let [_, test_name, probe_cc, asn, _, _] = parts[..] else { return None };
        ReportId::new(test_name, probe_cc, parse_asn(asn)?)
    }

    /// `None` unless the country has two letters or digits, and the test 2 to 29.
    pub fn new(test_name: &str, probe_cc: &str, probe_asn: u32) -> Option<ReportId> {
        let is_valid = is_alphanumeric(test_name) && (2..=29).contains(&test_name.len()) && is_country(probe_cc);
        is_valid.then(|| ReportId { test_name: test_name.to_owned(), probe_cc: probe_cc.to_owned(), probe_asn })
    }

    /// Whether measurements of the report are discarded, since they do not say where they are from.
    pub fn discard(&self) -> Option<Discard> {
        match self.probe_asn {
            0 => Some(Discard::UnknownNetwork),
            _ if self.probe_cc.eq_ignore_ascii_case("ZZ") => Some(Discard::UnknownCountry),
            _ => None,
        }
    }
}

/// A new report id. Underscores of the test name are left out.
///
/// # Errors
/// The system has no random numbers.
pub fn generate(
    now: Timestamp,
    test_name: &str,
    probe_cc: &str,
    probe_asn: u32,
    collector_id: &str,
) -> Result<String, getrandom::Error> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random)?;
    let random = base64::standard(&random).replace(['+', '/'], "o");
    let (time, test_name) = (now.report_text(), test_name.replace('_', ""));
    Ok(format!("{time}_{test_name}_{probe_cc}_{probe_asn}_n{collector_id}_{random}"))
}

/// A network as one to ten digits, below 2³².
pub fn parse_asn(text: &str) -> Option<u32> {
    let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Whether a text can be a country in a report id: two letters or digits.
pub fn is_country(text: &str) -> bool {
    text.len() == 2 && is_alphanumeric(text)
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts() {
        let id = |test_name: &str, probe_cc: &str, probe_asn| {
            Some(ReportId { test_name: test_name.to_owned(), probe_cc: probe_cc.to_owned(), probe_asn })
        };
        for (text, expected) in [
            ("20210208T162755Z_ndt_DZ_36947_n1_8swgXi7xNuRUyO9a", id("ndt", "DZ", 36947)),
            ("20210208T162755Z_ndt_it_36947_n1_8swgXi7xNuRUyO9a", id("ndt", "it", 36947)),
            ("_ndt7_A1_0000000001__", id("ndt7", "A1", 1)),
            ("_ndt_DZ_4294967295__", id("ndt", "DZ", u32::MAX)),
            ("_abcdefghijklmnopqrstuvwxyzABC_DZ_1__", id("abcdefghijklmnopqrstuvwxyzABC", "DZ", 1)),
            ("_abcdefghijklmnopqrstuvwxyzABCD_DZ_1__", None),
            ("_a_DZ_1__", None),
            ("_web-x_DZ_1__", None),
            ("_ndt_DZA_1__", None),
            ("_ndt_D_1__", None),
            ("_ndt_é_1__", None),
            ("_ndt_D-_1__", None),
            ("_ndt_DZ_4294967296__", None),
            ("_ndt_DZ_00000000001__", None),
            ("_ndt_DZ_+1__", None),
            ("_ndt_DZ_AS1__", None),
            ("_ndt_DZ_١__", None),
            ("_ndt_DZ___", None),
            ("_ndt_DZ_1_", None),
            ("_ndt_DZ_1___", None),
            ("_nd\0_DZ_1__", None),
            ("../../_DZ_1_x_y", None),
            ("", None),
        ] {
            assert_eq!(ReportId::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn discarded_reports() {
        let discard = |text| ReportId::parse(text).unwrap().discard();
        assert_eq!(discard("_ndt_DZ_1__"), None);
        assert_eq!(discard("_ndt_DZ_000__"), Some(Discard::UnknownNetwork));
        assert_eq!(discard("_ndt_ZZ_1__"), Some(Discard::UnknownCountry));
        assert_eq!(discard("_ndt_zZ_1__"), Some(Discard::UnknownCountry));
        assert_eq!(discard("_ndt_zz_0__"), Some(Discard::UnknownNetwork));
    }

    proptest! {
        #[test]
        fn generated_ids_are_valid(test in "[a-z0-9]{2,29}", cc in "[A-Z]{2}", asn: u32, micros: u64) {
            let now = Timestamp::from_micros(micros);
            let underscored = format!("{}_{}", &test[..1], &test[1..]);
            let text = generate(now, &underscored, &cc, asn, "1").unwrap();
            prop_assert_eq!(ReportId::parse(&text), ReportId::new(&test, &cc, asn));
            let (start, random) = text.rsplit_once('_').unwrap();
            prop_assert!(start.ends_with("_n1") && random.len() == 16);
            prop_assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_ne!(text, generate(now, &underscored, &cc, asn, "1").unwrap());
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            if let Some(id) = ReportId::parse(&text) {
                prop_assert_eq!(text.split('_').count(), 6);
                prop_assert_eq!(ReportId::new(&id.test_name, &id.probe_cc, id.probe_asn), Some(id));
            }
        }
    }
}
