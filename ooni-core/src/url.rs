//! The network location of a URL as Python's `urlparse(url).netloc` finds it (scoring spec §10.1).
//!
//! No other part of a URL is needed, and nothing is normalized: `netloc` keeps case, port and user.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use crate::text::chars;

/// Why a URL has no network location: Python raises `ValueError` for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadUrl {
    /// Only one of `[` and `]` is present.
    #[error("the host has an unpaired square bracket")]
    UnpairedBracket,
    /// There is text before `[`, or text other than a port after `]`.
    #[error("the host has text next to its square brackets")]
    TextAroundBrackets,
    /// The bracketed text is neither an IPv6 address nor `v<hex>.<any>`.
    #[error("the host in square brackets is not an IPv6 address")]
    BadAddress,
    /// Compatibility normalization yields a character that ends a host or separates its parts.
    #[error("the host changes under NFKC normalization")]
    DeceptiveHost,
}

/// Code points, other than ASCII, whose NFKC form contains one of `/ ? # @ :`.
const DECEPTIVE: [u32; 19] = [
    0x2047, 0x2048, 0x2049, 0x2100, 0x2101, 0x2105, 0x2106, 0x2A74, 0xFE13, 0xFE16, 0xFE55, 0xFE56, 0xFE5F, 0xFE6B,
    0xFF03, 0xFF0F, 0xFF1A, 0xFF1F, 0xFF20,
];

/// The network location of the URL `text`; empty when it has none.
///
/// Borrowed unless tabs or line breaks had to be removed. Brackets follow the rule of Python since
/// early 2025.
pub fn netloc(text: &[u8]) -> Result<Cow<'_, [u8]>, BadUrl> {
    let start = text.iter().position(|&byte| byte > b' ').unwrap_or(text.len());
    let url = text.get(start..).unwrap_or_default();
    if !url.iter().any(is_removed) {
        return netloc_of_clean(url).map(Cow::Borrowed);
    }
    let clean: Vec<u8> = url.iter().copied().filter(|byte| !is_removed(byte)).collect();
    netloc_of_clean(&clean).map(|netloc| Cow::Owned(netloc.to_vec()))
}

fn is_removed(byte: &u8) -> bool {
    matches!(byte, b'\t' | b'\r' | b'\n')
}

