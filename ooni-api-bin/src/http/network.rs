//! [`Networks`]: lists of addresses and networks in the settings.

use std::net::IpAddr;

/// Addresses and networks (`192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// A network of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    /// An address in it, canonical.
    address: IpAddr,
    /// Number of leading bits that all its addresses share.
    prefix: u32,
}

impl Networks {
    /// Parses a list.
    ///
    /// # Errors
    /// A sentence that names the first entry which is neither an address nor a network.
    pub fn parse(entries: &[String]) -> Result<Networks, String> {
        entries.iter().map(|entry| Network::parse(entry)).collect::<Result<_, _>>().map(Networks)
    }

    /// Whether an address is in the list, or in one of its networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn parse(text: &str) -> Result<Network, String> {
        let refused = || format!("{text:?}: expected an address or a network, such as 10.0.0.0/8");
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

    /// Whether a canonical address is in the network.
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(entries: &[&str]) -> Result<Networks, String> {
        Networks::parse(&entries.iter().map(|entry| entry.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn lists() {
        let networks = networks(&["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "::ffff:198.51.100.0/120"]).unwrap();
        for (address, expected) in [
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
            assert_eq!(networks.contains(address.parse().unwrap()), expected, "{address}");
        }
        assert!(self::networks(&["0.0.0.0/0"]).unwrap().contains("203.0.113.9".parse().unwrap()));
        assert!(!self::networks(&["0.0.0.0/0"]).unwrap().contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn entries_that_are_refused() {
        for entry in ["", "localhost", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/8/8"]
        {
            let error = networks(&["192.0.2.1", entry]).unwrap_err();
            assert!(error.contains(&format!("{entry:?}")), "{error}");
        }
    }
}
