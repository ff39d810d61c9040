//! [`Tally`]: sums the effect of a change on the cells of rollups, for engines that update rollups in the transaction that
//! changes the rows. `sql::counts` defines the content of a cell; `rollup check` compares the two.

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

/// The columns at [`POSITIONS`]. Engines return deleted rows with these columns, in this order.
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

/// The rows that a change adds and deletes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: Vec<Row>,
    texts: Interner,
}

/// The columns of a row that rollups use. Texts are numbers of the [`Interner`].
#[derive(Debug)]
struct Row {
    time: DateTime,
    probe_asn: i64,
    test_name: u32,
    probe_cc: u32,
    domain: u32,
    input: u32,
    blocking_type: u32,
    counts: [i64; COUNTS.len()],
}

/// Interned texts and their numbers.
#[derive(Debug, Default)]
struct Interner(HashMap<Box<str>, u32>);

impl Interner {
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
    pub(crate) fn add_cells(&mut self, row: &[Value<'_>; 10]) {
        self.push(row, 1);
    }

    /// Subtracts a deleted row, given its [`COLUMNS`].
    pub(crate) fn subtract(&mut self, row: &[Value<'_>; 10]) {
        self.push(row, -1);
    }

    fn push(&mut self, row: &[Value<'_>; 10], sign: i64) {
        // Always matches: these are the types of the columns.
        let [Value::Time(time), Value::Int(probe_asn), texts @ ..] = row else { return };
        let mut text = |index: usize| {
            let text: &str = if let Value::Text(text) = &texts[index] { text } else { "" };
            self.texts.number(text)
        };
        let [test_name, probe_cc, domain, input, blocking_type] = [text(0), text(1), text(2), text(3), text(4)];
        let is_set = |index: usize| matches!(&texts[index], Value::Text(flag) if flag == "t");
        let (failure, confirmed, anomaly) = (is_set(5), is_set(6), is_set(7));
        let holds = [true, failure, confirmed && !failure, anomaly && !confirmed && !failure, confirmed, anomaly];
        let counts = holds.map(|holds| sign * i64::from(holds));
        let probe_asn = i64::try_from(*probe_asn).unwrap_or(i64::MAX);
        self.rows.push(Row { time: *time, probe_asn, test_name, probe_cc, domain, input, blocking_type, counts });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The distinct inputs of the rows.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let mut inputs: Vec<u32> = self.rows.iter().map(|row| row.input).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let texts: HashMap<u32, &str> = self.texts.0.iter().map(|(text, &number)| (number, &**text)).collect();
        inputs.iter().filter_map(|input| texts.get(input)).map(|&text| text.to_owned()).collect()
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
    rows: Vec<Row>,
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
        self.changes_of(rollup, self.cells(rollup))
    }

    /// The changed cells of a rollup as integers, for [`Tallied::changes_of`].
    pub(crate) fn cells(&self, rollup: &Rollup) -> Vec<CellNumbers> {
        let mut cells: Vec<CellNumbers> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            if !rollup.is_of_lists() {
                cells.push((self.key(rollup, row, (0, 0)), row.counts));
                continue;
            }
            let entries = self.listed.get(&row.input).into_iter().flatten();
            cells.extend(entries.map(|&entry| (self.key(rollup, row, entry), row.counts)));
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

    /// The changed cells of a rollup, given as integers.
    pub(crate) fn changes_of<'t>(
        &'t self,
        rollup: &Rollup,
        cells: Vec<CellNumbers>,
    ) -> impl Iterator<Item = CellChange<'t>> {
        let key = rollup.key;
        cells.into_iter().map(move |(values, counts)| {
            let values = key.iter().zip(values).map(|(&dimension, value)| self.value(dimension, value));
            (values.collect(), counts)
        })
    }

    /// A key as integers that sort like its values. [`Tallied::value`] converts them back.
    fn key(&self, rollup: &Rollup, row: &Row, (category, list): (u32, u32)) -> [i64; WIDEST] {
        let rank = |number: u32| self.ranks[number as usize];
        let start = |grain: Grain| grain.start(row.time).timestamp();
        let mut key = [0; WIDEST];
        for (value, dimension) in key.iter_mut().zip(rollup.key) {
            *value = match dimension {
                Dimension::Hour => start(Grain::Hour),
                Dimension::Day => start(Grain::Day),
                Dimension::Week => start(Grain::Week),
                Dimension::Month => start(Grain::Month),
                Dimension::TestName => rank(row.test_name),
                Dimension::ProbeCc => rank(row.probe_cc),
                Dimension::ProbeAsn => row.probe_asn,
                Dimension::Domain => rank(row.domain),
                Dimension::Input => rank(row.input),
                Dimension::BlockingType => rank(row.blocking_type),
                Dimension::CategoryCode => rank(category),
                Dimension::ListCc => rank(list),
            };
        }
        key
    }

    fn value(&self, dimension: Dimension, value: i64) -> Value<'_> {
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

    fn row(input: &str, time: i64, flags: &str) -> [Value<'static>; 10] {
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
        tally.push(&row("a", DAY, "c"), 1);
        let counted = tally.count(&[]);
        assert!(ROLLUPS.iter().all(|rollup| counted.changes(rollup).next().is_none()), "nothing changes");
    }
}
