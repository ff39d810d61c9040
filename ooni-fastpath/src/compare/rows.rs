//! Compares the rows of two inputs by `measurement_uid`. If a uid occurs more than once, its rows are compared in order.

use super::comparison::Comparison;
use super::input::{Input, Precision};
use super::sort::{Sorted, Sorter};
use std::cmp::Ordering;
use std::io;

/// Compares all rows, and keeps at most `examples` examples of each difference. `update_time` is ignored.
///
/// # Errors
/// A sentence that names the location, when an input cannot be read.
pub fn compare(left: &Input, right: &Input, examples: usize) -> Result<Comparison, String> {
    let precision = left.precision().max(right.precision());
    let (mut left, mut right) = (sorted(left, precision)?, sorted(right, precision)?);
    let mut comparison = Comparison::new(examples);
    merge(&mut left, &mut right, &mut comparison).map_err(|error| format!("cannot read sorted rows: {error}"))?;
    comparison.sort();
    Ok(comparison)
}

fn sorted(input: &Input, precision: Precision) -> Result<Sorted, String> {
    let mut sorter = Sorter::new();
    input.read(precision, &mut |record| sorter.push(record))?;
    sorter.sorted().map_err(|error| format!("cannot sort rows: {error}"))
}

fn merge(left: &mut Sorted, right: &mut Sorted, comparison: &mut Comparison) -> io::Result<()> {
    let (mut a, mut b) = (left.next()?, right.next()?);
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.field(0).cmp(b.field(0)),
        };
        match (order, &a, &b) {
            (Ordering::Equal, Some(a), Some(b)) => comparison.records(a, b),
            (Ordering::Less, Some(a), _) => comparison.only(true, a.field(0)),
            (_, _, Some(b)) => comparison.only(false, b.field(0)),
            _ => {}
        }
        if order != Ordering::Greater {
            a = left.next()?;
        }
        if order != Ordering::Less {
            b = right.next()?;
        }
    }
}
