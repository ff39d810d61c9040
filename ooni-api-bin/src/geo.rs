//! [`Geo`]: the country and the network of an address, from files of MaxMind's format.
//!
//! The files are read into memory and read again when they are replaced. Each value is looked up by itself: what one file
//! does not know does not hide what the other one knows.

use crate::config::Geoip;
use crate::watched_file::{Refreshed, WatchedFile};
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// The geolocation files.
#[derive(Debug)]
pub struct Geo {
    asn: WatchedFile<Database>,
    /// `None` if the same file has countries.
    cc: Option<WatchedFile<Database>>,
}

type Database = Reader<Vec<u8>>;

/// What is known about an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Geolocation {
    /// The country, two capital letters.
    pub cc: Option<String>,
    /// The network. Never 0.
    pub asn: Option<u32>,
    /// The organisation of the network.
    pub network_name: Option<String>,
}

impl Geolocation {
    /// The country; `ZZ` if it is unknown.
    pub fn cc_or_zz(&self) -> &str {
        self.cc.as_deref().unwrap_or("ZZ")
    }

    /// The network; 0 if it is unknown.
    pub fn asn_or_0(&self) -> u32 {
        self.asn.unwrap_or(0)
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.cc.is_none() && self.asn.is_none()
    }
}

/// A geolocation file, for `/health`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoFile {
    /// What it is for: `asn`, `cc` or `asn+cc`.
    pub role: &'static str,
    /// When the data was built, in seconds since 1970. `None` if the file is missing or not valid.
    pub built: Option<u64>,
}

#[derive(Deserialize)]
struct AsnRecord<'a> {
    autonomous_system_number: Option<u32>,
    #[serde(borrow)]
    autonomous_system_organization: Option<&'a str>,
}

#[derive(Deserialize)]
struct CcRecord<'a> {
    #[serde(borrow)]
    country: Option<Country<'a>>,
}

#[derive(Deserialize)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

impl Geo {
    /// Reads the configured files. One that is missing or not valid is logged, and looked for again later.
    pub fn open(config: &Geoip) -> Geo {
        let cc = (config.cc != config.asn).then(|| WatchedFile::new(&config.cc));
        let geo = Geo { asn: WatchedFile::new(&config.asn), cc };
        geo.refresh();
        for file in geo.watched() {
            if file.is_configured() && file.value().is_none() {
                tracing::warn!(path = %file.path().display(), "there is no usable geolocation file");
            }
        }
        geo
    }

    /// Reads the files that were replaced. This blocks.
    pub fn refresh(&self) -> Vec<Refreshed> {
        self.watched().map(|file| file.refresh(open)).collect()
    }

    /// What is known about an address.
    pub fn look_up(&self, address: IpAddr) -> Geolocation {
        let address = address.to_canonical();
        let mut found = Geolocation::default();
        let asn = self.asn.value();
        if let Some(record) = asn.as_deref().and_then(|file| record::<AsnRecord<'_>>(file, address)) {
            found.asn = record.autonomous_system_number.filter(|&asn| asn != 0);
            found.network_name =
                record.autonomous_system_organization.filter(|name| !name.is_empty()).map(str::to_owned);
        }
        let cc = self.cc.as_ref().map_or(asn, WatchedFile::value);
        if let Some(record) = cc.as_deref().and_then(|file| record::<CcRecord<'_>>(file, address)) {
            let is_code = |code: &&str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
            found.cc = record.country.and_then(|country| country.iso_code).filter(is_code).map(str::to_owned);
        }
        found
    }

    /// The state of the configured files.
    pub fn files(&self) -> Vec<GeoFile> {
        let roles = if self.cc.is_some() { ["asn", "cc"] } else { ["asn+cc", ""] };
        let state = |(file, role): (&WatchedFile<Database>, &'static str)| {
            let built = file.value().and_then(|database| database.metadata().build_time().ok());
            let built = built.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_secs());
            file.is_configured().then_some(GeoFile { role, built })
        };
        self.watched().zip(roles).filter_map(state).collect()
    }

    fn watched(&self) -> impl Iterator<Item = &WatchedFile<Database>> {
        std::iter::once(&self.asn).chain(&self.cc)
    }
}

