//! [`Counter`]: counts the rows of a month in the cells of all rollups, in memory. The result equals that of
//! [`Tally`](crate::write::tally::Tally), which counts a batch.
//!
//! Rows come day by day. Keys are numbers, so a cell takes 44 bytes.

use crate::query::grain::Grain;
use crate::rollup::{COUNTS, Dimension, ROLLUPS, Rollup};
use ooni_core::time::{DateTime, SECONDS_PER_HOUR};
use std::collections::HashMap;

/// Maximum dimensions of a key.
const WIDEST: usize = 5;

/// Entries of a rollup that are merged at once, at least.
const MERGED: usize = if cfg!(test) { 4 } else { 1 << 17 };

/// Number of cells, of all rollups together, at which they are written.
const MOST_CELLS: usize = 6_000_000;

/// Bytes of all texts at which the cells are written.
const MOST_TEXT: usize = 128 << 20;

/// The columns of a row that rollups use.
#[derive(Debug)]
pub(super) struct Counted<'r> {
    pub(super) time: DateTime,
    pub(super) probe_asn: u32,
    pub(super) test_name: &'r str,
    pub(super) probe_cc: &'r str,
    pub(super) domain: &'r str,
    pub(super) input: &'r str,
    pub(super) blocking_type: &'r str,
    pub(super) failure: bool,
    pub(super) confirmed: bool,
    pub(super) anomaly: bool,
}

/// An entry of a test list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) url: String,
    pub(super) category_code: String,
    pub(super) list_cc: String,
}

/// A cell. In a key, a time is a number of hours, and a text the number of the text.
#[derive(Clone, Copy, Debug)]
struct Cell {
    key: [u32; WIDEST],
    // A month has far fewer than 2^32 rows.
    counts: [u32; COUNTS.len()],
}

/// The cells of a rollup.
#[derive(Debug)]
struct Cells {
    rollup: &'static Rollup,
    cells: Vec<Cell>,
    /// How many of the cells cannot change any more, because their day is over.
    settled: usize,
    /// The number of cells after the last merge.
    merged: usize,
}

impl Cells {
    fn push(&mut self, cell: Cell) {
        self.cells.push(cell);
        let unmerged = self.cells.len() - self.merged;
        if unmerged >= MERGED.max(self.merged - self.settled) {
            self.merge();
        }
    }

    /// Adds up the entries of each cell.
    fn merge(&mut self) {
        let Some(cells) = self.cells.get_mut(self.settled..) else { return };
        cells.sort_unstable_by_key(|cell| cell.key);
        let mut last = 0;
        for next in 1..cells.len() {
            let Cell { key, counts } = cells[next];
            if cells[last].key == key {
                cells[last].counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            } else {
                last += 1;
                cells[last] = cells[next];
            }
        }
        let kept = cells.len().min(last + 1);
        self.cells.truncate(self.settled + kept);
        self.merged = self.cells.len();
    }

    fn end_day(&mut self) {
        if matches!(self.rollup.grain(), Some(Grain::Hour | Grain::Day)) {
            self.merge();
            self.settled = self.cells.len();
        }
    }
}

/// Counts rows.
#[derive(Debug)]
pub(super) struct Counter {
    texts: HashMap<Box<str>, u32>,
    bytes: usize,
    /// The category and list of each listed input.
    listed: HashMap<u32, Vec<(u32, u32)>>,
    rollups: Vec<Cells>,
    rows: u64,
}

impl Counter {
    pub(super) fn new(lists: &[Entry]) -> Counter {
        let cells = |rollup| Cells { rollup, cells: Vec::new(), settled: 0, merged: 0 };
        let rollups = ROLLUPS.iter().map(cells).collect();
        let mut counter = Counter { texts: HashMap::new(), bytes: 0, listed: HashMap::new(), rollups, rows: 0 };
        for Entry { url, category_code, list_cc } in lists {
            let [url, category, list] = [url, category_code, list_cc].map(|text| counter.number(text));
            counter.listed.entry(url).or_default().push((category, list));
        }
        counter
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.texts.get(text) {
            return number;
        }
        let number = self.texts.len() as u32;
        self.texts.insert(text.into(), number);
        self.bytes += text.len();
        number
    }

