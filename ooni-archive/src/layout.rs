//! The keys of the archive in its two layouts (formats spec §6): parsing keys, the prefixes of a day, and the names of new
//! cans.
//!
//! Keys come from servers and become paths of files, so only keys of exactly these formats are accepted.

mod hourly;

pub use self::hourly::{HourlyCan, QUARANTINE};

use crate::day::Day;
use crate::selection::plain_testname;

/// A layout of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `canned/YYYY-MM-DD/…`: cans of the years up to 2020.
    Canned,
    /// `raw/YYYYMMDD/HH/CC/testname/…`: postcans and their lines.
    Raw,
}

impl Layout {
    /// Both, in the order of their keys.
    pub const ALL: [Layout; 2] = [Layout::Canned, Layout::Raw];

    /// The folder at the top.
    pub const fn top(self) -> &'static str {
        match self {
            Layout::Canned => "canned",
            Layout::Raw => "raw",
        }
    }

    /// What the keys of a day begin with.
    pub fn prefix(self, day: Day) -> String {
        match self {
            Layout::Canned => format!("canned/{day}/"),
            Layout::Raw => format!("raw/{}/", day.compact()),
        }
    }
}

/// The parts of the key of a can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanKey {
    /// The layout.
    pub layout: Layout,
    /// The day of upload.
    pub day: Day,
    /// The country, if the key shows it.
    pub cc: Option<String>,
    /// The test in lower case without underscores, if the key shows it.
    pub testname: Option<String>,
}

/// Parses the key of a can; `None` for other keys.
pub fn parse_key(key: &str) -> Option<CanKey> {
    // All names in the archive are printable ASCII, which is safe on terminals and disks.
    let odd =
        |part: &str| matches!(part, "" | "." | "..") || !part.bytes().all(|c| matches!(c, b' '..=b'~') && c != b'\\');
    let parts: Vec<_> = key.splitn(8, '/').collect();
    if parts.iter().copied().any(odd) {
        return None;
    }
    match *parts {
        ["raw", day, _hour, cc, testname, name] => {
            let is_can = [".tar.gz", ".jsonl.gz"].into_iter().any(|suffix| name.ends_with(suffix));
            let (cc, testname) = (Some(cc.to_owned()), Some(testname.to_owned()));
            Some(CanKey { layout: Layout::Raw, day: Day::parse_compact(day)?, cc, testname }).filter(|_| is_can)
        }
        ["canned", day, name] => {
            let is_can = [".tar.lz4", ".json.lz4", ".yaml.lz4"].into_iter().any(|suffix| name.ends_with(suffix));
            let (cc, testname) = canned(name);
            Some(CanKey { layout: Layout::Canned, day: day.parse().ok()?, cc, testname }).filter(|_| is_can)
        }
        _ => None,
    }
}

/// Whether a folder, given by the prefix of the keys in it, may contain cans of these countries and tests.
pub fn may_contain(folder: &str, takes: impl Fn(Option<&str>, Option<&str>) -> Option<bool>) -> bool {
    let parts: Vec<_> = folder.trim_end_matches('/').split('/').collect();
    match *parts {
        ["raw", _, _, cc] => takes(Some(cc), None) != Some(false),
        ["raw", _, _, cc, testname] => takes(Some(cc), Some(testname)) != Some(false),
        ["raw", ..] => parts.len() < 4,
        ["canned", ..] => parts.len() < 3,
        _ => false,
    }
}

/// The key of the JSONL file of the same stem as a postcan.
pub fn lines_key(key: &str) -> Option<String> {
    key.strip_suffix(".tar.gz").map(|stem| format!("{stem}.jsonl.gz"))
}

/// The key of the postcan of the same stem as a JSONL file.
pub fn postcan_key(key: &str) -> Option<String> {
    key.strip_suffix(".jsonl.gz").map(|stem| format!("{stem}.tar.gz"))
}

/// Country and test from the name of a legacy can.
///
/// `<test_name>.<n>.tar.lz4`, or `<time>-<CC>-<ASN>-<test_name>-<report_id>-<version>-probe.json.lz4` and `.yaml.lz4`.
fn canned(name: &str) -> (Option<String>, Option<String>) {
    if let Some(stem) = name.strip_suffix(".tar.lz4") {
        let numbered = stem.rsplit_once('.').filter(|(_, n)| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()));
        return (None, numbered.and_then(|(test, _)| testname(test)));
    }
    let stem = name.strip_suffix("-probe.json.lz4").or_else(|| name.strip_suffix("-probe.yaml.lz4"));
    let Some((stem, _version)) = stem.and_then(|stem| stem.rsplit_once('-')) else { return (None, None) };
    let mut parts = stem.splitn(4, '-');
    let (Some(_time), Some(cc), Some(asn), Some(rest)) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return (None, None);
    };
    let is_code = cc.len() == 2 && cc.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let cc = (is_code && asn.starts_with("AS")).then_some(cc);
    // With another `-`, the end of the test's name cannot be distinguished from the start of the report id.
    let test = rest.split_once('-').filter(|(_, report_id)| !report_id.contains('-')).map(|(test, _)| test);
    (cc.map(str::to_owned), test.and_then(testname))
}