/// Reads a file and checks all of its records, so that a damaged file does not replace a good one.
fn open(path: &Path) -> Result<Database, MaxMindDbError> {
    let database = Reader::open_readfile(path)?;
    for record in database.networks(WithinOptions::default())? {
        let record = record?;
        record.decode::<AsnRecord<'_>>()?;
        record.decode::<CcRecord<'_>>()?;
    }
    Ok(database)
}

/// The record of an address. An error means that the file does not cover it, or that a part of it is damaged.
fn record<'d, T: Deserialize<'d>>(database: &'d Database, address: IpAddr) -> Option<T> {
    let found = database.lookup(address).and_then(|found| found.decode());
    found.inspect_err(|error| tracing::debug!(%error, "no geolocation")).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mmdb").join(name)
    }

    fn both() -> Geo {
        Geo::open(&Geoip { asn: file("GeoLite2-ASN-Test.mmdb"), cc: file("GeoIP2-Country-Test.mmdb") })
    }

    fn known(geo: &Geo, address: &str) -> (Option<String>, Option<u32>, Option<String>) {
        let Geolocation { cc, asn, network_name } = geo.look_up(address.parse().unwrap());
        (cc, asn, network_name)
    }

    #[test]
    fn each_value_by_itself() {
        let geo = both();
        let some = |text: &str| Some(text.to_owned());
        for (address, expected) in [
            ("89.160.20.112", (some("SE"), Some(29518), some("Bredband2 AB"))),
            ("::ffff:89.160.20.112", (some("SE"), Some(29518), some("Bredband2 AB"))),
            ("216.160.83.56", (some("US"), Some(209), None)),
            ("81.2.69.142", (some("GB"), None, None)),
            ("1.128.0.1", (None, Some(1221), some("Telstra Pty Ltd"))),
            ("2001:220::1", (some("KR"), None, None)),
            ("10.0.0.1", (None, None, None)),
            ("::1", (None, None, None)),
        ] {
            assert_eq!(known(&geo, address), expected, "{address}");
        }
        let files = geo.files();
        assert_eq!(files.iter().map(|file| file.role).collect::<Vec<_>>(), ["asn", "cc"]);
        assert!(files.iter().all(|file| file.built.is_some_and(|built| built > 1_400_000_000)));
    }

    #[test]
    fn missing_files() {
        let none = Geo::open(&Geoip::default());
        assert!(none.look_up([89, 160, 20, 112].into()).is_unknown());
        assert_eq!(none.files(), []);
        let geo = Geo::open(&Geoip { asn: file("no such file"), cc: file("GeoIP2-Country-Test.mmdb") });
        assert_eq!(known(&geo, "89.160.20.112"), (Some("SE".to_owned()), None, None));
        assert_eq!(geo.files()[0], GeoFile { role: "asn", built: None });
    }

    #[test]
    fn replaced_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("asn.mmdb");
        let replace = |bytes: &[u8]| {
            fs::write(dir.path().join("new"), bytes).unwrap();
            fs::rename(dir.path().join("new"), &path).unwrap();
        };
        let good = fs::read(file("GeoLite2-ASN-Test.mmdb")).unwrap();
        replace(&good);
        let geo = Geo::open(&Geoip { asn: path.clone(), cc: path.clone() });
        assert_eq!(geo.files()[0].role, "asn+cc");
        let has_network = || geo.look_up([1, 128, 0, 1].into()).asn == Some(1221);
        assert!(has_network());
        let broken = ["GeoIP2-City-Test-Broken-Double-Format", "MaxMind-DB-test-broken-pointers-24"];
        for name in broken.map(|name| file(&format!("{name}.mmdb"))) {
            replace(&fs::read(&name).unwrap());
            assert_eq!((geo.refresh(), has_network()), (vec![Refreshed::Failed], true), "{}", name.display());
        }
        for bytes in [&b""[..], b"not a database", &good[..good.len() / 2]] {
            replace(bytes);
            assert_eq!((geo.refresh(), has_network()), (vec![Refreshed::Failed], true));
        }
        replace(&fs::read(file("GeoIP2-Country-Test.mmdb")).unwrap());
        assert_eq!((geo.refresh(), has_network()), (vec![Refreshed::Replaced], false));
        assert_eq!(geo.look_up([89, 160, 20, 112].into()).cc.as_deref(), Some("SE"));
        replace(&good);
        assert_eq!((geo.refresh(), has_network()), (vec![Refreshed::Replaced], true));
    }
}
