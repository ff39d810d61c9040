//! `fastpath fetch`: what there is, then a copy of it.

use super::{USAGE, tell};
use crate::cli::Fetch;
use crate::diagnostics::Diagnostics;
use crate::progress;
use comfy_table::{CellAlignment, Table, presets};
use crossbeam_channel::{RecvTimeoutError, bounded};
use indicatif::{HumanBytes, ProgressBar};
use ooni_archive::day::Day;
use ooni_archive::source::archive::{Archive, ArchiveCan, Brought, Counters};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Cans whose listings are kept for the copying; days beyond are listed once more.
const KEPT: usize = 200_000;
/// How often a log has a line.
const LINE: Duration = Duration::from_secs(10);
/// How often a bar moves.
const TICK: Duration = Duration::from_millis(250);

/// Copies what was asked for.
pub fn run(arguments: &Fetch) -> ExitCode {
    let today = Day::today();
    let wanted = arguments.selection.wanted(today);
    if wanted.days.end < arguments.selection.end_day {
        tell(&format!("days from {today} on are left out: not all of them is there yet"));
    }
    let opened = arguments.sources.locations();
    let opened = opened.and_then(|locations| Archive::open(locations, wanted, arguments.sources.options()));
    let archive = match opened {
        Ok(archive) => archive,
        Err(why) => {
            tell(&why);
            return ExitCode::from(USAGE);
        }
    };
    let mut fetch = Fetching { archive, with_jsonl: arguments.with_jsonl, diagnostics: Diagnostics::default() };
    let found = Listed::all(&fetch.archive, fetch.with_jsonl, &mut fetch.diagnostics);
    match io::stdout().write_all(found.table().as_bytes()) {
        // Whoever reads the table may have read enough of it; the copy is what was asked for.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => tell(&format!("cannot write the table: {error}")),
        _ => {}
    }
    if let (Some(out), false) = (&arguments.out, arguments.dry_run) {
        fetch.copy(found, out, usize::from(arguments.jobs));
    }
    fetch.exit()
}

/// What is there to be copied.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Days, and their cans if they are kept.
    days: Vec<(Day, Option<Vec<ArchiveCan>>)>,
    /// Cans and bytes by day and test.
    sums: BTreeMap<(Day, String), (u64, u64)>,
    cans: u64,
    bytes: u64,
}

