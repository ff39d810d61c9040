//! The job `asnmeta`: replaces the names of networks (operations spec §3.5).
//!
//! The source is a JSON object with a member for each network, whose value is a list of names from a day on:
//! `{"3269": [["Telecom Italia S.p.a.", "IT", "20120224", "ASN-IBSNAZ", "RIPE"]]}`.

use super::jobs::Run;
use super::metrics::int;
use super::{Report, check_size, required, settings};
use crate::fetch::{Fetched, Source};
use anyhow::{Context, ensure};
use ooni_core::time::DateTime;
use ooni_store::app::row::AsnName;
use serde::Deserializer as _;
use serde::de::{self, Deserialize, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use tokio::task::spawn_blocking;

/// Maximum bytes of the file. The published one has about 60 million.
const LONGEST: u64 = 200 << 20;

/// Names that cannot be used are skipped if they are fewer than one in this many.
const MOST_SKIPPED: usize = 100;

/// The names of a file.
#[derive(Debug, Default)]
struct Names {
    names: Vec<AsnName>,
    /// Entries without a network, a day or a name.
    skipped: usize,
    /// More names are an error. Memory is bounded by this and by the size of the file.
    most: usize,
}

pub(super) async fn run(run: &Run<'_>) -> anyhow::Result<Report> {
    let source = Source::parse(required(&settings(run).asnmeta, "asnmeta")?);
    let limits = (settings(run).asnmeta_more_than, settings(run).asnmeta_fewer_than);
    let store = run.application()?;
    let fetched = run.fetcher().fetch(&source, LONGEST, None).await?;
    let Names { names, skipped, .. } = spawn_blocking(move || read_file(&fetched, limits.1)).await??;
    ensure!(
        skipped <= names.len() / MOST_SKIPPED,
        "{skipped} entries have no network, day or name, beside {} names that can be used",
        names.len()
    );
    check_size("names of networks", names.len(), limits, "asnmeta")?;
    let count = names.len();
    let skipped = if skipped == 0 { String::new() } else { format!("; {skipped} entries were skipped") };
    if run.is_dry {
        return Ok(Report::changed(format!("{count} names of networks would replace the current ones{skipped}")));
    }
    store.replace_asn_names(names).await?;
    run.metrics().asnmeta_len.set(int(count));
    Ok(Report::changed(format!("{count} names of networks{skipped}")))
}

fn read_file(fetched: &Fetched, most: usize) -> anyhow::Result<Names> {
    let path = fetched.path().unwrap_or(Path::new(""));
    let file = File::open(path).with_context(|| path.display().to_string())?;
    // A local file may be growing.
    Ok(read(BufReader::with_capacity(256 << 10, file.take(LONGEST)), most)?)
}

fn read(input: impl Read, most: usize) -> serde_json::Result<Names> {
    let mut names = Names { most, ..Names::default() };
    let mut reader = serde_json::Deserializer::from_reader(input);
    reader.deserialize_map(&mut names)?;
    reader.end()?;
    Ok(names)
}

impl<'de> Visitor<'de> for &mut Names {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of names for each network")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(asn) = map.next_key::<String>()? {
            map.next_value_seed(History { asn: number(&asn), names: self })?;
        }
        Ok(())
    }
}

/// The number of a network, `3269` or `AS3269`.
fn number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("AS").unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Reads the names of a network.
struct History<'n> {
    asn: Option<u32>,
    names: &'n mut Names,
}

impl<'de> DeserializeSeed<'de> for History<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for History<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names: [organisation, country, day, network, registry]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<(), A::Error> {
        while let Some(Entry(parts)) = names.next_element()? {
            match name(self.asn, parts) {
                Some(_) if self.names.names.len() >= self.names.most => {
                    return Err(A::Error::custom(format_args!("at least {} names of networks", self.names.most)));
                }
                Some(name) => self.names.names.push(name),
                None => self.names.skipped += 1,
            }
        }
        Ok(())
    }
}

/// The five parts of a name; missing ones and `null` are empty.
struct Entry([String; 5]);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name: [organisation, country, day, network, registry]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Entry, A::Error> {
                let mut entry = Entry(Default::default());
                for part in &mut entry.0 {
                    *part = parts.next_element::<Option<String>>()?.flatten().unwrap_or_default();
                }
                while parts.next_element::<IgnoredAny>()?.is_some() {}
                Ok(entry)
            }
        }
        deserializer.deserialize_seq(Parts)
    }
}

fn name(asn: Option<u32>, parts: [String; 5]) -> Option<AsnName> {
    let [org_name, cc, changed, aut_name, source] = parts;
    let changed = day(&changed)?;
    let asn = asn.filter(|_| !org_name.is_empty() || !aut_name.is_empty())?;
    Some(AsnName { asn, org_name, cc, changed, aut_name, source })
}

/// `YYYY-MM-DD` of `YYYYmmdd`, if it is a date.
fn day(text: &str) -> Option<String> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (&text[..4], &text[4..6], &text[6..]);
    let date = DateTime::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?, 0, 0, 0)?;
    Some(date.date_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_networks() {
        let text = r#"{
            "3269": [["Telecom Italia", "IT", "20120224", "ASN-IBSNAZ", "RIPE"], ["TIM", "IT", "20200101", "X", "RIPE", 1]],
            "AS1": [["Level 3", "US", "20010920", null], ["Level 3", "US"], ["Level 3", "US", "20010931", "LVLT-1", "ARIN"]],
            "x": [["Nobody", "ZZ", "20010920", "", ""]], "2": [], "4": [["", "", "20010920", "", ""]]
        }"#;
        let Names { names, skipped, .. } = read(text.as_bytes(), 3).unwrap();
        let found: Vec<_> =
            names.iter().map(|name| (name.asn, &*name.org_name, &*name.changed, &*name.aut_name)).collect();
        let expected = [
            (3269, "Telecom Italia", "2012-02-24", "ASN-IBSNAZ"),
            (3269, "TIM", "2020-01-01", "X"),
            (1, "Level 3", "2001-09-20", ""),
        ];
        assert_eq!(found, expected);
        assert_eq!(skipped, 4);
        assert_eq!((&*names[0].cc, &*names[0].source), ("IT", "RIPE"));
        assert!(read(text.as_bytes(), 2).unwrap_err().to_string().starts_with("at least 2 names"));
    }

    #[test]
    fn files_that_are_refused() {
        for text in ["", "[]", "{", r#"{"1": 2}"#, r#"{"1": [2]}"#, r#"{"1": [[2]]}"#, "{} x", r#"{"1": [["a"#] {
            assert!(read(text.as_bytes(), 10).is_err(), "{text}");
        }
        let nested = format!("{{\"1\": [[\"a\", \"b\", \"c\", \"d\", \"e\", {}", "[".repeat(100_000));
        assert!(read(nested.as_bytes(), 10).is_err());
    }
}
