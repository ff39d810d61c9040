//! The top-level fields of a measurement, found in one pass, because each row reads two dozen of them.

use crate::json::{Field, Value};

/// The names that are indexed. Other names are looked up in the object.
const NAMES: [&str; 25] = [
    "annotations",
    "content",
    "control_failure",
    "experiment_failure",
    "format",
    "input",
    "is_verified",
    "measurement_start_time",
    "platform",
    "probe_asn",
    "probe_cc",
    "probe_network_name",
    "report_id",
    "resolver_asn",
    "resolver_ip",
    "resolver_network_name",
    "software_name",
    "software_version",
    "success",
    "test_helpers",
    "test_keys",
    "test_name",
    "test_runtime",
    "test_start_time",
    "test_version",
];

/// The slot of a name. If two of [`NAMES`] shared a slot, the table would not compile.
const fn slot(name: &[u8]) -> usize {
    match name {
        [first, .., last] => (name.len() + *first as usize * 5 + *last as usize * 25) % SLOTS,
        _ => 0,
    }
}

const SLOTS: usize = 64;

const TABLE: [&str; SLOTS] = {
    let mut table = [""; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let slot = slot(NAMES[i].as_bytes());
        assert!(table[slot].is_empty(), "two names share a slot");
        table[slot] = NAMES[i];
        i += 1;
    }
    table
};

/// The members of an object by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    of: Value<'a>,
    /// Positions in the document; 0 for none, as the root is not a member.
    found: [u32; SLOTS],
}

impl<'a> Fields<'a> {
    /// The fields of an object; none for other values.
    pub(super) fn of(value: Value<'a>) -> Fields<'a> {
        let mut found = [0; SLOTS];
        for (key, value) in value.pairs() {
            let Some(key) = key.text() else { continue };
            let slot = slot(&key);
            // A repeated key has its last value.
            if TABLE[slot].as_bytes() == &*key {
                found[slot] = value.position();
            }
        }
        Fields { of: value, found }
    }

    /// The object.
    pub(super) fn object(&self) -> Value<'a> {
        self.of
    }

    /// A member, which may be missing.
    pub(super) fn field(&self, key: &'static str) -> Field<'a> {
        let slot = slot(key.as_bytes());
        if TABLE[slot] != key {
            return self.of.field(key);
        }
        let found = (self.found[slot] != 0).then(|| self.of.at_position(self.found[slot]));
        Field::known(self.of, key, found)
    }
}
