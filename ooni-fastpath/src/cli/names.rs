//! Names of countries and tests in arguments, with suggestions for unknown ones.

use ooni_archive::selection::{parse_cc, parse_testname, plain_testname};
use ooni_core::nettest::NETTESTS;

/// Country codes of ISO 3166-1 and their names in English.
const COUNTRIES: &str = "\
    AD Andorra; AE United Arab Emirates; AF Afghanistan; AG Antigua & Barbuda; AI Anguilla; AL Albania; AM Armenia; \
    AO Angola; AQ Antarctica; AR Argentina; AS American Samoa; AT Austria; AU Australia; AW Aruba; AX Åland Islands; \
    AZ Azerbaijan; BA Bosnia; BB Barbados; BD Bangladesh; BE Belgium; BF Burkina Faso; BG Bulgaria; BH Bahrain; \
    BI Burundi; BJ Benin; BL St. Barthélemy; BM Bermuda; BN Brunei; BO Bolivia; BQ Caribbean Netherlands; BR Brazil; \
    BS Bahamas; BT Bhutan; BV Bouvet Island; BW Botswana; BY Belarus; BZ Belize; CA Canada; \
    CC Cocos (Keeling) Islands; CD Congo - Kinshasa; CF Central African Republic; CG Congo - Brazzaville; \
    CH Switzerland; CI Côte d’Ivoire; CK Cook Islands; CL Chile; CM Cameroon; CN China; CO Colombia; CR Costa Rica; \
    CU Cuba; CV Cape Verde; CW Curaçao; CX Christmas Island; CY Cyprus; CZ Czechia; DE Germany; DJ Djibouti; \
    DK Denmark; DM Dominica; DO Dominican Republic; DZ Algeria; EC Ecuador; EE Estonia; EG Egypt; EH Western Sahara; \
    ER Eritrea; ES Spain; ET Ethiopia; FI Finland; FJ Fiji; FK Falkland Islands; FM Micronesia; FO Faroe Islands; \
    FR France; GA Gabon; GB United Kingdom; GD Grenada; GE Georgia; GF French Guiana; GG Guernsey; GH Ghana; \
    GI Gibraltar; GL Greenland; GM Gambia; GN Guinea; GP Guadeloupe; GQ Equatorial Guinea; GR Greece; \
    GS South Georgia & South Sandwich Islands; GT Guatemala; GU Guam; GW Guinea-Bissau; GY Guyana; HK Hong Kong; \
    HM Heard & McDonald Islands; HN Honduras; HR Croatia; HT Haiti; HU Hungary; ID Indonesia; IE Ireland; IL Israel; \
    IM Isle of Man; IN India; IO British Indian Ocean Territory; IQ Iraq; IR Iran; IS Iceland; IT Italy; JE Jersey; \
    JM Jamaica; JO Jordan; JP Japan; KE Kenya; KG Kyrgyzstan; KH Cambodia; KI Kiribati; KM Comoros; \
    KN St. Kitts & Nevis; KP North Korea; KR South Korea; KW Kuwait; KY Cayman Islands; KZ Kazakhstan; LA Laos; \
    LB Lebanon; LC St. Lucia; LI Liechtenstein; LK Sri Lanka; LR Liberia; LS Lesotho; LT Lithuania; LU Luxembourg; \
    LV Latvia; LY Libya; MA Morocco; MC Monaco; MD Moldova; ME Montenegro; MF St. Martin; MG Madagascar; \
    MH Marshall Islands; MK North Macedonia; ML Mali; MM Myanmar; MN Mongolia; MO Macao; \
    MP Northern Mariana Islands; MQ Martinique; MR Mauritania; MS Montserrat; MT Malta; MU Mauritius; MV Maldives; \
    MW Malawi; MX Mexico; MY Malaysia; MZ Mozambique; NA Namibia; NC New Caledonia; NE Niger; NF Norfolk Island; \
    NG Nigeria; NI Nicaragua; NL Netherlands; NO Norway; NP Nepal; NR Nauru; NU Niue; NZ New Zealand; OM Oman; \
    PA Panama; PE Peru; PF French Polynesia; PG Papua New Guinea; PH Philippines; PK Pakistan; PL Poland; \
    PM St. Pierre & Miquelon; PN Pitcairn Islands; PR Puerto Rico; PS Palestine; PT Portugal; PW Palau; PY Paraguay; \
    QA Qatar; RE Réunion; RO Romania; RS Serbia; RU Russia; RW Rwanda; SA Saudi Arabia; SB Solomon Islands; \
    SC Seychelles; SD Sudan; SE Sweden; SG Singapore; SH St. Helena; SI Slovenia; SJ Svalbard & Jan Mayen; \
    SK Slovakia; SL Sierra Leone; SM San Marino; SN Senegal; SO Somalia; SR Suriname; SS South Sudan; \
    ST São Tomé & Príncipe; SV El Salvador; SX Sint Maarten; SY Syria; SZ Eswatini; TC Turks & Caicos Islands; \
    TD Chad; TF French Southern Territories; TG Togo; TH Thailand; TJ Tajikistan; TK Tokelau; TL Timor-Leste; \
    TM Turkmenistan; TN Tunisia; TO Tonga; TR Turkey; TT Trinidad & Tobago; TV Tuvalu; TW Taiwan; TZ Tanzania; \
    UA Ukraine; UG Uganda; UM U.S. Outlying Islands; US United States; UY Uruguay; UZ Uzbekistan; VA Vatican City; \
    VC St. Vincent & Grenadines; VE Venezuela; VG British Virgin Islands; VI U.S. Virgin Islands; VN Vietnam; \
    VU Vanuatu; WF Wallis & Futuna; WS Samoa; YE Yemen; YT Mayotte; ZA South Africa; ZM Zambia; ZW Zimbabwe";

