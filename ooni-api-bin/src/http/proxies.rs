//! [`Proxies`]: the trusted proxies, and the address of a client behind them.

use hyper::header::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The proxies whose headers about the client are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// A network of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    /// An address in it, canonical.
    address: IpAddr,
    /// Number of leading bits that all its addresses share.
    prefix: u32,
}

impl Proxies {
    /// Parses a list of addresses and networks (`192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`).
    ///
    /// # Errors
    /// A sentence that names the first entry which is neither.
    pub fn parse(entries: &[String]) -> Result<Proxies, String> {
        entries.iter().map(|entry| Network::parse(entry)).collect::<Result<_, _>>().map(Proxies)
    }

    /// Whether the headers of a peer are trusted.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(peer))
    }

    /// The address of the client of a request.
    ///
    /// Behind a trusted proxy it is the last address of `X-Forwarded-For` that is not a trusted proxy itself, else the one
    /// in `X-Real-IP`, else the peer. What is left of a value that is not an address is not trusted: the client may have
    /// sent it.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        self.forwarded_for(headers).or_else(|| parse_address(headers.get(X_REAL_IP)?.to_str().ok()?)).unwrap_or(peer)
    }

    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        for line in headers.get_all(X_FORWARDED_FOR).iter().rev() {
            for value in line.to_str().ok()?.rsplit(',') {
                let address = parse_address(value)?;
                if !self.trusts(address) {
                    return Some(address);
                }
            }
        }
        None
    }
}

impl Network {
    fn parse(text: &str) -> Result<Network, String> {
        let refused = || format!("{text:?} is not an address or a network, such as 10.0.0.0/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().map_err(|_| refused())?
            }
            Some(_) => return Err(refused()),
            None => bits,
        };
        if prefix > bits {
            return Err(format!("{text:?}: the prefix of a network has at most {bits} bits"));
        }
        Ok(match address.to_canonical() {
            canonical @ IpAddr::V4(_) if address.is_ipv6() && prefix >= 96 => {
                Network { address: canonical, prefix: prefix - 96 }
            }
            _ => Network { address, prefix },
        })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

/// An address, possibly with a port, which some proxies add.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(address) => address.parse().ok()?,
            None => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn proxies(entries: &[&str]) -> Result<Proxies, String> {
        Proxies::parse(&entries.iter().map(|entry| entry.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn lists() {
        let proxies = proxies(&["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "::ffff:198.51.100.0/120"]).unwrap();
        for (address, trusted) in [
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("::ffff:192.0.2.1", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("198.51.100.255", true),
            ("198.51.101.0", false),
        ] {
            assert_eq!(proxies.trusts(address.parse().unwrap()), trusted, "{address}");
        }
        assert!(self::proxies(&["0.0.0.0/0"]).unwrap().trusts("203.0.113.9".parse().unwrap()));
        assert!(!self::proxies(&["0.0.0.0/0"]).unwrap().trusts("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn entries_that_are_refused() {
        for entry in ["", "localhost", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/8/8"]
        {
            let error = proxies(&["192.0.2.1", entry]).unwrap_err();
            assert!(error.contains(&format!("{entry:?}")), "{error}");
        }
    }

    #[test]
    fn clients() {
        let trusted = "10.0.0.1";
        for (peer, forwarded, real, expected) in [
            // Headers of others do not count.
            ("203.0.113.1", &["192.0.2.7"][..], "192.0.2.8", "203.0.113.1"),
            ("::ffff:203.0.113.1", &[], "", "203.0.113.1"),
            // From the right to the first that is not trusted, over several lines.
            (trusted, &["192.0.2.7"], "192.0.2.8", "192.0.2.7"),
            (trusted, &["198.51.100.1, 192.0.2.7"], "", "192.0.2.7"),
            (trusted, &["198.51.100.1, 192.0.2.7,10.0.0.2 , 10.9.9.9"], "", "192.0.2.7"),
            (trusted, &["198.51.100.1", "192.0.2.7", "10.0.0.2"], "", "192.0.2.7"),
            (trusted, &["192.0.2.7:4711"], "", "192.0.2.7"),
            (trusted, &["2001:DB8:0::7"], "", "2001:db8::7"),
            (trusted, &["[2001:db8::7]"], "", "2001:db8::7"),
            (trusted, &["[2001:db8::7]:4711"], "", "2001:db8::7"),
            (trusted, &["::ffff:192.0.2.7"], "", "192.0.2.7"),
            // Without one: X-Real-IP, else the peer.
            (trusted, &["10.0.0.2"], "192.0.2.8", "192.0.2.8"),
            (trusted, &[], " 192.0.2.8 ", "192.0.2.8"),
            (trusted, &[], "unknown", trusted),
            (trusted, &[], "", trusted),
            // What a client sent is not trusted because a proxy did not know it.
            (trusted, &["192.0.2.7, unknown"], "192.0.2.8", "192.0.2.8"),
            (trusted, &["192.0.2.7, unix:, 10.0.0.2"], "", trusted),
            (trusted, &["unknown, 192.0.2.7"], "", "192.0.2.7"),
            (trusted, &["192.0.2.7,"], "", trusted),
            (trusted, &["192.0.2.7, \u{e9}"], "", trusted),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            if !real.is_empty() {
                headers.insert(X_REAL_IP, HeaderValue::from_static(real));
            }
            let proxies = proxies(&["10.0.0.0/8"]).unwrap();
            let client = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(client.to_string(), expected, "{peer} {forwarded:?} {real:?}");
        }
    }
}