    /// Counts a row.
    pub(super) fn add(&mut self, row: &Counted<'_>) {
        self.rows += 1;
        let &Counted { time, probe_asn, failure, confirmed, anomaly, .. } = row;
        let numbers = [row.test_name, row.probe_cc, row.domain, row.input, row.blocking_type];
        let [test_name, probe_cc, domain, input, blocking_type] = numbers.map(|text| self.number(text));
        let holds = [true, failure, confirmed && !failure, anomaly && !confirmed && !failure, confirmed, anomaly];
        let counts = holds.map(u32::from);
        let [hour, day, week, month] =
            [Grain::Hour, Grain::Day, Grain::Week, Grain::Month].map(|grain| hours(grain.start(time)));
        let part = |dimension: Dimension, (category, list): (u32, u32)| match dimension {
            Dimension::Hour => hour,
            Dimension::Day => day,
            Dimension::Week => week,
            Dimension::Month => month,
            Dimension::TestName => test_name,
            Dimension::ProbeCc => probe_cc,
            Dimension::ProbeAsn => probe_asn,
            Dimension::Domain => domain,
            Dimension::Input => input,
            Dimension::BlockingType => blocking_type,
            Dimension::CategoryCode => category,
            Dimension::ListCc => list,
        };
        let Counter { listed, rollups, .. } = self;
        for cells in rollups {
            let rollup = cells.rollup;
            let mut push = |entry| {
                let mut key = [0; WIDEST];
                key.iter_mut().zip(rollup.key).for_each(|(place, &dimension)| *place = part(dimension, entry));
                cells.push(Cell { key, counts });
            };
            match rollup.is_of_lists() {
                true => listed.get(&input).into_iter().flatten().for_each(|&entry| push(entry)),
                false => push((0, 0)),
            }
        }
    }

    /// Marks that no more rows of this day or of earlier ones follow.
    pub(super) fn end_day(&mut self) {
        self.rollups.iter_mut().for_each(Cells::end_day);
    }

    /// Whether the cells should be written before more rows are counted.
    pub(super) fn is_large(&self) -> bool {
        self.bytes > MOST_TEXT || self.rollups.iter().map(|cells| cells.cells.len()).sum::<usize>() > MOST_CELLS
    }

    /// The number of rows that were counted.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The cells, in the order of their keys.
    pub(super) fn sorted(self) -> Sorted {
        let mut texts: Vec<(Box<str>, u32)> = self.texts.into_iter().collect();
        texts.sort_unstable();
        let mut ranks = vec![0; texts.len()];
        for (rank, (_, number)) in (0..).zip(&texts) {
            ranks[*number as usize] = rank;
        }
        let sort = |mut cells: Cells| {
            cells.merge();
            for cell in &mut cells.cells {
                for (part, dimension) in cell.key.iter_mut().zip(cells.rollup.key) {
                    if dimension.is_text() {
                        *part = ranks[*part as usize];
                    }
                }
            }
            cells.cells.sort_unstable_by_key(|cell| cell.key);
            (cells.rollup, cells.cells)
        };
        let rollups = self.rollups.into_iter().map(sort).collect();
        Sorted { texts: texts.into_iter().map(|(text, _)| text).collect(), rollups }
    }
}

/// A part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    Text(&'t str),
    Number(u32),
    Time(DateTime),
}

/// The cells of all rollups.
#[derive(Debug)]
pub(super) struct Sorted {
    texts: Vec<Box<str>>,
    rollups: Vec<(&'static Rollup, Vec<Cell>)>,
}

impl Sorted {
    /// The rollups.
    pub(super) fn rollups(&self) -> impl Iterator<Item = &'static Rollup> {
        self.rollups.iter().map(|&(rollup, _)| rollup)
    }

    /// The cells of a rollup.
    pub(super) fn cells(&self, rollup: &'static Rollup) -> impl Iterator<Item = SortedCell<'_>> {
        let of_rollup = self.rollups.iter().filter(move |(of, _)| of.name == rollup.name);
        of_rollup.flat_map(|(_, cells)| cells).map(move |cell| SortedCell { texts: &self.texts, rollup, cell })
    }
}

/// One of the cells of a rollup.
#[derive(Clone, Copy, Debug)]
pub(super) struct SortedCell<'s> {
    texts: &'s [Box<str>],
    rollup: &'static Rollup,
    cell: &'s Cell,
}

impl<'s> SortedCell<'s> {
    /// Its key.
    pub(super) fn key(self) -> impl Iterator<Item = Part<'s>> {
        let SortedCell { texts, rollup, cell } = self;
        rollup.key.iter().zip(cell.key).map(move |(&dimension, part)| match dimension {
            time if time.is_time() => Part::Time(time_of(part)),
            text if text.is_text() => Part::Text(&texts[part as usize]),
            _ => Part::Number(part),
        })
    }

    /// The time in its key.
    pub(super) fn time(self) -> Option<DateTime> {
        let place = self.rollup.key.iter().position(|dimension| dimension.is_time())?;
        Some(time_of(self.cell.key[place]))
    }

    /// Its counts.
    pub(super) fn counts(self) -> [u32; COUNTS.len()] {
        self.cell.counts
    }
}

