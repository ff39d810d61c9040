//! Domains as parameters: names and addresses, with or without a port (API spec §3).

use super::{commas, invalid};
use crate::http::{Error, Query};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Minimum characters of the parameter.
const SHORTEST: usize = 3;
/// Maximum bytes of a label.
const LONGEST_LABEL: usize = 63;

/// Domains, with commas between them, as rows have them: `example.com`, `президент.рф`, `1.1.1.1`, `2001:db8::1`, each with or
/// without a port.
///
/// Some rows have domains with a port, so a port is compared, too. No row has brackets, so those of `[2001:db8::1]` are
/// dropped.
///
/// # Errors
/// 400 for anything else.
pub fn domains(query: &Query, name: &str) -> Result<Vec<String>, Error> {
    let is_too_short = query.given(name).is_some_and(|text| text.chars().count() < SHORTEST);
    let domains: Option<Vec<String>> = commas(query, name).iter().map(|item| domain(item)).collect();
    let Some(mut domains) = domains.filter(|_| !is_too_short) else {
        return Err(invalid(name, "a list of domains or addresses, such as example.com,"));
    };
    domains.sort_unstable();
    domains.dedup();
    Ok(domains)
}

/// A domain or an address as rows have it; `None` for anything else.
fn domain(item: &str) -> Option<String> {
    if let Some(address) = item.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<IpAddr>().ok().map(|_| address.to_owned());
    }
    let is_valid = item.parse::<Ipv6Addr>().is_ok()
        || match item.rsplit_once(':') {
            Some((host, port)) => port.parse::<u16>().is_ok() && (is_host(host) || is_in_brackets(host)),
            None => is_host(item),
        };
    is_valid.then(|| item.to_owned())
}

fn is_host(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok() || is_name(host)
}

fn is_in_brackets(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<IpAddr>().is_ok())
}

/// Whether a text is a name of at least two labels, in any alphabet.
fn is_name(text: &str) -> bool {
    let Ok(name) = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY) else { return false };
    let Some((first, last)) = name.rsplit_once('.') else { return false };
    let ends_with_letter = last.ends_with(|end: char| end.is_ascii_alphabetic());
    last.len() >= 2 && ends_with_letter && is_label(last) && first.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_end = |end: Option<&u8>| end.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = label.as_bytes();
    label.len() <= LONGEST_LABEL && is_end(bytes.first()) && is_end(bytes.last()) && label.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<Vec<String>, Error> {
        let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
        domains(&Query::parse(Some(&format!("domain={value}"))), "domain")
    }

    #[test]
    fn domains_and_addresses() {
        for (value, wanted) in [
            ("", &[][..]),
            (",,,", &[]),
            ("b.org, a.org,,b.org", &["a.org", "b.org"]),
            ("www.EXAMPLE.com", &["www.EXAMPLE.com"]),
            ("a_b.x-y.example", &["a_b.x-y.example"]),
            ("xn--d1abbgf6aiiy.xn--p1ai", &["xn--d1abbgf6aiiy.xn--p1ai"]),
            ("президент.рф", &["президент.рф"]),
            ("例え.テスト", &["例え.テスト"]),
            ("stun.l.google.com:19302", &["stun.l.google.com:19302"]),
            ("1.1.1.1,8.8.8.8:853", &["1.1.1.1", "8.8.8.8:853"]),
            ("2001:db8::1,[2001:db8::1]", &["2001:db8::1"]),
            ("[2a00:5a60::ad2:0ff]", &["2a00:5a60::ad2:0ff"]),
            ("[2001:db8::1]:853", &["[2001:db8::1]:853"]),
            ("[1.1.1.1]", &["1.1.1.1"]),
        ] {
            assert_eq!(parsed(value).unwrap_or_else(|error| panic!("{value}: {error:?}")), wanted);
        }
    }

    #[test]
    fn other_texts() {
        let long = format!("{}.org", "a".repeat(64));
        let huge = "a.".repeat(50_000);
        for value in [
            "xy",
            "::",
            "localhost",
            "a.b",
            "example.c0",
            "example.com.",
            ".example.com",
            "a..example.com",
            "-a.example.com",
            "a-.example.com",
            "_a.example.com",
            "exa mple.com",
            "example.com/",
            "http://example.com",
            "example.com:",
            "example.com:port",
            "example.com:65536",
            "example.com:-1",
            "1.2.3",
            "1.2.3.256",
            "1.2.3.4:x",
            "2001:db8::1::",
            "2001:db8:::1",
            "[2001:db8::1",
            "2001:db8::1]",
            "[[2001:db8::1]]",
            "[example.com]",
            "[2001:db8::1]:x",
            "example.com\0",
            "' OR 1=1 --.com",
            "<b>.com",
            "a.org,xn--a.org,b",
            "\u{fffd}.org",
            &long,
            &huge,
        ] {
            let error = parsed(value).unwrap_err();
            assert_eq!(error.status(), 400, "{value}");
        }
    }
}
