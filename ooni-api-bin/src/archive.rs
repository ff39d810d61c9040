//! [`Archives`]: the archive, for the archiver to write and for handlers to read.

use crate::config::Config;
use bytes::Bytes;
use ooni_archive::body::{BodyError, BodyMemory, LineMember};
use ooni_archive::chunk::Kind;
use ooni_archive::source::archive::{Archive, Location, Options, RetryPolicy};
use ooni_archive::writer::ArchiveWriter;
use ooni_archive::{Day, DayRange, Selection};
use ooni_store::BodyLocation;
use std::collections::BTreeSet;

/// The archive of a configuration. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archives {
    reader: Archive,
    writer: ArchiveWriter,
}

impl Archives {
    /// Opens the archive. No request is sent yet. Large bodies are read within `memory`.
    ///
    /// # Errors
    /// A sentence, for a location that is not one.
    pub fn open(config: &Config, memory: &BodyMemory) -> Result<Archives, String> {
        let settings = &config.archive;
        let location = match &*settings.location {
            "" => Location::Directory(config.state_dir.join("archive")),
            location => {
                let endpoint = Some(&*settings.endpoint).filter(|endpoint| !endpoint.is_empty());
                Location::parse(location, endpoint)?
            }
        };
        let writer = ArchiveWriter::open(location.clone(), RetryPolicy::default())?;
        let options = Options { memory: Some(memory.clone()), ..Options::default() };
        let reader = Archive::open(vec![location], everything(), options)?;
        Ok(Archives { reader, writer })
    }

    /// For the archiver.
    pub fn writer(&self) -> &ArchiveWriter {
        &self.writer
    }

    /// A body by its location.
    ///
    /// # Errors
    /// It cannot be read, or is not there.
    pub async fn body(&self, location: &BodyLocation) -> Result<ArchivedBody, BodyError> {
        let member = location.member.map(|member| LineMember {
            offset: member.offset,
            length: member.length,
            line: u64::from(member.line),
        });
        let body = self.reader.line(&location.s3path, u64::from(location.linenum), member).await?;
        let has_envelope = matches!(body.kind, Kind::Post | Kind::Document);
        Ok(ArchivedBody { text: body.text, has_envelope })
    }
}

/// A body of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedBody {
    /// Its text.
    pub text: Bytes,
    /// Whether it is a POST body: the measurement is in an envelope.
    pub has_envelope: bool,
}

/// The selection matters to listings only.
fn everything() -> Selection {
    let day = Day::today();
    Selection { days: DayRange { start: day, end: day }, ccs: BTreeSet::new(), testnames: BTreeSet::new() }
}
