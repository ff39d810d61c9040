//! Decides the outcome of a batch before anything is written, for engines that write a batch as a set.
//!
//! The outcome equals that of writing the rows one after another.

use crate::value::{FastpathValues, OpenvpnValues, Value};
use crate::write::rejection::{LONGEST_KEY, Rejection};
use crate::write::row::{BatchResult, Incoming, Refusal, RowBatch};
use ooni_core::row::Refused;
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// A row that the tables accept.
pub(crate) struct Taken<'r> {
    /// Its index in the batch.
    pub(crate) index: usize,
    /// Its row.
    pub(crate) cells: FastpathValues<'r>,
    /// Its row of `obs_openvpn`, which few have.
    pub(crate) openvpn: Option<Box<OpenvpnValues<'r>>>,
}

impl Taken<'_> {
    /// When the measurement started.
    pub(crate) fn time(&self) -> Option<DateTime> {
        if let Value::Time(time) = self.cells[fastpath::measurement_start_time] { Some(time) } else { None }
    }
}

/// The outcome of a batch.
#[derive(Default)]
pub(crate) struct Decided<'r> {
    /// Accepted rows, one per uid.
    pub(crate) taken: Vec<Taken<'r>>,
    /// Accepted rows beyond the first of each uid.
    pub(crate) duplicates: u64,
    /// All refused rows.
    pub(crate) refused: Vec<Refusal>,
    /// All rows that are accepted without their row of `obs_openvpn`.
    pub(crate) without_openvpn: Vec<Refusal>,
    /// Refusals to be stored, one per uid.
    pub(crate) set_aside: Vec<Refusal>,
    /// Cans whose rejections are deleted before new ones are written.
    pub(crate) cans: Vec<&'r str>,
    /// Uids of rows that are accepted or already stored: their rejections are deleted as well.
    pub(crate) stored: Vec<&'r str>,
    /// Rejections to be written, one per key.
    pub(crate) rejected: Vec<&'r Rejection>,
}

/// The uids of a batch, with duplicates.
pub(crate) fn uids<'r>(rows: &'r (dyn RowBatch + 'static)) -> impl Iterator<Item = &'r str> {
    let rejected = rows.rejections().into_iter().filter_map(|(_, rejection)| rejection.uid.as_deref());
    rows.iter().map(|row| row.uid()).chain(rejected)
}

/// Decides the outcome. `removed` maps removed [`uids`] to the reason. Rows of more than `longest_row` bytes are refused.
pub(crate) fn decide<'r>(
    rows: &'r (dyn RowBatch + 'static),
    replace: bool,
    removed: &HashMap<String, String>,
    longest_row: usize,
) -> Decided<'r> {
    let mut decided = Decided::default();
    let mut taken: Vec<Taken<'r>> = Vec::with_capacity(rows.len());
    // Their positions. Ordered by uid, so that neighbouring rows are neighbours in the index.
    let mut by_uid: BTreeMap<&str, usize> = BTreeMap::new();
    let mut aside: BTreeMap<&str, Refusal> = BTreeMap::new();
    // The last accepted row of each uid.
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let uid = row.uid();
        let refusal = |column: String, message: String| Refusal { index, column, message };
        if let Some(reason) = removed.get(uid) {
            decided.refused.push(refusal("measurement_uid".to_owned(), format!("was removed: {reason}")));
            continue;
        }
        let openvpn = row.openvpn();
        let fitting = row.cells().and_then(|cells| {
            fits(&cells, openvpn.as_ref().ok().and_then(Option::as_ref), longest_row)?;
            Ok(cells)
        });
        let mut set_aside = |refusal: &Refusal| match replace {
            true => drop(aside.insert(uid, refusal.clone())),
            false => drop(aside.entry(uid).or_insert_with(|| refusal.clone())),
        };
        let cells = match fitting {
            Ok(cells) => cells,
            Err(Refused { column, message }) => {
                let refusal = refusal(column, message);
                set_aside(&refusal);
                decided.refused.push(refusal);
                continue;
            }
        };
        let openvpn = match openvpn {
            Ok(openvpn) => {
                if replace {
                    aside.remove(uid);
                }
                openvpn
            }
            Err(Refused { column, message }) => {
                let refusal = refusal(format!("obs_openvpn.{column}"), message);
                set_aside(&refusal);
                decided.without_openvpn.push(refusal);
                None
            }
        };
        last.insert(uid, index);
        let row = Taken { index, cells, openvpn: openvpn.map(Box::new) };
        match by_uid.entry(uid) {
            Entry::Vacant(entry) => {
                entry.insert(taken.len());
                taken.push(row);
            }
            Entry::Occupied(entry) => {
                decided.duplicates += 1;
                if replace {
                    taken[*entry.get()] = row;
                }
            }
        }
    }
    decided.stored = by_uid.keys().copied().collect();
    taken.sort_by_cached_key(|row| rows[row.index].uid());
    decided.taken = taken;
    decided.set_aside = aside.into_values().collect();
    decided.cans = rows.cans();
    decided.rejected = rejected(rows, removed, &last);
    decided
}

