//! Input and output rows of a store: [`ScoredRow`], [`BatchResult`], [`StoredRow`].

use crate::value::{self, FastpathValues, OpenvpnValues, Value};
use crate::write::rejection::Rejection;
use ooni_core::hex::hex;
use ooni_core::row::schema::fastpath;
use ooni_core::row::{FastpathRow, OpenvpnRow, Refused};
use serde::Serialize;
use std::borrow::Cow;
use std::ops::Index;
use std::sync::Arc;

/// A measurement to be stored.
#[derive(Clone, Debug)]
pub struct ScoredRow {
    /// Its row, which names the ruleset that scored it.
    pub row: Box<FastpathRow>,
    /// Its row of `obs_openvpn`, if it is an openvpn measurement.
    pub openvpn: Option<Box<OpenvpnRow>>,
    /// The location of its body; `None` until it is archived.
    pub body: Option<BodyLocation>,
    /// SHA-256 of its body as it was read: a line without its line ending, or a whole member or file.
    pub body_sha256: [u8; 32],
}

/// The location of a body (formats spec §9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BodyLocation {
    /// Key of the JSON Lines file.
    pub s3path: Arc<str>,
    /// Line in that file, from 0.
    pub linenum: u32,
    /// Day of the can, `YYYY-MM-DD`.
    pub date: Arc<str>,
    /// Key of the can that was read.
    pub source: Arc<str>,
    /// The gzip member that contains the line, if it is known. Without it, the file is read up to the line.
    pub member: Option<GzipMember>,
}

/// A gzip member of a JSON Lines file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GzipMember {
    /// Its first byte in the file.
    pub offset: u64,
    /// Its compressed length in bytes.
    pub length: u64,
    /// The line of the body in it, from 0.
    pub line: u32,
}

/// A row that can be written: a scored measurement, or one from another store.
pub trait Incoming: Send + Sync {
    /// Id of the measurement.
    fn uid(&self) -> &str;

    /// Its row.
    ///
    /// # Errors
    /// The column whose value no table accepts.
    fn cells(&self) -> Result<FastpathValues<'_>, Refused>;

    /// Its row of `obs_openvpn`, if it is an openvpn measurement.
    ///
    /// # Errors
    /// The column whose value no table accepts.
    fn openvpn(&self) -> Result<Option<OpenvpnValues<'_>>, Refused>;

    /// How the row was produced.
    fn provenance(&self) -> Provenance<'_>;

    /// The location of its body, if it is known. `None` keeps a location that the store has.
    fn body(&self) -> Option<&BodyLocation>;

    /// The row as JSON, stored if it is refused; for openvpn `{"row": …, "openvpn": …}`. Empty to store nothing.
    fn json(&self) -> Vec<u8>;
}

/// Input of one write: a `Vec` of any [`Incoming`], or a [`BatchInput`](crate::BatchInput).
pub trait RowBatch: Send + Sync {
    /// The number of rows.
    fn len(&self) -> usize;

    /// Whether there is nothing to write.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row at an index below [`RowBatch::len`].
    fn get(&self, index: usize) -> &(dyn Incoming + 'static);

    /// Cans that begin in the batch: their earlier rejections are deleted. Sorted, without duplicates.
    fn cans(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Rejected measurements, each with the number of rows before it.
    fn rejections(&self) -> Vec<(usize, &Rejection)> {
        Vec::new()
    }
}

impl<R: Incoming + 'static> RowBatch for Vec<R> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn get(&self, index: usize) -> &(dyn Incoming + 'static) {
        &self[index]
    }
}

impl Index<usize> for dyn RowBatch {
    type Output = dyn Incoming;

    fn index(&self, index: usize) -> &(dyn Incoming + 'static) {
        self.get(index)
    }
}

impl dyn RowBatch {
    /// All rows in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(dyn Incoming + 'static)> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// How a row was produced. Unknown values are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance<'r> {
    /// Name and version of the rules.
    pub ruleset: Cow<'r, str>,
    /// SHA-256 of the fingerprint lists.
    pub fingerprints_sha256: Cow<'r, str>,
    /// SHA-256 of the body as it was read.
    pub body_sha256: Cow<'r, str>,
}

impl Incoming for ScoredRow {
    fn uid(&self) -> &str {
        &self.row.measurement_uid
    }