impl Listed {
    /// Lists all days; what could not be listed is told.
    pub(super) fn all(archive: &Archive, with_jsonl: bool, diagnostics: &mut Diagnostics) -> Listed {
        let mut listed = Listed::default();
        let mut kept = 0;
        let mut told = Instant::now();
        let days = archive.wanted().days;
        for day in days {
            let (cans, errors) = day_of(archive, day, with_jsonl);
            errors.into_iter().for_each(|why| complain(diagnostics, why));
            cans.iter().for_each(|can| listed.add(can));
            let keep = kept + cans.len() <= KEPT;
            kept += if keep { cans.len() } else { 0 };
            listed.days.push((day, keep.then_some(cans)));
            if told.elapsed() >= LINE {
                told = Instant::now();
                tell(&format!("{} of {} days listed: {} cans", listed.days.len(), days.len(), listed.cans));
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

    /// Whether there is nothing.
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

/// A copy under way.
struct Fetching {
    archive: Archive,
    with_jsonl: bool,
    diagnostics: Diagnostics,
}

/// What became of a can, or why a can or a day is missing.
type Told = Result<(Brought, u64), String>;

impl Fetching {
    /// Copies all, so many at once.
    fn copy(&mut self, found: Listed, out: &Path, jobs: usize) {
        let mut display = Display::new(&found, self.archive.counters());
        let (giver, taker) = bounded::<ArchiveCan>(jobs);
        let (teller, told) = bounded::<Told>(jobs);
        let (archive, with_jsonl) = (self.archive.clone(), self.with_jsonl);
        thread::scope(|scope| {
            for _ in 0..jobs {
                let (taker, teller, archive) = (taker.clone(), teller.clone(), archive.clone());
                scope.spawn(move || {
                    for can in taker {
                        let brought = archive.bring(&can, out);
                        let _ = teller.send(brought.map(|brought| (brought, can.size)).map_err(|error| error.message));
                    }
                });
            }
            drop(taker);
            scope.spawn(move || {
                for (day, cans) in found.days {
                    let cans = cans.unwrap_or_else(|| {
                        let (cans, errors) = day_of(&archive, day, with_jsonl);
                        errors.into_iter().for_each(|why| drop(teller.send(Err(why))));
                        cans
                    });
                    cans.into_iter().for_each(|can| drop(giver.send(can)));
                }
            });
            loop {
                match told.recv_timeout(TICK) {
                    Ok(Ok((brought, size))) => display.add(brought, size),
                    Ok(Err(why)) => display.around(|| complain(&mut self.diagnostics, why)),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                display.show();
            }
        });
        display.finish();
    }

    fn exit(&self) -> ExitCode {
        match self.diagnostics.unseen() {
            0 => {}
            unseen => tell(&format!("and {unseen} more")),
        }
        if self.diagnostics.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn complain(diagnostics: &mut Diagnostics, why: String) {
    let mut one = Diagnostics::default();
    one.add(|| why);
    diagnostics.show(&mut one);
}

/// What is to be copied of a day, and what could not be listed.
fn day_of(archive: &Archive, day: Day, with_jsonl: bool) -> (Vec<ArchiveCan>, Vec<String>) {
    let (cans, errors) = archive.day_in_part(day);
    let lines = |can: &ArchiveCan| can.lines().filter(|_| with_jsonl).cloned();
    let cans = cans.into_iter().flat_map(|can| [lines(&can), Some(can)]).flatten().collect();
    (cans, errors.into_iter().map(|error| error.message).collect())
}

/// How far the copying is: a bar on a terminal, else a line now and then.
struct Display {
    counters: Arc<Counters>,
    bar: Option<ProgressBar>,
    told: Instant,
    begun: Instant,
    cans: u64,
    bytes: u64,
    done: u64,
    done_bytes: u64,
    already: u64,
    already_bytes: u64,
}

impl Display {
    fn new(found: &Listed, counters: Arc<Counters>) -> Display {
        let (cans, bytes, now) = (found.cans, found.bytes, Instant::now());
        let bar = io::stderr().is_terminal().then(|| progress::bar(bytes));
        let (done, done_bytes, already, already_bytes) = (0, 0, 0, 0);
        Display { counters, bar, told: now, begun: now, cans, bytes, done, done_bytes, already, already_bytes }
    }

    fn add(&mut self, brought: Brought, size: u64) {
        self.done += 1;
        self.done_bytes = self.done_bytes.saturating_add(size);
        if brought == Brought::Already {
            self.already += 1;
            self.already_bytes = self.already_bytes.saturating_add(size);
        }
    }

    fn show(&mut self) {
        let downloaded = self.counters.bytes_downloaded.load(Ordering::Relaxed);
        // What came in vain is counted too, and what was copied from a folder is not.
        let bytes =
            self.already_bytes.saturating_add(downloaded).clamp(self.done_bytes, self.bytes.max(self.done_bytes));
        let cans = format!("{} of {} cans", self.done, self.cans);
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(cans);
        } else if self.told.elapsed() >= LINE {
            self.told = Instant::now();
            tell(&format!("{cans}, {} of {}", HumanBytes(bytes), HumanBytes(self.bytes)));
        }
    }

    /// Writes to the terminal.
    fn around(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let downloaded = self.counters.bytes_downloaded.load(Ordering::Relaxed);
        let retries = match self.counters.retries.load(Ordering::Relaxed) {
            0 => String::new(),
            retries => format!(", {retries} requests made again"),
        };
        tell(&format!(
            "{} of {} cans are there, {} were before; {} downloaded in {:.1} s{retries}",
            self.done,
            self.cans,
            self.already,
            HumanBytes(downloaded),
            self.begun.elapsed().as_secs_f64()
        ));
    }
}