/// The rejections to keep: the first of each key, and none of a measurement that was removed or is stored later in the
/// batch.
fn rejected<'r>(
    rows: &'r (dyn RowBatch + 'static),
    removed: &HashMap<String, String>,
    last: &HashMap<&str, usize>,
) -> Vec<&'r Rejection> {
    let mut kept = BTreeMap::new();
    for (rows_before, rejection) in rows.rejections() {
        if let Some(uid) = &rejection.uid
            && (removed.contains_key(uid) || last.get(&**uid).is_some_and(|&row| row >= rows_before))
        {
            continue;
        }
        kept.entry((&*rejection.can, rejection.position)).or_insert(rejection);
    }
    kept.into_values().collect()
}

impl<'r> Decided<'r> {
    /// The result, given how many of the uids were already stored.
    pub(crate) fn written(self, existing: u64, replace: bool) -> BatchResult {
        let again = existing + self.duplicates;
        BatchResult {
            inserted: (self.taken.len() as u64).saturating_sub(existing),
            replaced: if replace { again } else { 0 },
            already: if replace { 0 } else { again },
            refused: self.refused,
            without_openvpn: self.without_openvpn,
        }
    }
}

/// Maximum bytes of a refused row that is kept as JSON. The body of a longer one can be found by its location.
const LONGEST_REFUSED: usize = 1 << 20;

/// A refused row as ASCII JSON, if there is any and it is short enough to keep.
pub(crate) fn json(new: &dyn Incoming) -> Option<String> {
    let json = new.json();
    (1..=LONGEST_REFUSED).contains(&json.len()).then(|| String::from_utf8_lossy(&json).into_owned())
}

/// Refuses a row whose uid is too long, or that is too long together with its row of `obs_openvpn`.
fn fits(cells: &FastpathValues<'_>, openvpn: Option<&OpenvpnValues<'_>>, longest_row: usize) -> Result<(), Refused> {
    if let Value::Text(uid) = &cells[fastpath::measurement_uid]
        && uid.len() > LONGEST_KEY
    {
        let message = format!("{} bytes; the limit is {LONGEST_KEY}", uid.len());
        return Err(Refused { column: "measurement_uid".to_owned(), message });
    }
    let (mut all, mut longest) = (0, (0, 0));
    for (column, cell) in cells.iter().chain(openvpn.into_iter().flatten()).enumerate() {
        let Value::Text(text) = cell else { continue };
        all += text.len();
        if text.len() > longest.1 {
            longest = (column, text.len());
        }
    }
    if all <= longest_row {
        return Ok(());
    }
    let (column, length) = longest;
    Err(Refused {
        column: fastpath::NAMES.get(column).map_or("obs_openvpn", |name| *name).to_owned(),
        message: format!("{length} bytes, in a row that is too long for this store"),
    })
}
