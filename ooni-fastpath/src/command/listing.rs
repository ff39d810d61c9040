//! [`Listed`]: the cans that were found, or what was looked for when none was found.

use super::result::eprint_line;
use crate::cli::names::{unknown_country, unknown_test};
use crate::diagnostics::Diagnostics;
use crate::text::{line, plain};
use comfy_table::{CellAlignment, Table, presets};
use ooni_archive::blocking::BlockingArchive;
use ooni_archive::layout::Layout;
use ooni_archive::source::archive::ArchiveCan;
use ooni_archive::{Day, Selection};
use ooni_store::without_password;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Maximum number of listed cans that are kept in memory for copying; later days are listed again.
const MAX_KEPT: usize = 200_000;
/// Interval between progress messages in a log.
pub(super) const LINE: Duration = Duration::from_secs(10);

/// The cans to copy.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Days, with their cans if these are kept.
    pub(super) days: Vec<(Day, Option<Vec<ArchiveCan>>)>,
    /// Cans and bytes by day and test.
    sums: BTreeMap<(Day, String), (u64, u64)>,
    pub(super) cans: u64,
    pub(super) bytes: u64,
}

impl Listed {
    /// Lists all days; reports what could not be listed.
    pub(super) fn all(archive: &BlockingArchive, with_jsonl: bool, diagnostics: &mut Diagnostics) -> Listed {
        let mut listed = Listed::default();
        let mut kept = 0;
        let mut reported = Instant::now();
        let days = archive.wanted().days;
        for day in days {
            let (cans, errors) = day_of(archive, day, with_jsonl);
            errors.into_iter().for_each(|why| report_error(diagnostics, why));
            cans.iter().for_each(|can| listed.add(can));
            let keep = kept + cans.len() <= MAX_KEPT;
            kept += if keep { cans.len() } else { 0 };
            listed.days.push((day, keep.then_some(cans)));
            if reported.elapsed() >= LINE {
                reported = Instant::now();
                eprint_line(&format!("{} of {} days listed: {} cans", listed.days.len(), days.len(), listed.cans));
            }
        }
        listed
    }

    fn add(&mut self, can: &ArchiveCan) {
        let test = can.testname.clone().unwrap_or_else(|| "?".to_owned());
        let (cans, bytes) = self.sums.entry((can.day, test)).or_default();
        for (cans, bytes) in [(cans, bytes), (&mut self.cans, &mut self.bytes)] {
            *cans += 1;
            *bytes = bytes.saturating_add(can.size);
        }
    }

    /// Whether there are no cans.
    pub(super) fn is_empty(&self) -> bool {
        self.cans == 0
    }

    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(["day", "test", "cans", "bytes"]);
        for ((day, test), (cans, bytes)) in &self.sums {
            table.add_row([day.to_string(), test.clone(), cans.to_string(), bytes.to_string()]);
        }
        table.add_row(["all".to_owned(), String::new(), self.cans.to_string(), self.bytes.to_string()]);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// A sentence that says what was looked for and where, for when nothing was found. `what` says what is missing; by
/// default it is cans.
pub(super) fn nothing_found(sources: &[String], archive: &BlockingArchive, what: Option<String>) -> String {
    let Selection { days, ccs, testnames } = archive.wanted();
    let mut looked_for = format!("days {} to {} (excluded)", days.start, days.end);
    for (name, values) in [("countries", ccs), ("tests", testnames)] {
        if !values.is_empty() {
            let values: Vec<_> = values.iter().map(|value| &**value).collect();
            looked_for += &format!(", {name} {}", values.join(" "));
        }
    }
    let sources = match sources {
        [] => "OONI's buckets".to_owned(),
        sources => sources.iter().map(|source| plain(&without_password(source))).collect::<Vec<_>>().join(" "),
    };
    let what = what.unwrap_or_else(|| {
        let [canned, raw] = Layout::ALL.map(|layout| layout.prefix(days.start)).map(|prefix| {
            prefix.replace(&days.start.compact(), "YYYYMMDD").replace(&days.start.to_string(), "YYYY-MM-DD")
        });
        format!("no cans below {canned} or {raw}")
    });
    let instead: String = archive.found_instead().iter().map(|part| format!("; {}", line(part))).collect();
    format!("nothing found in {sources}: {what}; looked for {looked_for}{instead}")
}

/// Sentences for selected names that are neither known nor in the archive; none before all days were listed without an
/// error. Measurements in a can whose key does not show a name may have any, unless everything was read and nothing found.
pub(super) fn unknown_names(archive: &BlockingArchive, is_nothing: bool) -> Vec<String> {
    let (Selection { days, ccs, testnames }, survey) = (archive.wanted(), archive.survey());
    if (survey.days.len() as u64) < days.len() {
        return Vec::new();
    }
    let missing = |wanted: &BTreeSet<String>, there: &BTreeSet<String>, unnamed: u64| match is_nothing || unnamed == 0 {
        true => wanted.difference(there).cloned().collect(),
        false => BTreeSet::new(),
    };
    let ccs = missing(ccs, &survey.ccs, survey.without_cc);
    let tests = missing(testnames, &survey.testnames, survey.without_testname);
    for_unknown(&ccs, &tests, |option, name, why| format!("{option} {name}: nothing found; {why}"))
}

/// Warnings about selected names that are not known. A long run prints them first, because only its end shows whether the
/// archive has them.
pub(super) fn name_warnings(wanted: &Selection) -> Vec<String> {
    for_unknown(&wanted.ccs, &wanted.testnames, |option, name, why| {
        format!("warning: {option} {name}: {why} (continuing, in case the archive has it)")
    })
}

/// A sentence for each name that is not known here, made of its option, the name, and why with a suggestion.
fn for_unknown(
    ccs: &BTreeSet<String>,
    testnames: &BTreeSet<String>,
    sentence: impl Fn(&str, &str, String) -> String,
) -> Vec<String> {
    let ccs = ccs.iter().filter_map(|cc| Some(sentence("--ccs", cc, unknown_country(cc)?)));
    let tests = testnames.iter().filter_map(|test| Some(sentence("--testnames", test, unknown_test(test)?)));
    ccs.chain(tests).collect()
}

pub(super) fn report_error(diagnostics: &mut Diagnostics, why: String) {
    let mut one = Diagnostics::default();
    one.add(|| why);
    diagnostics.show(&mut one);
}

/// The cans of a day to copy, and what could not be listed.
pub(super) fn day_of(archive: &BlockingArchive, day: Day, with_jsonl: bool) -> (Vec<ArchiveCan>, Vec<String>) {
    let (cans, errors) = archive.day_in_part(day);
    let lines = |can: &ArchiveCan| can.lines().filter(|_| with_jsonl).cloned();
    let cans = cans.into_iter().flat_map(|can| [lines(&can), Some(can)]).flatten().collect();
    (cans, errors.into_iter().map(|error| error.message).collect())
}
