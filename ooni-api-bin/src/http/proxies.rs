//! [`Proxies`]: the trusted proxies, and the address of a client behind them.

use super::network::Networks;
use hyper::header::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The proxies whose headers about the client are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Networks);

impl Proxies {
    /// The proxies at these addresses and in these networks.
    pub fn new(networks: Networks) -> Proxies {
        Proxies(networks)
    }

    /// Whether the headers of a peer are trusted.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.0.contains(peer)
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
            let proxies = Proxies::new(Networks::parse(&["10.0.0.0/8".to_owned()]).unwrap());
            let client = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(client.to_string(), expected, "{peer} {forwarded:?} {real:?}");
        }
    }
}
