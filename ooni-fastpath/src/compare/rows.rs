//! Rows of two inputs against each other, by `measurement_uid`. A uid that occurs more than once is compared in the order
//! of its rows.

use super::input::{Form, Input};
use super::report::Report;
use super::sort::{Sorted, Sorter};
use std::cmp::Ordering;
use std::io;

/// Compares all rows; of each difference at most `examples` are kept. `update_time` is left out.
///
/// # Errors
/// A sentence that names the place, when an input cannot be read.
pub fn compare(left: &Input, right: &Input, examples: usize) -> Result<Report, String> {
    let form = left.form().max(right.form());
    let (mut left, mut right) = (sorted(left, form)?, sorted(right, form)?);
    let mut report = Report::new(examples);
    merge(&mut left, &mut right, &mut report).map_err(|error| format!("rows cannot be read back: {error}"))?;
    report.sort();
    Ok(report)
}

fn sorted(input: &Input, form: Form) -> Result<Sorted, String> {
    let mut sorter = Sorter::new();
    input.read(form, &mut |record| sorter.push(record))?;
    sorter.sorted().map_err(|error| format!("rows cannot be put in order: {error}"))
}

fn merge(left: &mut Sorted, right: &mut Sorted, report: &mut Report) -> io::Result<()> {
    let (mut a, mut b) = (left.next()?, right.next()?);
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.field(0).cmp(b.field(0)),
        };
        match (order, &a, &b) {
            (Ordering::Equal, Some(a), Some(b)) => report.records(a, b),
            (Ordering::Less, Some(a), _) => report.only(true, a.field(0)),
            (_, _, Some(b)) => report.only(false, b.field(0)),
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
