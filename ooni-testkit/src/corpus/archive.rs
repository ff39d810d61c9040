//! A tree of cans in all formats of the archive, with a file of the expected outcome of each measurement.
//!
//! | Key | Share | |
//! |---|---|---|
//! | `canned/YYYY-mm-dd/*.{json,yaml,tar}.lz4` | a quarter | days up to 2020-10-20, [`Archive::per_day`] each |
//! | `raw/YYYYmmdd/HH/CC/testname/*.{tar.gz,jsonl.gz}` | the rest | hours from 2020-10-20 on, two a day |
//!
//! Seven stems in ten have both a postcan and a jsonl.gz; two have only a jsonl.gz, whose lines contain their uid, and
//! one only a postcan. `truth.jsonl` has a line for each measurement, sorted by can and position:
//!
//! | Field | |
//! |---|---|
//! | `can`, `place` | key, and number of the member, line or entry of the can from 0; a tar is counted through its members |
//! | `uid` | `null` if the entry cannot be read and has no uid |
//! | `outcome` | `read` if it can be read and scored, or `rejected` |
//! | `why` | the reason, if rejected |
//! | `test_name`, `probe_cc`, `probe_asn`, `measurement_start_time`, `report_id`, `input` | if read |
//! | `body_key`, `linenum` | if read: its location in the table `jsonl` |

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::calendar::{DAY, TURN};
use super::containers::{Packing, Summary};
use super::envelope::{inside, inside_broken};
use super::error::Error;
use super::generate::Corpus;
use super::legacy::Legacy;
use super::made::Made;
use super::options::Options;
use super::packed::{Method, Packed, add_member};
use super::rng::Rng;
use super::truth::{Entry, Expected, NO_JSON, Place, Truth};
use super::yaml::Reports;

/// Options of a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// Measurements per day of legacy cans.
    pub per_day: u64,
    /// Share of legacy reports that are stored twice: as a can and in an archive of reports.
    pub duplicates: f64,
}

impl Default for Archive {
    fn default() -> Self {
        Self { per_day: 1000, duplicates: 0.0 }
    }
}

/// Maximum measurements per hour, which are kept in memory until the hour ends.
pub const MOST_PER_HOUR: u64 = 10_000;

/// Writes a tree and `truth.jsonl` to `folder`, which is created if it does not exist. Ignores the first hour of
/// `options`, and the format and the number of bytes of `packing`.
///
/// # Errors
/// Templates cannot be read or a file cannot be written; what was written before stays.
pub fn write(options: &Options, archive: &Archive, packing: &Packing, folder: &Path) -> Result<Summary, Error> {
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let path = folder.join("truth.jsonl");
    let mut truth = Truth::create(&path).map_err(Error::io(&path))?;
    let mut summary = Summary::default();
    let old = options.n / 4;
    canned(options, archive, old, folder, &mut truth, &mut summary)?;

    let options = Options {
        n: options.n - old,
        per_hour: options.per_hour.clamp(1, MOST_PER_HOUR),
        first_hour: TURN,
        hours_apart: 12,
        ..options.clone()
    };
    let mut raw = Raw { rng: Rng::new(options.seed ^ SALT), packing, folder, truth: &mut truth, summary: &mut summary };
    let mut corpus = Corpus::new(&options)?.peekable();
    while let Some(hour) = corpus.peek().map(|made| made.hour.clone()) {
        let mut stems: BTreeMap<_, Vec<Post>> = BTreeMap::new();
        while let Some(made) = corpus.next_if(|made| made.hour == hour) {
            raw.summary.count(made.kind.name(), &made.test_name, made.content.len());
            raw.summary.with_bodies += u64::from(made.has_body);
            stems.entry((made.cc, made.path_name())).or_default().push(Post::new(made));
        }
        for ((cc, test), posts) in stems {
            raw.stems(&hour, cc, &test, &posts)?;
        }
        raw.truth.flush().map_err(Error::io(&path))?;
    }
    truth.finish().map_err(Error::io(&path))?;
    Ok(summary)
}

/// Writes the legacy cans, whose last day is the first day of the newer ones.
fn canned(
    options: &Options,
    archive: &Archive,
    n: u64,
    folder: &Path,
    truth: &mut Truth,
    summary: &mut Summary,
) -> Result<(), Error> {
    let seed = options.seed.wrapping_add(SALT);
    let corpus = Corpus::new(&Options { seed, ..options.clone() })?;
    let reports = Reports::new(seed, options.malformed.max(options.odd) * 2.0);
    let mut legacy = Legacy::new(corpus, reports, Rng::new(seed ^ SALT), archive.duplicates, folder);
    // Not before 2012, the year of the first reports.
    let per_day = archive.per_day.max(n.div_ceil(MOST_DAYS)).max(1);
    let days = n.div_ceil(per_day);
    for day in 0..days {
        let of_day = per_day.min(n - day * per_day);
        legacy.day(TURN - (days - 1 - day) * DAY, of_day, truth, summary)?;
    }
    Ok(())
}

