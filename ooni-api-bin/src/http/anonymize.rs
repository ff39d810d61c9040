//! Addresses of clients as they are logged: the network, not the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first address of the client's /24 (IPv4) or /48 (IPv6).
pub fn anonymize(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (address, expected) in [
            ("192.0.2.255", "192.0.2.0"),
            ("255.255.255.255", "255.255.255.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("::1", "::"),
            ("::ffff:192.0.2.7", "192.0.2.0"),
        ] {
            assert_eq!(anonymize(address.parse().unwrap()).to_string(), expected, "{address}");
        }
    }
}
