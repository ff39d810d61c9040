//! [`Tally`]: sums the effect of a change on the cells of rollups, for engines that have transactions. The rows are those of
//! a write, or those of the log of rollups. `sql::counts` defines the content of a cell; `rollup check` compares the two.

use crate::query::grain::Grain;
use crate::rollup::{COUNTS, Dimension, Rollup};
use crate::value::{FastpathValues, Type, Value};
use crate::write::row::ListedUrl;
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;
use std::borrow::Cow;
use std::collections::HashMap;

/// The positions in a row of the `fastpath` columns that rollups use.
const POSITIONS: [usize; 10] = [
    fastpath::measurement_start_time,
    fastpath::probe_asn,
    fastpath::test_name,
    fastpath::probe_cc,
    fastpath::domain,
    fastpath::input,
    fastpath::blocking_type,
    fastpath::msm_failure,
    fastpath::confirmed,
    fastpath::anomaly,
];

/// The columns at [`POSITIONS`]. Engines return deleted rows with these columns, in this order. The log of rollups has them
/// as well.
pub(crate) const COLUMNS: [(&str, Type); POSITIONS.len()] = {
    let mut columns = [("", Type::Text); POSITIONS.len()];
    let mut at = 0;
    while at < columns.len() {
        let column = fastpath::COLUMNS[POSITIONS[at]];
        columns[at] = (column.name, column.kind);
        at += 1;
    }
    columns
};

/// Maximum dimensions of a key.
const WIDEST: usize = 5;

/// The values of the [`COLUMNS`] of a row.
pub(crate) type Cells<'v> = [Value<'v>; COLUMNS.len()];

/// The rows that a change adds and deletes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Rows, each with how often it is added, or deleted if the number is negative.
    rows: Vec<(Row, i64)>,
    texts: Interner,
}

/// The columns of a row that rollups use. Texts are numbers of the [`Interner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    time: DateTime,
    probe_asn: i64,
    /// `test_name`, `probe_cc`, `domain`, `input` and `blocking_type`.
    texts: [u32; 5],
    /// `msm_failure`, `confirmed` and `anomaly`.
    flags: [bool; 3],
}

impl Row {
    /// The counts of a cell that has only this row.
    fn counts(&self) -> [i64; COUNTS.len()] {
        let [failure, confirmed, anomaly] = self.flags;
        let holds = [true, failure, confirmed && !failure, anomaly && !confirmed && !failure, confirmed, anomaly];
        holds.map(i64::from)
    }

    fn input(&self) -> u32 {
        self.texts[3]
    }
}

/// Interned texts and their numbers.
#[derive(Debug, Default)]
struct Interner(HashMap<Box<str>, u32>);

impl Interner {
    /// The texts, by their numbers.
    fn texts(&self) -> Vec<&str> {
        let mut texts = vec![""; self.0.len()];
        self.0.iter().for_each(|(text, &number)| texts[number as usize] = text);
        texts
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.0.get(text) {
            return number;
        }
        let number = self.0.len() as u32;
        self.0.insert(text.into(), number);
        number
    }
}

impl Tally {
    /// Adds a row.
    pub(crate) fn add(&mut self, row: &FastpathValues<'_>) {
        self.push(&POSITIONS.map(|position| row[position].borrowed()), 1);
    }

    /// Adds a row, given its [`COLUMNS`].
    pub(crate) fn add_cells(&mut self, row: &Cells<'_>) {
        self.push(row, 1);
    }

    /// Subtracts a deleted row, given its [`COLUMNS`].
    pub(crate) fn subtract(&mut self, row: &Cells<'_>) {
        self.push(row, -1);
    }

    fn push(&mut self, row: &Cells<'_>, times: i64) {
        // Always matches: these are the types of the columns.
        let [Value::Time(time), Value::Int(probe_asn), cells @ ..] = row else { return };
        let text = |index: usize| if let Value::Text(text) = &cells[index] { &**text } else { "" };
        let texts = [0, 1, 2, 3, 4].map(|index| self.texts.number(text(index)));
        let flags = [5, 6, 7].map(|index| text(index) == "t");
        let probe_asn = i64::try_from(*probe_asn).unwrap_or(i64::MAX);
        self.rows.push((Row { time: *time, probe_asn, texts, flags }, times));
    }