/// Other codes in OONI's data: of probes that do not know their country, of Kosovo, and of regions and networks that
/// databases of addresses have instead of a country.
const OTHER_COUNTRIES: [&str; 7] = ["ZZ", "XK", "EU", "AP", "A1", "A2", "O1"];

/// What people write for the codes of some countries.
const ALIASES: [(&str, &str); 6] =
    [("UK", "GB"), ("EL", "GR"), ("SU", "RU"), ("YU", "RS"), ("USA", "US"), ("England", "GB")];

/// Tests in OONI's archive that have no rule.
const OTHER_TESTS: [&str; 48] = [
    "bridge_reachability",
    "captive_portal",
    "captiveportal",
    "daphn3",
    "dns_injection",
    "dns_spoof",
    "dnscheck",
    "dnsping",
    "domclass_collector",
    "dummy",
    "echcheck",
    "example",
    "http_filtering_bypass",
    "http_host",
    "http_host_header",
    "http_keyword_filtering",
    "http_test",
    "http_trix",
    "http_uk_mobile_networks",
    "http_url_list",
    "imap",
    "invalid",
    "keyword_filtering",
    "lantern",
    "lantern_circumvention_tool_test",
    "multi_protocol_traceroute",
    "netalyzr_wrapper",
    "openvpn_client_test",
    "parasitic_traceroute",
    "portfiltering",
    "psiphon_test",
    "quicping",
    "run",
    "script",
    "simplequicping",
    "smtp",
    "sni_blocking",
    "squid",
    "stun_reachability",
    "subspace",
    "tcpping",
    "this_test_is_nameless",
    "tls_handshake",
    "tlsmiddlebox",
    "tlsping",
    "tlstool",
    "top_ports",
    "urlgetter",
];

/// Reads a country code. It may be one that is not known here: see [`unknown_country`].
///
/// # Errors
/// A sentence with a suggestion, for what is not a code of two characters.
pub fn parse_country(text: &str) -> Result<String, String> {
    let text = text.trim();
    parse_cc(text).map_err(|_| {
        let name = nearest(&text.to_lowercase(), countries().map(|(_, name)| name));
        let nearest = alias(text).or_else(|| countries().find(|(_, known)| Some(*known) == name));
        format!("unknown country; expected a code of two letters, such as IT{}", suggestion(nearest))
    })
}

/// A sentence with a suggestion if a country code is not known here. New codes are in the archive first, and it has codes
/// that were assigned by mistake, so such a code is an error only if nothing is found under it.
pub fn unknown_country(code: &str) -> Option<String> {
    if OTHER_COUNTRIES.contains(&code) || country(code).is_some() {
        return None;
    }
    let nearest = alias(code).or_else(|| nearest(code, countries().map(|(code, _)| code)).and_then(country));
    Some(format!("unknown country{}", suggestion(nearest)))
}

/// Codes of ISO 3166-1 and the names of the countries.
fn countries() -> impl Iterator<Item = (&'static str, &'static str)> {
    COUNTRIES.split("; ").filter_map(|entry| entry.split_once(' '))
}

/// The code and name of a country.
fn country(code: &str) -> Option<(&'static str, &'static str)> {
    countries().find(|(known, _)| *known == code)
}

/// The country for which people write this.
fn alias(text: &str) -> Option<(&'static str, &'static str)> {
    ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(text)).and_then(|(_, code)| country(code))
}

