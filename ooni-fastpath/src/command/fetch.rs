//! `fastpath fetch`: prints a table of the cans, then copies them.

use super::listing::{LINE, Listed, day_of, nothing_found, report_error, unknown_names};
use super::result::{USAGE, eprint_line};
use crate::cli::Fetch;
use crate::diagnostics::Diagnostics;
use crate::progress;
use crate::text::line;
use crossbeam_channel::{RecvTimeoutError, bounded};
use indicatif::{HumanBytes, ProgressBar};
use ooni_archive::blocking::BlockingArchive;
use ooni_archive::day::Day;
use ooni_archive::source::archive::{ArchiveCan, CopyOutcome, Counters};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Interval between updates of the progress bar.
const TICK: Duration = Duration::from_millis(250);

/// Copies the selected cans.
pub fn run(arguments: &Fetch) -> ExitCode {
    let today = Day::today();
    let wanted = arguments.selection.wanted(today);
    if wanted.days.end < arguments.selection.end_day {
        eprint_line(&format!("days from {today} on are skipped: they are not complete yet"));
    }
    let opened = arguments.sources.locations();
    let opened = opened.and_then(|locations| BlockingArchive::open(locations, wanted, arguments.sources.options()));
    let archive = match opened {
        Ok(archive) => archive,
        Err(why) => {
            eprint_line(&why);
            return ExitCode::from(USAGE);
        }
    };
    let mut fetch = Fetching { archive, with_jsonl: arguments.with_jsonl, diagnostics: Diagnostics::default() };
    let listed = Listed::all(&fetch.archive, fetch.with_jsonl, &mut fetch.diagnostics);
    match io::stdout().write_all(listed.table().as_bytes()) {
        // A reader that closes the pipe may have read enough of the table; copying continues.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprint_line(&format!("cannot write the table: {error}"))
        }
        _ => {}
    }
    let is_nothing = listed.is_empty() && fetch.diagnostics.is_empty();
    if is_nothing {
        let sentence = nothing_found(&arguments.sources.sources, &fetch.archive, None);
        report_error(&mut fetch.diagnostics, sentence);
    }
    let unknown = unknown_names(&fetch.archive, is_nothing);
    if !unknown.is_empty() {
        unknown.iter().for_each(|sentence| eprint_line(&line(sentence)));
        return ExitCode::from(USAGE);
    }
    if let (Some(out), false, false) = (&arguments.out, arguments.dry_run, is_nothing) {
        fetch.copy(listed, out, usize::from(arguments.jobs));
    }
    fetch.exit()
}

/// A copy under way.
struct Fetching {
    archive: BlockingArchive,
    with_jsonl: bool,
    diagnostics: Diagnostics,
}

/// Whether a can was copied, and its bytes; or why a can could not be copied or a day not be listed.
type FetchResult = Result<(CopyOutcome, u64), String>;

impl Fetching {
    /// Copies all cans, `jobs` of them at once.
    fn copy(&mut self, listed: Listed, out: &Path, jobs: usize) {
        let mut display = Display::new(&listed, self.archive.counters());
        let (can_sender, cans) = bounded::<ArchiveCan>(jobs);
        let (sender, results) = bounded::<FetchResult>(jobs);
        let (archive, with_jsonl) = (self.archive.clone(), self.with_jsonl);
        thread::scope(|scope| {
            for _ in 0..jobs {
                let (cans, sender, archive) = (cans.clone(), sender.clone(), archive.clone());
                scope.spawn(move || {
                    for can in cans {
                        let outcome = archive.copy_can(&can, out);
                        let _ = sender.send(outcome.map(|outcome| (outcome, can.size)).map_err(|error| error.message));
                    }
                });
            }
            drop(cans);
            scope.spawn(move || {
                for (day, kept) in listed.days {
                    let cans = kept.unwrap_or_else(|| {
                        let (cans, errors) = day_of(&archive, day, with_jsonl);
                        errors.into_iter().for_each(|why| drop(sender.send(Err(why))));
                        cans
                    });
                    cans.into_iter().for_each(|can| drop(can_sender.send(can)));
                }
            });
            loop {
                match results.recv_timeout(TICK) {
                    Ok(Ok((outcome, size))) => display.add(outcome, size),
                    Ok(Err(why)) => display.around(|| report_error(&mut self.diagnostics, why)),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                display.show();
            }
        });
        display.finish();
    }

    fn exit(&self) -> ExitCode {
        match self.diagnostics.hidden() {
            0 => {}
            hidden => eprint_line(&format!("and {hidden} more")),
        }
        if self.diagnostics.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Progress of copying: a bar on a terminal, otherwise a message every few seconds.
struct Display {
    counters: Arc<Counters>,
    bar: Option<ProgressBar>,
    reported: Instant,
    begun: Instant,
    cans: u64,
    bytes: u64,
    done: u64,
    done_bytes: u64,
    already: u64,
    already_bytes: u64,
}

impl Display {
    fn new(listed: &Listed, counters: Arc<Counters>) -> Display {
        let (cans, bytes, now) = (listed.cans, listed.bytes, Instant::now());
        let bar = io::stderr().is_terminal().then(|| progress::bar(bytes));
        let (done, done_bytes, already, already_bytes) = (0, 0, 0, 0);
        Display { counters, bar, reported: now, begun: now, cans, bytes, done, done_bytes, already, already_bytes }
    }

    fn add(&mut self, outcome: CopyOutcome, size: u64) {
        self.done += 1;
        self.done_bytes = self.done_bytes.saturating_add(size);
        if outcome == CopyOutcome::AlreadyThere {
            self.already += 1;
            self.already_bytes = self.already_bytes.saturating_add(size);
        }
    }

    fn show(&mut self) {
        let downloaded = self.counters.bytes_downloaded.load(Ordering::Relaxed);
        // This counter includes failed downloads, and leaves out copies from a folder.
        let bytes =
            self.already_bytes.saturating_add(downloaded).clamp(self.done_bytes, self.bytes.max(self.done_bytes));
        let cans = format!("{} of {} cans", self.done, self.cans);
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(cans);
        } else if self.reported.elapsed() >= LINE {
            self.reported = Instant::now();
            eprint_line(&format!("{cans}, {} of {}", HumanBytes(bytes), HumanBytes(self.bytes)));
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
        let downloaded = HumanBytes(self.counters.bytes_downloaded.load(Ordering::Relaxed));
        let seconds = self.begun.elapsed().as_secs_f64();
        let Display { done, cans, already, .. } = self;
        eprint_line(&format!("{done} of {cans} cans, {already} of them already there; {downloaded} in {seconds:.1} s"));
        match self.counters.retries.load(Ordering::Relaxed) {
            0 => {}
            retries => eprint_line(&format!("{retries} requests were retried")),
        }
    }
}