fn netloc_of_clean(url: &[u8]) -> Result<&[u8], BadUrl> {
    let Some(rest) = without_scheme(url).strip_prefix(b"//") else {
        return Ok(b"");
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let netloc = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
    match (netloc.contains(&b'['), netloc.contains(&b']')) {
        (true, true) => check_brackets(netloc)?,
        (false, false) => {}
        _ => return Err(BadUrl::UnpairedBracket),
    }
    // `@ : # ?` themselves are not examined, and none of them composes with what follows it, so
    // normalizing the whole text gives the same result.
    let deceptive = |code| DECEPTIVE.binary_search(&code).is_ok();
    if !netloc.is_ascii() && chars(netloc).any(deceptive) {
        return Err(BadUrl::DeceptiveHost);
    }
    Ok(netloc)
}

fn without_scheme(url: &[u8]) -> &[u8] {
    let Some((scheme, rest)) = split_once(url, b':') else {
        return url;
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    match scheme.first() {
        Some(first) if first.is_ascii_alphabetic() && scheme.iter().all(allowed) => rest,
        _ => url,
    }
}

/// Checks a network location that has both brackets, in any order.
fn check_brackets(netloc: &[u8]) -> Result<(), BadUrl> {
    let user = netloc.iter().rposition(|&byte| byte == b'@').map_or(0, |at| at + 1);
    let host = netloc.get(user..).unwrap_or_default();
    let address = match split_once(host, b'[') {
        // The brackets are in the user info: the host itself is checked as the address.
        None => split_once(host, b':').map_or(host, |(address, _port)| address),
        Some(([], bracketed)) => {
            let (address, port) = split_once(bracketed, b']').unwrap_or((bracketed, b""));
            if !matches!(port, [] | [b':', ..]) {
                return Err(BadUrl::TextAroundBrackets);
            }
            address
        }
        Some(_) => return Err(BadUrl::TextAroundBrackets),
    };
    let good = match address.strip_prefix(b"v") {
        Some(future) => split_once(future, b'.').is_some_and(|(version, rest)| {
            !version.is_empty() && version.iter().all(u8::is_ascii_hexdigit) && !rest.is_empty()
        }),
        None => is_ipv6(address),
    };
    if good { Ok(()) } else { Err(BadUrl::BadAddress) }
}

/// Whether Python's `ipaddress.IPv6Address` accepts `text`: an address, optionally followed by `%` and a zone of any
/// characters except `%`.
fn is_ipv6(text: &[u8]) -> bool {
    let address = match split_once(text, b'%') {
        Some((_, zone)) if zone.is_empty() || zone.contains(&b'%') => return false,
        Some((address, _)) => address,
        None => text,
    };
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    fn location(url: &str) -> Result<String, BadUrl> {
        netloc(url.as_bytes()).map(|netloc| String::from_utf8(netloc.into_owned()).unwrap())
    }

    #[test]
    fn table_of_the_spec() {
        for (url, domain) in [
            ("https://User:Pw@Ex.ORG:8080/", "User:Pw@Ex.ORG:8080"),
            ("//foo/bar", "foo"),
            ("foo.com:443/x", ""),
            ("example.org", ""),
            ("vpn://openvpn.riseup/?addr=1", "openvpn.riseup"),
            ("stun://s:19302", "s:19302"),
            ("  http://sp.org", "sp.org"),
            ("http://x ", "x "),
            ("ht\ttp://x\ny/", "xy"),
            ("http:////x", ""),
            ("http://[::1]:80/", "[::1]:80"),
            ("HTTP://É.com/", "É.com"),
            ("1http://x/", ""),
            ("h_t://x", ""),
            ("é://x", ""),
            ("http://x\\y/z", "x\\y"),
        ] {
            assert_eq!(location(url).as_deref(), Ok(domain), "{url:?}");
        }
        for url in ["http://[1.2.3.4]/", "http://[zz]/", "http://[]/"] {
            assert_eq!(location(url), Err(BadUrl::BadAddress), "{url}");
        }
        for url in ["http://[::1", "http://::1]", "http://[::1/]"] {
            assert_eq!(location(url), Err(BadUrl::UnpairedBracket), "{url}");
        }
        for url in ["http://a／b.com/", "http://℀.x/", "//：", "//x⩴y"] {
            assert_eq!(location(url), Err(BadUrl::DeceptiveHost), "{url}");
        }
    }

    #[test]
    fn start_and_end_of_the_location() {
        for (url, domain) in [
            ("", ""),
            (" \0\u{1F}//x", "x"),
            ("\u{A0}//x", ""),
            ("://x", ""),
            ("//x?y//z", "x"),
            ("//x#y", "x"),
            ("//", ""),
            ("a+b-c.1://h", "h"),
            ("http:/\n/h\r\n", "h"),
            ("http://h/／", "h"),
        ] {
            assert_eq!(location(url).as_deref(), Ok(domain), "{url:?}");
        }
        assert!(matches!(netloc(b"http://h/"), Ok(Cow::Borrowed(b"h"))));
        assert_eq!(netloc(b"//\xED\xA0\x80/").as_deref(), Ok(&b"\xED\xA0\x80"[..]));
    }

    #[test]
    fn brackets() {
        for host in [
            "[::]",
            "[::1]:",
            "[::1]:x[",
            "u@[::1]:80",
            "[a]@[::1]",
            "[]@::1%z[",
            "]@[::1",
            "[v1.x]",
            "[vaF.::]",
            "[fe80::1%eth0]",
            "[fe80::1%é]",
            "[1:2:3:4:5:6:7::]",
            "[::1.2.3.4]",
        ] {
            let expected = if host == "[]@::1%z[" { None } else { Some(host.to_owned()) };
            assert_eq!(location(&format!("//{host}/")).ok(), expected, "{host}");
        }
        for host in ["a[::1]", "[::1]x", "[::1][", "u@a[::1]"] {
            assert_eq!(location(&format!("//{host}")), Err(BadUrl::TextAroundBrackets), "{host}");
        }
        for host in [
            "[a]@b",
            "[]@",
            "[v.x]",
            "[v1.]",
            "[V1.x]",
            "[v1]",
            "[vg.x]",
            "[::1%]",
            "[::1%a%b]",
            "[%z]",
            "[:::]",
            "[1::2::3]",
            "[12345::]",
            "[::1.2.3.04]",
            "[::1.2.3]",
            "[1:2:3:4:5:6:7:8:9]",
            "[1:2:3:4:5:6:7::8]",
            "[::٣]",
            "[ ::1]",
            "[::256.1.1.1]",
            "[1.2.3.4::]",
            "[:1:2:3:4:5:6:7:8]",
        ] {
            assert_eq!(location(&format!("//{host}")), Err(BadUrl::BadAddress), "{host}");
        }
    }

    #[test]
    fn deceptive_code_points_are_complete() {
        assert!(DECEPTIVE.is_sorted());
        for character in (0x80..=0x10_FFFF).filter_map(char::from_u32) {
            let found = character.nfkc().any(|c| matches!(c, '/' | '?' | '#' | '@' | ':'));
            let listed = DECEPTIVE.contains(&u32::from(character));
            assert_eq!(listed, found, "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn delimiters_never_compose() {
        for delimiter in "/?#@:".chars() {
            for mark in (0x80..=0x10_FFFF).filter_map(char::from_u32) {
                assert_eq!(unicode_normalization::char::compose(delimiter, mark), None);
            }
        }
    }
}
