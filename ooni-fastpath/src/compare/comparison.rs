//! [`Comparison`]: counts of the differences between two sets of rows, with a few examples of each.

use super::record::Record;
use ooni_core::row::schema::fastpath;
use serde::Serialize;
use std::collections::BTreeMap;

/// Maximum number of tests that are counted separately. Names come from measurements, so their number is unbounded.
const MOST_TESTS: usize = 1000;

/// Maximum bytes of a value in an example.
const LONGEST: usize = 2000;

/// The differences between two sets of rows.
#[derive(Debug, Default, Serialize)]
pub struct Comparison {
    /// Rows of the first input.
    pub left_rows: u64,
    /// Rows of the second input.
    pub right_rows: u64,
    /// Rows of both that are equal.
    pub same: u64,
    /// Rows of both that differ in a column.
    pub different: u64,
    /// Rows only in the first input.
    pub only_left: Only,
    /// Rows only in the second input.
    pub only_right: Only,
    /// The differences by test and column.
    pub columns: Vec<ColumnDifference>,
    /// The index in `columns` of a test and column.
    #[serde(skip)]
    at: BTreeMap<(String, usize), usize>,
    /// Maximum number of examples of each difference.
    #[serde(skip)]
    examples: usize,
}

/// The number of rows in only one input, with a few of their uids.
#[derive(Debug, Default, Serialize)]
pub struct Only {
    /// How many there are.
    pub rows: u64,
    /// The first uids.
    pub examples: Vec<String>,
}

/// A column that differs in rows of a test.
#[derive(Debug, Serialize)]
pub struct ColumnDifference {
    /// Name of the test.
    pub test: String,
    /// Name of the column.
    pub column: &'static str,
    /// How many rows differ.
    pub rows: u64,
    /// The first ones.
    pub examples: Vec<Example>,
}

/// A row that differs.
#[derive(Debug, Serialize)]
pub struct Example {
    /// Id of the measurement.
    pub measurement_uid: String,
    /// The value in the first input.
    pub left: String,
    /// The value in the second input.
    pub right: String,
}

impl Comparison {
    /// An empty comparison that keeps at most `examples` examples of each difference.
    pub fn new(examples: usize) -> Comparison {
        Comparison { examples, ..Comparison::default() }
    }

    /// Whether all rows are equal.
    pub fn is_equal(&self) -> bool {
        self.different == 0 && self.only_left.rows == 0 && self.only_right.rows == 0
    }

    /// Counts a row that is in one input only.
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

    /// Counts a row that is in both inputs; the values are in the order of [`fastpath::COLUMNS`].
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

    /// Counts a row that is in both inputs, given as records of these values.
    pub fn records(&mut self, left: &Record, right: &Record) {
        let test = left.field(fastpath::test_name);
        // As JSON it is quoted.
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
            columns.push(ColumnDifference { test, column: name, rows: 0, examples: Vec::new() });
            columns.len() - 1
        });
        let difference = &mut columns[at];
        difference.rows += 1;
        if difference.examples.len() < self.examples {
            let (left, right) = (shown(left), shown(right));
            difference.examples.push(Example { measurement_uid: shown(uid), left, right });
        }
    }

    /// Sorts the differences by test, the most frequent first.
    pub fn sort(&mut self) {
        self.columns.sort_by(|a, b| (&a.test, b.rows, a.column).cmp(&(&b.test, a.rows, b.column)));
        self.at.clear();
    }
}

/// A value as text, truncated for an example.
pub(super) fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(LONGEST)]);
    if value.len() > LONGEST { format!("{text}…") } else { text.into_owned() }
}
