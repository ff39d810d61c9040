//! [`Archives`]: the archive, for the archiver to write and for handlers to read.

use crate::bodies::content;
use crate::config::Config;
use bytes::Bytes;
use ooni_archive::body::{BodyError, LineMember};
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
    /// Opens the archive. No request is sent yet.
    ///
    /// # Errors
    /// A sentence, for a location that is not one.
    pub fn open(config: &Config) -> Result<Archives, String> {
        let settings = &config.archive;
        let location = match &*settings.location {
            "" => Location::Directory(config.state_dir.join("archive")),
            location => {
                let endpoint = Some(&*settings.endpoint).filter(|endpoint| !endpoint.is_empty());
                Location::parse(location, endpoint)?
            }
        };
        let writer = ArchiveWriter::open(location.clone(), RetryPolicy::default())?;
        let reader = Archive::open(vec![location], everything(), Options::default())?;
        Ok(Archives { reader, writer })
    }

    /// For the archiver.
    pub fn writer(&self) -> &ArchiveWriter {
        &self.writer
    }

    /// A measurement without its envelope; `None` if what is there has none.
    ///
    /// # Errors
    /// It cannot be read, or is not there.
    pub async fn measurement(&self, location: &BodyLocation) -> Result<Option<Bytes>, BodyError> {
        let member = location.member.map(|member| LineMember {
            offset: member.offset,
            length: member.length,
            line: u64::from(member.line),
        });
        let body = self.reader.line(&location.s3path, u64::from(location.linenum), member).await?;
        let text = Bytes::from(body.text);
        Ok(match body.kind {
            Kind::Post | Kind::Document => content(&text),
            _ => Some(text),
        })
    }
}

/// The selection matters to listings only.
fn everything() -> Selection {
    let day = Day::today();
    Selection { days: DayRange { start: day, end: day }, ccs: BTreeSet::new(), testnames: BTreeSet::new() }
}