const MOST_DAYS: u64 = 3000;

/// Derives another random sequence from a seed.
const SALT: u64 = 0x6f6f_6e69;

/// A POST body, kept until its hour ends.
struct Post {
    uid: String,
    body: Vec<u8>,
    expected: Expected,
}

impl Post {
    fn new(made: Made) -> Self {
        Self { expected: Expected::of(made.stored()), uid: made.uid, body: made.post }
    }

    fn is_json(&self) -> bool {
        self.expected != NO_JSON
    }
}

/// The cans of an hour.
struct Raw<'a> {
    rng: Rng,
    packing: &'a Packing,
    folder: &'a Path,
    truth: &'a mut Truth,
    summary: &'a mut Summary,
}

impl Raw<'_> {
    /// Writes the cans of a country and test.
    fn stems(&mut self, hour: &str, cc: &str, test: &str, posts: &[Post]) -> Result<(), Error> {
        let (date, of_day) = hour.split_at(8);
        let key = format!("raw/{date}/{of_day}/{cc}/{test}");
        let folder = self.folder.join(&key);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let group = format!("{hour}_{cc}_{test}");
        let most = usize::try_from(self.packing.per_file.max(1)).unwrap_or(usize::MAX);
        for (k, posts) in posts.chunks(most).enumerate() {
            let stem = format!("{key}/{group}.n1.{k}");
            let (postcan, lines) = (format!("{stem}.tar.gz"), format!("{stem}.jsonl.gz"));
            let roll = self.rng.below(10);
            if roll != 0 {
                self.lines(&lines, roll < 3, posts)?;
            }
            if roll == 0 || roll >= 3 {
                self.postcan(&postcan, &group, posts)?;
            }
            let place = match roll {
                0 => Place::own(&postcan),
                1 | 2 => Place::own(&lines),
                _ => Place { can: &postcan, body_key: &lines },
            };
            for post in posts {
                // An unreadable line has no known uid.
                let known = place.can == postcan || matches!(post.expected, Expected::Read(_));
                let entry = Entry { uid: known.then(|| post.uid.clone()), expected: post.expected.clone() };
                self.truth.add(&place, &entry);
            }
        }
        Ok(())
    }

    /// Whether to end a gzip member, after one member or line in a hundred.
    fn cuts(&mut self) -> bool {
        self.rng.chance(0.01)
    }

    fn postcan(&mut self, key: &str, group: &str, posts: &[Post]) -> Result<(), Error> {
        let path = self.folder.join(key);
        let mut written = || -> io::Result<()> {
            let mut tar = tar::Builder::new(Packed::create(&path, Method::Gzip(self.packing.level))?);
            for post in posts {
                let name = format!("var/lib/ooniapi/measurements/incoming/{group}/{}.post", post.uid);
                add_member(&mut tar, &name, TURN / 1_000_000, &post.body)?;
                if self.cuts() {
                    tar.get_mut().cut()?;
                }
            }
            tar.into_inner()?.finish()
        };
        written().map_err(Error::io(&path))?;
        self.summary.add(path)
    }

    /// Without a postcan, lines contain their uid and are as sent. Beside a postcan, `{}` replaces what is not an
    /// object, as the uploader does.
    fn lines(&mut self, key: &str, with_uid: bool, posts: &[Post]) -> Result<(), Error> {
        let path = self.folder.join(key);
        let mut written = || -> io::Result<()> {
            let mut out = Packed::create(&path, Method::Gzip(self.packing.level))?;
            for post in posts {
                match (&post.expected, with_uid) {
                    (Expected::Read(_), true) => {
                        let msm = inside(&post.body);
                        let open = msm.strip_suffix(b"}").unwrap_or(msm);
                        let comma = if open.len() > 1 { "," } else { "" };
                        out.write_all(open)?;
                        write!(out, "{comma}\"measurement_uid\":\"{}\"}}", post.uid)?;
                    }
                    (Expected::Read(_), false) => out.write_all(inside(&post.body))?,
                    (Expected::Rejected(_), false) => out.write_all(b"{}")?,
                    (Expected::Rejected(_), true) if post.is_json() => out.write_all(inside(&post.body))?,
                    (Expected::Rejected(_), true) => out.write_all(inside_broken(&post.body))?,
                }
                out.write_all(b"\n")?;
                if self.cuts() {
                    out.cut()?;
                }
            }
            out.finish()
        };
        written().map_err(Error::io(&path))?;
        self.summary.add(path)
    }
}