/// A name normalized for comparison, if it can be the name of a test.
fn testname(name: &str) -> Option<String> {
    let usual = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    usual.then(|| plain_testname(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(key: &str) -> Option<(Layout, String, Option<String>, Option<String>)> {
        parse_key(key).map(|key| (key.layout, key.day.to_string(), key.cc, key.testname))
    }

    #[test]
    fn raw() {
        let folder = "raw/20210614/00/JO/signal";
        for name in ["2021061400_JO_signal.n1.0.tar.gz", "2021061400_JO_signal.n1.0.jsonl.gz"] {
            let wanted = (Layout::Raw, "2021-06-14".to_owned(), Some("JO".to_owned()), Some("signal".to_owned()));
            assert_eq!(parsed(&format!("{folder}/{name}")), Some(wanted));
        }
        for key in [
            "raw/20210614/00/JO/signal/x.tar.gz.part",
            "raw/20210614/00/JO/signal/x.post",
            "raw/20210614/00/JO/signal/x.jsonl",
            "raw/20210614/00/JO/signal/more/x.tar.gz",
            "raw/20210614/00/JO/x.tar.gz",
            "raw/2021-06-14/00/JO/signal/x.tar.gz",
            "raw/20210631/00/JO/signal/x.tar.gz",
            "raw/20210614/../JO/signal/x.tar.gz",
            "raw/20210614/00/./signal/x.tar.gz",
            "raw/20210614/00//signal/x.tar.gz",
            "raw/20210614/00/JO/sig\\nal/x.tar.gz",
            "raw/20210614/00/JO/sig\nnal/x.tar.gz",
            "raw/20210614/00/JO/sig\u{202e}nal/x.tar.gz",
            "/raw/20210614/00/JO/signal/x.tar.gz",
            "x/raw/20210614/00/JO/signal/x.tar.gz",
            "jsonl/ndt/IT/20190601/00/20190601_IT_ndt.l.0.jsonl.gz",
            "raw/20210614/00/JO/signal/",
            "raw",
            "",
        ] {
            assert_eq!(parsed(key), None, "{key}");
        }
    }

    #[test]
    fn canned() {
        let report = "20151105T122936Z-IT-AS30722-dns_consistency-mnKRlHuqk8Eo6XMJt5Zk-0.1.0-probe.yaml.lz4";
        let id = "20180506T090836Z_AS198471_gKqEpbg0Ny30ldGCQockbZMJSg9HhFiSizjey5e6JxSEHvzm7j";
        let lines = format!("20180501T071932Z-IT-AS198471-web_connectivity-{id}-0.2.0-probe.json.lz4");
        for (name, cc, test) in [
            ("ndt.0.tar.lz4", None, Some("ndt")),
            ("web_connectivity.00.tar.lz4", None, Some("webconnectivity")),
            ("HTTP_Host.12.tar.lz4", None, Some("httphost")),
            ("ndt.tar.lz4", None, None),
            (".0.tar.lz4", None, None),
            ("odd-test.0.tar.lz4", None, None),
            (report, Some("IT"), Some("dnsconsistency")),
            (&lines, Some("IT"), Some("webconnectivity")),
            ("20180726T153714Z-SG-AS7472-ndt-no_report_id-0.1.0-probe.yaml.lz4", Some("SG"), Some("ndt")),
            ("20180726T153714Z-SG-AS7472-a-b-c-0.1.0-probe.yaml.lz4", Some("SG"), None),
            ("20180726T153714Z-SG-AS7472-ndt-0.1.0-probe.yaml.lz4", Some("SG"), None),
            ("20180726T153714Z-sg-AS7472-ndt-id-0.1.0-probe.yaml.lz4", None, Some("ndt")),
            ("20180726T153714Z-A1-AS7472-ndt-id-0.1.0-probe.yaml.lz4", Some("A1"), Some("ndt")),
            ("-probe.json.lz4", None, None),
            ("x.json.lz4", None, None),
        ] {
            let key = parse_key(&format!("canned/2019-10-30/{name}")).unwrap();
            assert_eq!((key.cc.as_deref(), key.testname.as_deref()), (cc, test), "{name}");
        }
        for key in [
            "canned/2019-10-30/index.json.gz",
            "canned/2019-10-30/x.tar.gz",
            "canned/2019-10-30/more/ndt.0.tar.lz4",
            "canned/20191030/ndt.0.tar.lz4",
            "canned/ndt.0.tar.lz4",
        ] {
            assert_eq!(parsed(key), None, "{key}");
        }
    }

    #[test]
    fn folders() {
        let takes = |cc: Option<&str>, test: Option<&str>| match (cc, test) {
            (Some("IT"), None) => None,
            (Some("IT"), Some("ndt")) => Some(true),
            _ => Some(false),
        };
        for (folder, enters) in [
            ("raw/20210614/", true),
            ("raw/20210614/00", true),
            ("raw/20210614/00/IT", true),
            ("raw/20210614/00/US/", false),
            ("raw/20210614/00/IT/ndt/", true),
            ("raw/20210614/00/IT/dash/", false),
            ("raw/20210614/00/IT/ndt/more/", false),
            ("canned/2019-10-30/", true),
            ("canned/2019-10-30/more/", false),
            ("jsonl/ndt/", false),
        ] {
            assert_eq!(may_contain(folder, takes), enters, "{folder}");
        }
    }

    #[test]
    fn stems() {
        assert_eq!(lines_key("raw/x.n1.0.tar.gz").as_deref(), Some("raw/x.n1.0.jsonl.gz"));
        assert_eq!(postcan_key("raw/x.n1.0.jsonl.gz").as_deref(), Some("raw/x.n1.0.tar.gz"));
        assert_eq!((lines_key("x.jsonl.gz"), postcan_key("x.tar.gz")), (None, None));
    }
}
