//! Names of countries and tests in arguments, with suggestions for misspelt ones.

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

/// Reads a country code.
///
/// # Errors
/// A sentence with a suggestion, for an unknown code.
pub fn parse_country(text: &str) -> Result<String, String> {
    let countries = || COUNTRIES.split("; ").filter_map(|entry| entry.split_once(' '));
    let text = text.trim();
    let code = text.to_ascii_uppercase();
    if OTHER_COUNTRIES.contains(&&*code) || countries().any(|(known, _)| known == code) {
        return Ok(code);
    }
    let same = |other: &str| other.eq_ignore_ascii_case(text);
    let alias = ALIASES.iter().find(|(alias, _)| same(alias)).map(|(_, code)| *code);
    let named = |code: &str| countries().find(|(known, _)| *known == code);
    let nearest = match alias {
        Some(code) => named(code),
        None if parse_cc(text).is_ok() => nearest(&code, countries().map(|(code, _)| code)).and_then(named),
        None => nearest(&text.to_lowercase(), countries().map(|(_, name)| name))
            .and_then(|name| countries().find(|(_, known)| *known == name)),
    };
    let suggestion = nearest.map_or_else(String::new, |(code, name)| format!("; did you mean {code} ({name})?"));
    Err(format!("unknown country; expected a code of two letters, such as IT{suggestion}"))
}

/// Reads the name of a test, with or without underscores; returns it as in keys of the archive.
///
/// # Errors
/// A sentence with a suggestion, for an unknown test.
pub fn parse_test(text: &str) -> Result<String, String> {
    let tests = || NETTESTS.iter().map(|test| test.name).chain(OTHER_TESTS);
    let plain = plain_testname(text.trim());
    if tests().any(|test| plain_testname(test) == plain) {
        return parse_testname(text);
    }
    let nearest = nearest(&text.trim().to_lowercase(), tests());
    let suggestion = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    Err(format!("unknown test{suggestion}"))
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
    fn countries() {
        assert_eq!(COUNTRIES.split("; ").count(), 249);
        assert!(COUNTRIES.split("; ").all(|entry| entry.len() > 4 && entry.as_bytes()[2] == b' '));
        for (text, code) in [("IT", "IT"), (" ir", "IR"), ("zz", "ZZ"), ("XK", "XK"), ("eu", "EU"), ("ZW", "ZW")] {
            assert_eq!(parse_country(text).as_deref(), Ok(code));
        }
        for (text, suggestion) in [
            ("UK", "GB (United Kingdom)"),
            ("Italy", "IT (Italy)"),
            ("germny", "DE (Germany)"),
            ("ITA", "IT (Italy)"),
            ("iran", "IR (Iran)"),
        ] {
            let why = parse_country(text).unwrap_err();
            assert!(
                why.starts_with("unknown country; ") && why.ends_with(&format!("did you mean {suggestion}?")),
                "{why}"
            );
        }
        for text in ["XX", "", "I", "QQ", "../"] {
            assert!(parse_country(text).unwrap_err().contains("did you mean"), "{text}");
        }
    }

    #[test]
    fn tests() {
        for (text, name) in [
            ("web_connectivity", "webconnectivity"),
            (" Web_Connectivity", "webconnectivity"),
            ("webconnectivity", "webconnectivity"),
            ("urlgetter", "urlgetter"),
            ("captiveportal", "captiveportal"),
        ] {
            assert_eq!(parse_test(text).as_deref(), Ok(name));
        }
        for (text, suggestion) in [
            ("signl", "signal"),
            ("web_conectivity", "web_connectivity"),
            ("webconectivity", "web_connectivity"),
            ("whatsap", "whatsapp"),
            ("torr", "tor"),
        ] {
            assert_eq!(parse_test(text), Err(format!("unknown test; did you mean {suggestion}?")));
        }
        for text in ["", "_", "a/b", ".."] {
            assert!(parse_test(text).is_err(), "{text:?}");
        }
    }
}
