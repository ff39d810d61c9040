//! [`Report`]: what differs, counted, with a few examples of each.

use super::record::Record;
use ooni_core::row::schema::fastpath;
use serde::Serialize;
use std::collections::BTreeMap;

/// Maximum number of tests that a report counts separately. Names come from measurements, so their number is unlimited.
const MOST_TESTS: usize = 1000;

/// Bytes of a value that an example shows.
const LONGEST: usize = 2000;

/// Which rows differ.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Rows of the first.
    pub left_rows: u64,
    /// Rows of the second.
    pub right_rows: u64,
    /// Rows of both that are the same.
    pub same: u64,
    /// Rows of both with another value in some column.
    pub different: u64,
    /// Rows that only the first has.
    pub only_left: Only,
    /// Rows that only the second has.
    pub only_right: Only,
    /// Of those that differ, by test and column.
    pub columns: Vec<Difference>,
    #[serde(skip)]
    at: BTreeMap<(String, usize), usize>,
    #[serde(skip)]
    examples: usize,
}

/// A number of rows, and the uids of a few.
#[derive(Debug, Default, Serialize)]
pub struct Only {
    /// How many.
    pub rows: u64,
    /// The first.
    pub examples: Vec<String>,
}

/// A column that differs in rows of a test.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Name of the test.
    pub test: String,
    /// Name of the column.
    pub column: &'static str,
    /// How many rows.
    pub rows: u64,
    /// The first.
    pub examples: Vec<Example>,
}

/// A row that differs.
#[derive(Debug, Serialize)]
pub struct Example {
    /// Id of the measurement.
    pub measurement_uid: String,
    /// The value of the first.
    pub left: String,
    /// The value of the second.
    pub right: String,
}

impl Report {
    /// An empty report with at most so many examples of each.
    pub fn new(examples: usize) -> Report {
        Report { examples, ..Report::default() }
    }

    /// Whether all rows are the same.
    pub fn is_equal(&self) -> bool {
        self.different == 0 && self.only_left.rows == 0 && self.only_right.rows == 0
    }

    /// Notes a row that the other does not have.
    pub fn only(&mut self, left: bool, uid: &[u8]) {
        let (rows, only) = match left {
            true => (&mut self.left_rows, &mut self.only_left),
            false => (&mut self.right_rows, &mut self.only_right),
        };
        *rows += 1;
        only.rows += 1;
        if only.examples.len() < self.examples {
            only.examples.push(shown(uid));
        }
    }

    /// Notes a row that both have; the values are those of [`fastpath::COLUMNS`].
    pub fn both<'r>(
        &mut self,
        uid: &[u8],
        test: &[u8],
        left: impl Iterator<Item = &'r [u8]>,
        right: impl Iterator<Item = &'r [u8]>,
    ) {
        self.left_rows += 1;
        self.right_rows += 1;
        let mut same = true;
        for (column, (left, right)) in left.zip(right).enumerate().filter(|(_, (left, right))| left != right) {
            same = false;
            self.differs(uid, test, column, left, right);
        }
        *(if same { &mut self.same } else { &mut self.different }) += 1;
    }

    /// The same for records with just these values.
    pub fn records(&mut self, left: &Record, right: &Record) {
        let test = left.field(fastpath::test_name);
        // In the form of JSON it is in quotes.
        let name = test.strip_prefix(b"\"").and_then(|test| test.strip_suffix(b"\"")).unwrap_or(test);
        self.both(left.field(0), name, left.fields(), right.fields());
    }

    fn differs(&mut self, uid: &[u8], test: &[u8], column: usize, left: &[u8], right: &[u8]) {
        let mut test = shown(test);
        if self.at.len() >= MOST_TESTS * fastpath::LEN && !self.at.contains_key(&(test.clone(), column)) {
            test = "(other tests)".to_owned();
        }
        let columns = &mut self.columns;
        let at = *self.at.entry((test.clone(), column)).or_insert_with(|| {
            let name = fastpath::NAMES.get(column).copied().unwrap_or_default();
            columns.push(Difference { test, column: name, rows: 0, examples: Vec::new() });
            columns.len() - 1
        });
        let difference = &mut columns[at];
        difference.rows += 1;
        if difference.examples.len() < self.examples {
            let (left, right) = (shown(left), shown(right));
            difference.examples.push(Example { measurement_uid: shown(uid), left, right });
        }
    }

    /// Puts the differences in order: by test, the most frequent first.
    pub fn sort(&mut self) {
        self.columns.sort_by(|a, b| (&a.test, b.rows, a.column).cmp(&(&b.test, a.rows, b.column)));
        self.at.clear();
    }
}

/// A value fit to be kept as an example.
pub(super) fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(LONGEST)]);
    if value.len() > LONGEST { format!("{text}…") } else { text.into_owned() }
}