fn suggestion(country: Option<(&str, &str)>) -> String {
    country.map_or_else(String::new, |(code, name)| format!("; did you mean {code} ({name})?"))
}

/// Reads the name of a test, with or without underscores; returns it as in keys of the archive. It may be one that is not
/// known here: see [`unknown_test`].
///
/// # Errors
/// A sentence with a suggestion, for what cannot be the name of a test.
pub fn parse_test(text: &str) -> Result<String, String> {
    parse_testname(text).map_err(|_| not_a_test(text.trim()))
}

/// A sentence with a suggestion if a test, named as in keys of the archive, is not known here. A new test is in the archive
/// first, so such a name is an error only if nothing is found under it.
pub fn unknown_test(name: &str) -> Option<String> {
    (!tests().any(|test| plain_testname(test) == name)).then(|| not_a_test(name))
}

fn tests() -> impl Iterator<Item = &'static str> {
    NETTESTS.iter().map(|test| test.name).chain(OTHER_TESTS)
}

fn not_a_test(name: &str) -> String {
    let nearest = nearest(&name.to_lowercase(), tests());
    let suggestion = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    format!("unknown test{suggestion}")
}

/// The most similar name.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let likeness = |other: &str| strsim::normalized_damerau_levenshtein(name, &other.to_lowercase());
    let upper = |other: &str| strsim::normalized_damerau_levenshtein(name, other);
    names
        .map(|other| (likeness(other).max(upper(other)), other))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, n)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_countries() {
        assert_eq!(countries().count(), 249);
        assert!(COUNTRIES.split("; ").all(|entry| entry.len() > 4 && entry.as_bytes()[2] == b' '));
        for (text, code) in
            [("IT", "IT"), (" ir", "IR"), ("zz", "ZZ"), ("XK", "XK"), ("eu", "EU"), ("ZW", "ZW"), ("a1", "A1")]
        {
            assert_eq!(parse_country(text).as_deref(), Ok(code));
            assert_eq!(unknown_country(code), None);
        }
    }

    #[test]
    fn unknown_countries() {
        for (text, suggestion) in [
            ("Italy", "IT (Italy)"),
            ("germny", "DE (Germany)"),
            ("ITA", "IT (Italy)"),
            ("iran", "IR (Iran)"),
            ("usa", "US (United States)"),
        ] {
            let expected =
                format!("unknown country; expected a code of two letters, such as IT; did you mean {suggestion}?");
            assert_eq!(parse_country(text), Err(expected));
        }
        for text in ["", "I", "../", "I\u{130}"] {
            assert!(parse_country(text).unwrap_err().contains("did you mean"), "{text}");
        }
        for (code, suggestion) in [("UK", "GB (United Kingdom)"), ("EL", "GR (Greece)")] {
            assert_eq!(parse_country(code).as_deref(), Ok(code));
            assert_eq!(unknown_country(code), Some(format!("unknown country; did you mean {suggestion}?")));
        }
        for code in ["XX", "QQ", "T1", "99"] {
            assert_eq!(parse_country(code).as_deref(), Ok(code));
            assert!(unknown_country(code).unwrap().contains("did you mean"), "{code}");
        }
    }

    #[test]
    fn known_tests() {
        for (text, name) in [
            ("web_connectivity", "webconnectivity"),
            (" Web_Connectivity", "webconnectivity"),
            ("webconnectivity", "webconnectivity"),
            ("urlgetter", "urlgetter"),
            ("captiveportal", "captiveportal"),
        ] {
            assert_eq!(parse_test(text).as_deref(), Ok(name));
            assert_eq!(unknown_test(name), None);
        }
    }

    #[test]
    fn unknown_tests() {
        for (text, name, suggestion) in [
            ("signl", "signl", "signal"),
            ("web_conectivity", "webconectivity", "web_connectivity"),
            ("Web-Connectivity", "web-connectivity", "web_connectivity"),
            ("whatsap", "whatsap", "whatsapp"),
            ("torr", "torr", "tor"),
        ] {
            assert_eq!(parse_test(text).as_deref(), Ok(name));
            assert_eq!(unknown_test(name), Some(format!("unknown test; did you mean {suggestion}?")));
        }
        assert_eq!(parse_test("web connectivity"), Err("unknown test; did you mean web_connectivity?".to_owned()));
        for text in ["", "_", "a/b", "..", "tor\u{e9}"] {
            assert!(parse_test(text).unwrap_err().contains("did you mean"), "{text:?}");
        }
    }
}
