//! [`HourlyCan`]: the names of the cans that a collector writes.

use ooni_core::time::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};

/// The folder at the top of the keys of quarantine cans.
pub const QUARANTINE: &str = "quarantine";

/// Where the reference's collector keeps POST bodies until they are archived; its members are named after it.
const INCOMING: &str = "var/lib/ooniapi/measurements/incoming";

/// What a collector archives of an hour, a country and a test under one number: a postcan and its lines, and a quarantine
/// can if there are POST bodies that cannot be parsed.
///
/// A quarantine can has the format of a postcan. Its key begins with `quarantine/` instead of `raw/`, so it is found by
/// neither [`parse_key`](super::parse_key) nor other readers of OONI's archive, which list only `raw/` and `canned/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HourlyCan {
    hour: DateTime,
    cc: String,
    testname: String,
    collector: String,
    number: u32,
}

impl HourlyCan {
    /// The cans with this number: of the hour that contains this time, this country, and this test in the spelling of uids.
    /// `collector` is the id of the collector, without the `n` before it in keys.
    ///
    /// # Errors
    /// A sentence, for parts that cannot be parts of a key.
    pub fn new(time: DateTime, cc: &str, testname: &str, collector: &str, number: u32) -> Result<HourlyCan, String> {
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric());
        if cc.len() != 2 || !is_name(cc) {
            return Err(format!("{cc:?} is not a country code"));
        }
        if !is_name(testname) {
            return Err(format!("{testname:?} is not the name of a test without underscores"));
        }
        let is_id =
            |id: &str| !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
        if !is_id(collector) {
            return Err(format!("{collector:?} is not a collector id: only letters, digits, '-' and '_' are allowed"));
        }
        let hour = time.timestamp().div_euclid(SECONDS_PER_HOUR) * SECONDS_PER_HOUR;
        let hour = DateTime::from_timestamp(hour).unwrap_or(time);
        let [cc, testname, collector] = [cc, testname, collector].map(str::to_owned);
        Ok(HourlyCan { hour, cc, testname, collector, number })
    }

    /// The same with another number.
    pub fn numbered(&self, number: u32) -> HourlyCan {
        HourlyCan { number, ..self.clone() }
    }

    /// The number: `k` in the formats spec.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// `raw/<YYYYmmdd>/<HH>/<CC>/<testname>/<YYYYmmddHH>_<CC>_<testname>.n<C>.<k>.tar.gz`.
    pub fn postcan_key(&self) -> String {
        format!("{}{}.tar.gz", self.prefix(), self.number)
    }

    /// The same with `.jsonl.gz`.
    pub fn lines_key(&self) -> String {
        format!("{}{}.jsonl.gz", self.prefix(), self.number)
    }

    /// The same as the postcan's, with `quarantine/` instead of `raw/`.
    pub fn quarantine_key(&self) -> String {
        format!("{}{}.tar.gz", self.quarantine_prefix(), self.number)
    }

    /// What the keys of postcans and lines of all numbers begin with.
    pub fn prefix(&self) -> String {
        self.below("raw")
    }

    /// What the keys of quarantine cans of all numbers begin with.
    pub fn quarantine_prefix(&self) -> String {
        self.below(QUARANTINE)
    }

    /// The number in a key of the same hour, country, test and collector; `None` for other keys.
    pub fn number_in(&self, key: &str) -> Option<u32> {
        let rest = key.strip_prefix(&self.prefix()).or_else(|| key.strip_prefix(&self.quarantine_prefix()))?;
        let number = rest.strip_suffix(".tar.gz").or_else(|| rest.strip_suffix(".jsonl.gz"))?;
        // `parse` accepts a sign.
        number.parse().ok().filter(|_| number.bytes().all(|digit| digit.is_ascii_digit()))
    }

    /// The folder in the names of a can's members: that of the reference's collector.
    pub fn members_folder(&self) -> String {
        format!("{INCOMING}/{}", self.stem())
    }

    fn below(&self, top: &str) -> String {
        let HourlyCan { cc, testname, collector, .. } = self;
        let time = self.time();
        let (day, hour) = time.split_at(8);
        format!("{top}/{day}/{hour}/{cc}/{testname}/{}.n{collector}.", self.stem())
    }

    /// `<YYYYmmddHH>_<CC>_<testname>`.
    fn stem(&self) -> String {
        format!("{}_{}_{}", self.time(), self.cc, self.testname)
    }

    /// `YYYYmmddHH`.
    fn time(&self) -> String {
        let (year, month, day) = self.hour.date();
        let hour = self.hour.timestamp().rem_euclid(SECONDS_PER_DAY) / SECONDS_PER_HOUR;
        format!("{year:04}{month:02}{day:02}{hour:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CanKey, Layout, lines_key, may_contain, parse_key};
    use super::*;

    fn can(cc: &str, testname: &str, collector: &str) -> Result<HourlyCan, String> {
        HourlyCan::new(DateTime::new(2021, 6, 14, 7, 59, 59).unwrap(), cc, testname, collector, 3)
    }

    #[test]
    fn keys() {
        let can = can("JO", "signal", "1").unwrap();
        let key = "raw/20210614/07/JO/signal/2021061407_JO_signal.n1.3.tar.gz";
        assert_eq!(can.postcan_key(), key);
        assert_eq!(lines_key(key), Some(can.lines_key()));
        assert_eq!(can.quarantine_key(), "quarantine/20210614/07/JO/signal/2021061407_JO_signal.n1.3.tar.gz");
        assert_eq!(can.members_folder(), "var/lib/ooniapi/measurements/incoming/2021061407_JO_signal");
        let [cc, testname] = ["JO", "signal"].map(|part| Some(part.to_owned()));
        let parsed = CanKey { layout: Layout::Raw, day: "2021-06-14".parse().unwrap(), cc, testname };
        assert_eq!(parse_key(key), Some(parsed.clone()));
        assert_eq!(parse_key(&can.lines_key()), Some(parsed));
        assert_eq!(can.numbered(0).postcan_key(), key.replace(".3.", ".0."));
    }

    #[test]
    fn quarantine_cans_are_not_found_by_readers() {
        let key = can("JO", "signal", "1").unwrap().quarantine_key();
        assert_eq!(parse_key(&key), None);
        assert!(!may_contain("quarantine/20210614/", |_, _| Some(true)));
        assert!(Layout::ALL.into_iter().all(|layout| !key.starts_with(layout.top())));
    }

    #[test]
    fn numbers_in_keys() {
        let can = can("JO", "signal", "1").unwrap();
        for number in [0, 9, 10, 4_000_000_000] {
            let other = can.numbered(number);
            for key in [other.postcan_key(), other.lines_key(), other.quarantine_key()] {
                assert_eq!(can.number_in(&key), Some(number), "{key}");
            }
        }
        for key in [
            "raw/20210614/07/JO/signal/2021061407_JO_signal.n1.3.tar.gz.part",
            "raw/20210614/07/JO/signal/2021061407_JO_signal.n1.+3.tar.gz",
            "raw/20210614/07/JO/signal/2021061407_JO_signal.n1..tar.gz",
            "raw/20210614/07/JO/signal/2021061407_JO_signal.n2.3.tar.gz",
            "raw/20210614/08/JO/signal/2021061408_JO_signal.n1.3.tar.gz",
            "raw/20210614/07/JO/signal/2021061407_JO_signal.n1.x.3.tar.gz",
        ] {
            assert_eq!(can.number_in(key), None, "{key}");
        }
    }

    #[test]
    fn parts_that_are_not_parts_of_keys() {
        assert!(can("jo", "Signal2", "my-collector_1").is_ok());
        for (cc, testname, collector) in [
            ("", "signal", "1"),
            ("JOR", "signal", "1"),
            ("J/", "signal", "1"),
            ("é", "signal", "1"),
            ("JO", "", "1"),
            ("JO", "web_connectivity", "1"),
            ("JO", "../..", "1"),
            ("JO", "signal", ""),
            ("JO", "signal", "1.2"),
            ("JO", "signal", "a/b"),
        ] {
            assert!(can(cc, testname, collector).is_err(), "{cc} {testname} {collector}");
        }
    }
}