    /// Forgets the first rows except those to keep.
    pub(crate) fn keep_of_first(&mut self, keep: &[bool]) {
        let mut keep = keep.iter();
        self.rows.retain(|_| keep.next().is_none_or(|&keep| keep));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether rows are deleted.
    pub(crate) fn has_deleted(&self) -> bool {
        self.rows.iter().any(|&(_, times)| times < 0)
    }

    /// The same change without rows that are both deleted and added.
    #[must_use]
    pub(crate) fn net(mut self) -> Tally {
        if self.has_deleted() {
            self.rows.sort_unstable_by_key(|&(row, _)| row);
            self.rows.dedup_by(|next, row| {
                let is_same = next.0 == row.0;
                if is_same {
                    row.1 += next.1;
                }
                is_same
            });
            self.rows.retain(|&(_, times)| times != 0);
        }
        self
    }

    /// The [`COLUMNS`] of the rows that are added.
    pub(crate) fn added(&self) -> impl Iterator<Item = Cells<'_>> {
        let texts = self.texts.texts();
        let all = self.rows.iter().flat_map(|(row, times)| (0..*times).map(move |_| row));
        all.map(move |row| {
            let [test_name, probe_cc, domain, input, blocking_type] =
                row.texts.map(|number| Value::Text(Cow::Borrowed(texts[number as usize])));
            let [failure, confirmed, anomaly] =
                row.flags.map(|is_set| Value::Text(Cow::Borrowed(if is_set { "t" } else { "f" })));
            let (time, probe_asn) = (Value::Time(row.time), Value::Int(row.probe_asn.unsigned_abs()));
            [time, probe_asn, test_name, probe_cc, domain, input, blocking_type, failure, confirmed, anomaly]
        })
    }

    /// The distinct inputs of the rows.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let mut inputs: Vec<u32> = self.rows.iter().map(|(row, _)| row.input()).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let texts = self.texts.texts();
        inputs.into_iter().map(|input| texts[input as usize].to_owned()).collect()
    }

    /// Adds the test-list entries of the inputs, after which the rows can be counted.
    pub(crate) fn count(mut self, lists: &[ListedUrl]) -> Tallied {
        let mut listed: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
        for ListedUrl { url, cc, category_code, .. } in lists {
            let [url, category, cc] = [url, category_code, cc].map(|text| self.texts.number(text));
            listed.entry(url).or_default().push((category, cc));
        }
        let mut texts: Vec<(Box<str>, u32)> = self.texts.0.into_iter().collect();
        texts.sort_unstable();
        let mut ranks = vec![0; texts.len()];
        for (rank, (_, number)) in (0..).zip(&texts) {
            ranks[*number as usize] = rank;
        }
        let texts = texts.into_iter().map(|(text, _)| text).collect();
        Tallied { rows: self.rows, listed, texts, ranks }
    }
}

/// A [`Tally`] with test-list entries, from which the changed cells of rollups are computed.
#[derive(Debug)]
pub(crate) struct Tallied {
    rows: Vec<(Row, i64)>,
    /// The category and list of each listed input.
    listed: HashMap<u32, Vec<(u32, u32)>>,
    /// All texts, in byte order.
    texts: Vec<Box<str>>,
    /// The positions of texts in `texts`, by their number.
    ranks: Vec<i64>,
}

/// A changed cell as integers that sort like the values of its key, and the numbers to add to its counts.
pub(crate) type CellNumbers = ([i64; WIDEST], [i64; COUNTS.len()]);

/// A changed cell: the values of its key, and the numbers to add to its counts.
pub(crate) type CellChange<'t> = (Vec<Value<'t>>, [i64; COUNTS.len()]);

