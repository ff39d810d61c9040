//! [`Archives`]: the archive, for the archiver to write and for handlers to read.

use crate::config::Config;
use bytes::Bytes;
use ooni_archive::body::{BodyError, BodyMemory, LineMember, PostStream};
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
        Ok(ArchivedBody { text: body.text, has_envelope, is_changed: body.kind == Kind::Yaml })
    }

    /// The POST body with a uid in the postcan from which its line or its row was made; `None` if the location names none.
    ///
    /// # Errors
    /// The postcan cannot be read, or has no such member.
    pub async fn post(&self, location: &BodyLocation, uid: &str) -> Result<Option<PostStream>, BodyError> {
        let source = if location.source.is_empty() { &location.s3path } else { &location.source };
        if !source.ends_with(".tar.gz") {
            return Ok(None);
        }
        self.reader.post(source, uid).await.map(Some)
    }
}

/// A body of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedBody {
    /// Its text.
    pub text: Bytes,
    /// Whether it is a POST body: the measurement is in an envelope.
    pub has_envelope: bool,
    /// Whether the text is not that of the file: an entry of a YAML report.
    pub is_changed: bool,
}

/// The selection matters to listings only.
fn everything() -> Selection {
    let day = Day::today();
    Selection { days: DayRange { start: day, end: day }, ccs: BTreeSet::new(), testnames: BTreeSet::new() }
}
