//! What goes into a store and what comes out: [`NewRow`], [`Written`], [`StoredRow`].

use crate::cell::Cell;
use ooni_core::row::{FastpathRow, OpenvpnRow};
use std::sync::Arc;

/// A measurement to be stored.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Its row, which names the ruleset that it was scored by.
    pub row: Box<FastpathRow>,
    /// Its row of `obs_openvpn`, if it is of that test.
    pub openvpn: Option<Box<OpenvpnRow>>,
    /// Where its body is.
    pub body: BodyPlace,
    /// SHA-256 of its body as it was read: a line without its end, a member or a file whole.
    pub body_sha256: [u8; 32],
}

/// Where a body is (formats spec §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyPlace {
    /// Key of the file of lines.
    pub s3path: Arc<str>,
    /// Its line in there, from 0.
    pub linenum: u32,
    /// Day of the can, `YYYY-MM-DD`.
    pub date: Arc<str>,
    /// Key of the can that was read.
    pub source: Arc<str>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in the batch.
    pub index: usize,
    /// The column that does not take its value; of `obs_openvpn`, `obs_openvpn.NAME`.
    pub column: String,
    /// What is wrong with the value.
    pub message: String,
}

/// A row as a store has it, in the order of [`cell::FASTPATH`](crate::cell::FASTPATH).
pub type StoredRow = [Cell<'static>; 26];

/// A URL of a test list (API spec §14.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