    fn cells(&self) -> Result<FastpathValues<'_>, Refused> {
        value::fastpath(&self.row)
    }

    fn openvpn(&self) -> Result<Option<OpenvpnValues<'_>>, Refused> {
        self.openvpn.as_deref().map(value::openvpn).transpose()
    }

    fn provenance(&self) -> Provenance<'_> {
        let ruleset = &self.row.ruleset;
        Provenance {
            ruleset: Cow::Borrowed(&ruleset.rules),
            fingerprints_sha256: Cow::Borrowed(&ruleset.fingerprints),
            body_sha256: Cow::Owned(hex(self.body_sha256)),
        }
    }

    fn body(&self) -> Option<&BodyLocation> {
        self.body.as_ref()
    }

    fn json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.openvpn {
            None => self.row.write_json(&mut out),
            Some(openvpn) => {
                out.extend_from_slice(b"{\"row\":");
                self.row.write_json(&mut out);
                out.extend_from_slice(b",\"openvpn\":");
                openvpn.write_json(&mut out);
                out.push(b'}');
            }
        }
        out
    }
}

/// A measurement read from a store, to be written to another one.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMeasurement {
    /// Its row.
    pub row: Box<StoredRow>,
    /// Its row of `obs_openvpn`.
    pub openvpn: Option<Box<OpenvpnValues<'static>>>,
    /// How the row was produced.
    pub provenance: Provenance<'static>,
    /// The location of its body.
    pub body: Option<BodyLocation>,
}

impl Incoming for StoredMeasurement {
    fn uid(&self) -> &str {
        match &self.row[fastpath::measurement_uid] {
            Value::Text(uid) => uid,
            _ => "",
        }
    }

    fn cells(&self) -> Result<FastpathValues<'_>, Refused> {
        Ok(self.row.each_ref().map(Value::borrowed))
    }

    fn openvpn(&self) -> Result<Option<OpenvpnValues<'_>>, Refused> {
        Ok(self.openvpn.as_ref().map(|row| row.each_ref().map(Value::borrowed)))
    }

    fn provenance(&self) -> Provenance<'_> {
        let Provenance { ruleset, fingerprints_sha256, body_sha256 } = &self.provenance;
        Provenance {
            ruleset: Cow::Borrowed(ruleset),
            fingerprints_sha256: Cow::Borrowed(fingerprints_sha256),
            body_sha256: Cow::Borrowed(body_sha256),
        }
    }

    fn body(&self) -> Option<&BodyLocation> {
        self.body.as_ref()
    }

    /// The row was stored, so it can be refused only for its length.
    fn json(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// A refused measurement, to be stored as refused in another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRefusal {
    /// Id of the measurement.
    pub uid: String,
    /// The column whose value was refused, and the reason.
    pub refused: Refused,
    /// The row as JSON; empty if it was not kept.
    pub json: String,
    /// The location of its body.
    pub body: Option<BodyLocation>,
}

impl Incoming for StoredRefusal {
    fn uid(&self) -> &str {
        &self.uid
    }

    fn cells(&self) -> Result<FastpathValues<'_>, Refused> {
        Err(self.refused.clone())
    }

    fn openvpn(&self) -> Result<Option<OpenvpnValues<'_>>, Refused> {
        Ok(None)
    }

    fn provenance(&self) -> Provenance<'_> {
        Provenance::default()
    }

    fn body(&self) -> Option<&BodyLocation> {
        self.body.as_ref()
    }

    fn json(&self) -> Vec<u8> {
        self.json.clone().into_bytes()
    }
}

/// What to do with a measurement that is already stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Keep the stored one.
    Keep,
    /// Replace it: the row, the row of `obs_openvpn`, and the body location, unless the new one is not known.
    Replace,
}

/// The result of a batch.
///
/// Rows of the batch = `inserted + replaced + already + refused.len()`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchResult {
    /// Rows that were not stored before.
    pub inserted: u64,
    /// Rows that replaced stored ones.
    pub replaced: u64,
    /// Rows whose uid was already stored and which were not changed.
    pub already: u64,
    /// Measurements whose row the table refused.
    pub refused: Vec<Refusal>,
    /// Measurements whose row of `obs_openvpn` was refused. They are also counted above.
    pub without_openvpn: Vec<Refusal>,
}

/// The result of [`Store::set_body_locations`](crate::Store::set_body_locations). Each uid is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LocationsSet {
    /// Measurements with a row.
    pub with_row: u64,
    /// Measurements without a row: discarded, rejected, refused, or not scored yet.
    pub without_row: u64,
    /// Measurements that were removed permanently. Their locations are not kept.
    pub removed: u64,
}

/// A refused row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its index in the batch.
    pub index: usize,
    /// The column whose value was refused; for `obs_openvpn`, `obs_openvpn.NAME`.
    pub column: String,
    /// What is wrong with the value.
    pub message: String,
}

/// A row as it is stored.
pub type StoredRow = FastpathValues<'static>;

/// A URL of a test list (API spec §14.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ListedUrl {
    /// The exact URL, as in `input` of measurements.
    pub url: String,
    /// Host name or address, without port.
    pub domain: String,
    /// The country of the list in lower case, as in the name of its file; `ZZ` for the global list.
    pub cc: String,
    /// One of the codes of API spec §2.3.
    pub category_code: String,
}
