//! What goes into a store and what comes out: [`ScoredRow`], [`BatchResult`], [`StoredRow`].

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
    /// Its row, which names the ruleset that it was scored by.
    pub row: Box<FastpathRow>,
    /// Its row of `obs_openvpn`, if it is of that test.
    pub openvpn: Option<Box<OpenvpnRow>>,
    /// Where its body is.
    pub body: BodyLocation,
    /// SHA-256 of its body as it was read: a line without its end, a member or a file whole.
    pub body_sha256: [u8; 32],
}

/// Where a body is (formats spec §9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BodyLocation {
    /// Key of the file of lines.
    pub s3path: Arc<str>,
    /// Its line in there, from 0.
    pub linenum: u32,
    /// Day of the can, `YYYY-MM-DD`.
    pub date: Arc<str>,
    /// Key of the can that was read.
    pub source: Arc<str>,
}

/// What can be written: a measurement that has been scored, or one out of another store.
pub trait Incoming: Send + Sync {
    /// Id of the measurement.
    fn uid(&self) -> &str;

    /// Its row.
    ///
    /// # Errors
    /// The column that no table takes.
    fn cells(&self) -> Result<FastpathValues<'_>, Refused>;

    /// Its row of `obs_openvpn`, if it is of that test.
    ///
    /// # Errors
    /// The column that no table takes.
    fn openvpn(&self) -> Result<Option<OpenvpnValues<'_>>, Refused>;

    /// What stands beside the row.
    fn provenance(&self) -> Provenance<'_>;

    /// Where its body is, if that is known.
    fn body(&self) -> Option<&BodyLocation>;

    /// Its row as JSON, to be set aside; of openvpn `{"row": …, "openvpn": …}`. Empty for nothing to be kept.
    fn json(&self) -> Vec<u8>;
}

/// What is written at once: a `Vec` of any [`Incoming`], or a [`BatchInput`](crate::BatchInput).
pub trait RowBatch: Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is nothing to write.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row at a place below [`RowBatch::len`].
    fn get(&self, index: usize) -> &(dyn Incoming + 'static);

    /// Cans whose first part is in the batch: their earlier rejections are deleted. In order, each once.
    fn cans(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Measurements that were rejected, each with the number of rows before it.
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
    /// All rows in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(dyn Incoming + 'static)> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// What a row was made of and by, in texts that are empty where it is not known.
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
        Some(&self.body)
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

/// A measurement as a store has it, to be put into another one.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMeasurement {
    /// Its row.
    pub row: Box<StoredRow>,
    /// Its row of `obs_openvpn`.
    pub openvpn: Option<Box<OpenvpnValues<'static>>>,
    /// What stands beside the row.
    pub provenance: Provenance<'static>,
    /// Where its body is.
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

    /// It was in a table, so no table refuses it but for its length.
    fn json(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// A measurement that was set aside, to be set aside in another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRefusal {
    /// Id of the measurement.
    pub uid: String,
    /// The column that did not take its value, and what is wrong with that.
    pub refused: Refused,
    /// Its row as JSON; empty where that was not kept.
    pub json: String,
    /// Where its body is.
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

/// What to do about a measurement that is in the store already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Leave it as it is.
    Keep,
    /// Put the new one in its place: row, body place and row of `obs_openvpn`.
    Replace,
}

/// What became of a batch.
///
/// Rows of the batch = `inserted + replaced + already + refused.len()`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchResult {
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that took the place of others.
    pub replaced: u64,
    /// Rows whose uid was there and that were left alone.
    pub already: u64,
    /// Measurements whose row the table does not take.
    pub refused: Vec<Refusal>,
    /// Measurements that are counted above, and whose row of `obs_openvpn` its table does not take.
    pub without_openvpn: Vec<Refusal>,
}

/// A row that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its place in the batch.
    pub index: usize,
    /// The column that does not take its value; of `obs_openvpn`, `obs_openvpn.NAME`.
    pub column: String,
    /// What is wrong with the value.
    pub message: String,
}

/// A row as a store has it.
pub type StoredRow = FastpathValues<'static>;

/// A URL of a test list (API spec §14.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ListedUrl {
    /// The exact URL, as measurements have it in `input`.
    pub url: String,
    /// Host name or address, without port.
    pub domain: String,
    /// Country of the list as its file is named, lower case; `ZZ` for the global list.
    pub cc: String,
    /// One of the codes of API spec §2.3.
    pub category_code: String,
}
