//! Converts YAML reports of 2012 to 2018 to current measurements (formats spec §11).
//!
//! [`frame`] splits a stream of bytes into entries. The first entry is the header of the report, for [`Report::header`]. Each
//! other entry is a measurement, which [`Report::entry`] normalizes and writes as text for
//! [`Reader::read_normalized`](crate::json::Reader::read_normalized). Each step has its own file.
//!
//! A measurement may keep values that JSON cannot represent, in fields that no step reads: bytes, sets, dates, and keys
//! that are not text. They are written as a mark and a description and read as
//! [`Kind::Foreign`](crate::json::Kind::Foreign). For a rule they have the wrong kind, lookups never find such keys, and in
//! a row they are descriptions, which no typed column accepts.

mod dns;
mod entry;
mod frame;
mod header;
mod http;
mod names;
mod path;
mod python;
mod request_line;
pub mod value;
mod write;
pub mod yaml;

pub use self::frame::{Framed, frame};

use self::path::EntryPath;
use self::value::{Mapping, MappingAccess, YamlValue};
use crate::error::Error;
use crate::json::{Limits, MAX_DEPTH};
use crate::uid;
use sha1::{Digest, Sha1};

/// A report: its header, including the changes that earlier entries made to it.
#[derive(Clone, Debug)]
pub struct Report {
    bucket_date: String,
    filename: String,
    limits: Limits,
    header: Option<Mapping<'static>>,
    /// The digest of the header's bytes; each entry's digest continues it.
    digest: Sha1,
}

/// Why an entry has no measurement. The report remains usable after both errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Only this entry is lost.
    #[error(transparent)]
    Skip(Error),
    /// The reference aborts the can here. A lenient reader continues with the next entry.
    #[error(transparent)]
    Abort(Error),
}

impl Report {
    /// A report in the bucket of a day, such as `2014-02-20`, and a file, such as `2014-02-20/f.yaml`. An entry that exceeds
    /// the limits is lost; a depth greater than [`MAX_DEPTH`] counts as [`MAX_DEPTH`].
    pub fn new(bucket_date: &str, report_filename: &str, limits: Limits) -> Report {
        Report {
            bucket_date: bucket_date.to_owned(),
            filename: report_filename.to_owned(),
            limits: Limits { depth: limits.depth.min(MAX_DEPTH), ..limits },
            header: None,
            digest: Sha1::new(),
        }
    }

    /// Reads the first framed entry, the header.
    ///
    /// # Errors
    /// It cannot be read or is not a header. Then the whole can is lost.
    pub fn header(&mut self, framed: &[u8]) -> Result<(), Error> {
        let header = yaml::load(framed, self.limits)?;
        self.header = Some(value::into_owned(header::prepare(header)?));
        self.digest = Sha1::new().chain_update(framed);
        Ok(())
    }

    /// Reads another framed entry, appends the normalized measurement to `out` and returns its trivial UID, which is also
    /// its last member, `measurement_uid`. `None` for an empty entry.
    ///
    /// # Errors
    /// The entry cannot be read or normalized. Then `out` is unchanged.
    pub fn entry(&mut self, framed: &[u8], out: &mut Vec<u8>) -> Result<Option<String>, EntryError> {
        let read = yaml::load(framed, self.limits).map_err(|error| match error.aborts() {
            true => EntryError::Abort(error.into()),
            false => EntryError::Skip(error.into()),
        })?;
        let mut entry = match read {
            empty if !empty.is_truthy() => return Ok(None),
            YamlValue::Mapping(entry) => entry,
            other => {
                let message = format!("expected a mapping as the entry, found {}", other.kind_name());
                return Err(EntryError::Abort(EntryPath::ROOT.error(message)));
            }
        };
        let Some(header) = &mut self.header else {
            return Err(EntryError::Abort(EntryPath::ROOT.error("the report has no header")));
        };
        if entry.at("test_start_time").is_some() {
            // Permanently: the header of later entries lacks it too.
            header.take("test_start_time");
        }
        value::update(&mut entry, value::borrowed(header));
        let digest = self.digest.clone().chain_update(framed).finalize();
        let start = out.len();
        let written = entry::normalize(&mut entry, &digest, &self.bucket_date, &self.filename).and_then(|()| {
            let uid = uid::trivial(framed, entry.at("measurement_start_time").and_then(YamlValue::as_text));
            entry.take("measurement_uid");
            entry.set("measurement_uid", YamlValue::Text(uid.clone().into_bytes().into()));
            write::write(&YamlValue::Mapping(entry), self.limits.depth, out)?;
            Ok(uid)
        });
        written.map(Some).map_err(|error| {
            out.truncate(start);
            EntryError::Skip(error)
        })
    }
}

/// The single document in `text`, written like a normalized measurement; for envelopes whose content is YAML.
pub(crate) fn document(text: &[u8], limits: Limits) -> Result<Vec<u8>, Error> {
    let limits = Limits { depth: limits.depth.min(MAX_DEPTH), ..limits };
    let mut out = Vec::new();
    write::write(&yaml::load(text, limits)?, limits.depth, &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests;