/// A time as a number of hours. The years of partitions are after 1970.
fn hours(time: DateTime) -> u32 {
    u32::try_from(time.timestamp() / SECONDS_PER_HOUR).unwrap_or_default()
}

fn time_of(hours: u32) -> DateTime {
    DateTime::from_timestamp(i64::from(hours) * SECONDS_PER_HOUR).unwrap_or(DateTime::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use crate::write::row::ListedUrl;
    use crate::write::tally::Tally;
    use ooni_core::time::SECONDS_PER_DAY;
    use proptest::prelude::*;
    use std::borrow::Cow;

    const INPUTS: [&str; 4] = ["", "https://a.org/", "https://b.org/", "https://c.org/"];
    const LISTS: [[&str; 3]; 4] = [
        ["https://b.org/", "NEWS", "ZZ"],
        ["https://b.org/", "NEWS", "it"],
        ["https://a.org/", "GOVT", "ZZ"],
        ["https://z.org/", "GOVT", "ZZ"],
    ];

    /// A row of February 2024.
    fn row(content: u32) -> Counted<'static> {
        let pick = |from: &[&'static str], part: u32| from[(content / part) as usize % from.len()];
        let second = i64::from(content) * 7919 % (29 * SECONDS_PER_DAY);
        Counted {
            time: DateTime::new(2024, 2, 1, 0, 0, 0).unwrap().plus_seconds(second).unwrap(),
            probe_asn: content % 3,
            test_name: pick(&["web_connectivity", "dash"], 1),
            probe_cc: pick(&["RU", "IT", "ZZ"], 2),
            domain: pick(&["z.org", "a.org", ""], 7),
            input: pick(&INPUTS, 5),
            blocking_type: pick(&["", "dns"], 11),
            failure: content.is_multiple_of(13),
            confirmed: content.is_multiple_of(3),
            anomaly: content.is_multiple_of(2),
        }
    }

    fn values<'r>(row: &Counted<'r>) -> [Value<'r>; 10] {
        let text = |text: &'r str| Value::Text(Cow::Borrowed(text));
        let flag = |is_set| text(if is_set { "t" } else { "f" });
        let &Counted { time, probe_asn, test_name, probe_cc, domain, input, blocking_type, .. } = row;
        let [test_name, probe_cc, domain, input, kind] = [test_name, probe_cc, domain, input, blocking_type].map(text);
        let [failure, confirmed, anomaly] = [row.failure, row.confirmed, row.anomaly].map(flag);
        let probe_asn = Value::Int(u64::from(probe_asn));
        [Value::Time(time), probe_asn, test_name, probe_cc, domain, input, kind, failure, confirmed, anomaly]
    }

    #[test]
    fn the_widest_key_fits() {
        assert!(ROLLUPS.iter().all(|rollup| rollup.key.len() <= WIDEST));
    }

    proptest! {
        #[test]
        fn cells_are_those_of_a_tally(contents in proptest::collection::vec(0..5000_u32, 0..80)) {
            let mut rows: Vec<_> = contents.into_iter().map(row).collect();
            rows.sort_by_key(|row| row.time.day_number());
            let entries = LISTS.map(|entry| entry.map(str::to_owned));
            let lists = entries.clone().map(|[url, category_code, list_cc]| Entry { url, category_code, list_cc });
            let listed = entries.map(|[url, category_code, cc]| ListedUrl { url, domain: String::new(), cc, category_code });
            let (mut counter, mut tally) = (Counter::new(&lists), Tally::default());
            for day in rows.chunk_by(|a, b| a.time.day_number() == b.time.day_number()) {
                for row in day {
                    counter.add(row);
                    tally.subtract(&values(row));
                }
                counter.end_day();
            }
            prop_assert_eq!(counter.rows(), rows.len() as u64);
            let (sorted, tallied) = (counter.sorted(), tally.count(&listed));
            prop_assert_eq!(sorted.rollups().count(), ROLLUPS.len());
            for rollup in &ROLLUPS {
                let cells = sorted.cells(rollup).map(|cell| {
                    let key = cell.key().map(|part| match part {
                        Part::Text(text) => Value::Text(Cow::Borrowed(text)),
                        Part::Number(number) => Value::Int(u64::from(number)),
                        Part::Time(time) => Value::Time(time),
                    });
                    (key.collect::<Vec<_>>(), cell.counts().map(|count| -i64::from(count)))
                });
                let cells: Vec<_> = cells.collect();
                prop_assert_eq!(&cells, &tallied.changes(rollup).collect::<Vec<_>>(), "{}", rollup.name);
                let times = sorted.cells(rollup).all(|cell| cell.time().is_some() == rollup.time().is_some());
                prop_assert!(times);
            }
        }
    }
}
