//! Which measurements of a segment belong to which cans: by the hour, country and test in their uids.

use crate::clock::Timestamp;
use crate::intake::{self, Intake, Place, Position, Record};
use ooni_archive::layout::HourlyCan;
use ooni_core::time::DateTime;
use ooni_core::uid;
use std::collections::BTreeMap;

/// What the measurements of a can have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    /// A time in the hour.
    pub(super) hour: DateTime,
    pub(super) cc: String,
    pub(super) testname: String,
}

/// The places of the measurements of each group, in the order of the log.
pub(super) type Groups = BTreeMap<Group, Vec<Place>>;

/// Reads the log from a position up to a sequence number. Returns the groups and the position of the last record.
///
/// # Errors
/// The log cannot be read.
pub(super) async fn groups(intake: &Intake, start: Position, until: u64) -> Result<(Groups, Position), intake::Error> {
    let mut groups = Groups::new();
    let mut reader = intake.reader(start).until(until);
    let mut end = start;
    while let Some((record, after)) = reader.next().await? {
        groups.entry(Group::of(&record)).or_default().push(record.place());
        end = after;
    }
    Ok((groups, Position { sequence: end.sequence.max(until), ..end }))
}

impl Group {
    /// A current uid names hour, country and test. Other uids were kept by an import: they are archived by their receive
    /// time, and by what the measurement says.
    fn of(record: &Record) -> Group {
        let hour_of = |time: DateTime| Timestamp::from_date_time(time).hour().start().date_time();
        let parts: Vec<&str> = record.uid.split('_').collect();
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let ([_, cc, test, _], Some((received, _))) = (&parts[..], uid::received_at(&record.uid))
            && cc.len() == 2
            && is_name(cc)
            && is_name(test)
        {
            return Group { hour: hour_of(received), cc: (*cc).to_owned(), testname: (*test).to_owned() };
        }
        let hour = record.received.hour().start().date_time();
        // What cannot be a part of a key must not stop the archiver.
        let (cc, testname) = match HourlyCan::new(hour, &record.probe_cc, &record.test_name, "0", 0) {
            Ok(_) => (record.probe_cc.clone(), record.test_name.clone()),
            Err(_) => ("ZZ".to_owned(), "unknown".to_owned()),
        };
        Group { hour, cc, testname }
    }
}