impl Tallied {
    /// The changed cells of a rollup, in the key order of its table.
    pub(crate) fn changes<'t>(&'t self, rollup: &Rollup) -> impl Iterator<Item = CellChange<'t>> {
        let key = rollup.key;
        self.cells(rollup).into_iter().map(move |(values, counts)| {
            let values = key.iter().zip(values).map(|(&dimension, value)| self.value(dimension, value));
            (values.collect(), counts)
        })
    }

    /// The changed cells of a rollup as integers, in the key order of its table. [`Tallied::value`] has their
    /// values.
    pub(crate) fn cells(&self, rollup: &Rollup) -> Vec<CellNumbers> {
        let mut cells: Vec<CellNumbers> = Vec::with_capacity(self.rows.len());
        for (row, times) in &self.rows {
            let counts = row.counts().map(|count| count * times);
            if !rollup.is_of_lists() {
                cells.push((self.key(rollup, row, (0, 0)), counts));
                continue;
            }
            let entries = self.listed.get(&row.input()).into_iter().flatten();
            cells.extend(entries.map(|&entry| (self.key(rollup, row, entry), counts)));
        }
        cells.sort_unstable_by_key(|cell| cell.0);
        cells.dedup_by(|next, cell| {
            let is_same = next.0 == cell.0;
            if is_same {
                cell.1.iter_mut().zip(next.1).for_each(|(sum, count)| *sum += count);
            }
            is_same
        });
        cells.retain(|(_, counts)| counts.iter().any(|&count| count != 0));
        cells
    }

    /// A key as integers that sort like its values. [`Tallied::value`] converts them back.
    fn key(&self, rollup: &Rollup, row: &Row, (category, list): (u32, u32)) -> [i64; WIDEST] {
        let rank = |number: u32| self.ranks[number as usize];
        let [test_name, probe_cc, domain, input, blocking_type] = row.texts;
        let start = |grain: Grain| grain.start(row.time).timestamp();
        let mut key = [0; WIDEST];
        for (value, dimension) in key.iter_mut().zip(rollup.key) {
            *value = match dimension {
                Dimension::Hour => start(Grain::Hour),
                Dimension::Day => start(Grain::Day),
                Dimension::Week => start(Grain::Week),
                Dimension::Month => start(Grain::Month),
                Dimension::TestName => rank(test_name),
                Dimension::ProbeCc => rank(probe_cc),
                Dimension::ProbeAsn => row.probe_asn,
                Dimension::Domain => rank(domain),
                Dimension::Input => rank(input),
                Dimension::BlockingType => rank(blocking_type),
                Dimension::CategoryCode => rank(category),
                Dimension::ListCc => rank(list),
            };
        }
        key
    }

    /// The value of a part of a key that is given as an integer.
    pub(crate) fn value(&self, dimension: Dimension, value: i64) -> Value<'_> {
        match dimension {
            time if time.is_time() => DateTime::from_timestamp(value).map_or(Value::Null, Value::Time),
            Dimension::ProbeAsn => Value::Int(value.unsigned_abs()),
            _ => Value::Text(Cow::Borrowed(&self.texts[value as usize])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::ROLLUPS;
    use ooni_core::time::SECONDS_PER_DAY;

    fn row(input: &str, time: i64, flags: &str) -> Cells<'static> {
        let text = |text: &str| Value::Text(Cow::Owned(text.to_owned()));
        let flag = |name: char| text(if flags.contains(name) { "t" } else { "f" });
        let time = Value::Time(DateTime::from_timestamp(time).unwrap());
        let [test, cc, domain, kind] = ["dash", "IT", "x.org", ""].map(text);
        [time, Value::Int(5), test, cc, domain, text(input), kind, flag('f'), flag('c'), flag('a')]
    }

    #[test]
    fn the_widest_key_fits() {
        assert!(ROLLUPS.iter().all(|rollup| rollup.key.len() <= WIDEST));
    }

    #[test]
    fn rows_are_counted_by_cell() {
        const DAY: i64 = SECONDS_PER_DAY;
        let mut tally = Tally::default();
        tally.subtract(&row("b", DAY, "ca"));
        tally.subtract(&row("b", 2 * DAY, ""));
        for (input, flags) in [("b", "fca"), ("a", "a"), ("b", "ca")] {
            tally.push(&row(input, DAY + 5, flags), 1);
        }
        assert_eq!(tally.inputs(), ["b", "a"]);
        let entry = |url: &str, cc: &str| ListedUrl {
            url: url.to_owned(),
            domain: String::new(),
            cc: cc.to_owned(),
            category_code: "NEWS".to_owned(),
        };
        let counted = tally.count(&[entry("a", "it"), entry("a", "ZZ"), entry("z", "ZZ")]);
        let changes = |name: &str| counted.changes(Rollup::named(name).unwrap()).collect::<Vec<_>>();
        let day = |day: i64| Value::Time(DateTime::from_timestamp(day * DAY).unwrap());
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        assert_eq!(
            changes("day_test"),
            [(vec![day(1), text("dash")], [2, 1, 0, 1, 1, 2]), (vec![day(2), text("dash")], [-1, 0, 0, 0, 0, 0]),]
        );
        assert_eq!(
            changes("category"),
            [
                (vec![text("NEWS"), text("ZZ"), day(1), text("dash"), text("IT")], [1, 0, 0, 1, 0, 1]),
                (vec![text("NEWS"), text("it"), day(1), text("dash"), text("IT")], [1, 0, 0, 1, 0, 1]),
            ]
        );
        let mut tally = Tally::default();
        tally.subtract(&row("a", DAY, "c"));
        tally.add_cells(&row("a", DAY, "c"));
        let counted = tally.count(&[]);
        assert!(ROLLUPS.iter().all(|rollup| counted.changes(rollup).next().is_none()), "nothing changes");
    }

    #[test]
    fn rows_that_are_deleted_and_added_cancel_out() {
        let [a, b, c] = [row("a", 7, "f"), row("b", 8, ""), row("a", 7, "fa")];
        let mut tally = Tally::default();
        tally.subtract(&b);
        [&a, &b, &c, &a].into_iter().for_each(|row| tally.add_cells(row));
        assert!(tally.has_deleted());
        let mut net = tally.net();
        assert!(!net.has_deleted() && !net.is_empty());
        assert_eq!(net.added().collect::<Vec<_>>(), [a.clone(), a.clone(), c.clone()]);
        net.subtract(&c);
        net.subtract(&a);
        net = net.net();
        assert_eq!(net.added().collect::<Vec<_>>(), std::slice::from_ref(&a));
        net.subtract(&a);
        net.subtract(&b);
        net = net.net();
        assert!(net.has_deleted());
        net.add_cells(&b);
        assert!(net.net().is_empty());
    }
}
