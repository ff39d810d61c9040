//! The top-level fields of a measurement, found in one pass, because each row reads two dozen of them.

use crate::json::{Field, Key, Value};

/// The names that are indexed. Other names are looked up in the object.
const NAMES: [&str; LEN] = [
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

const LEN: usize = 25;

/// The slot of a name. If two of [`NAMES`] shared a slot, the table would not compile.
#[inline(always)]
const fn slot(name: &[u8]) -> usize {
    match name {
        [first, .., last] => (name.len() + *first as usize * 5 + *last as usize * 25) % SLOTS,
        _ => 0,
    }
}

const SLOTS: usize = 64;

/// By slot: the name and its position in [`NAMES`].
static TABLE: [(Key, u8); SLOTS] = {
    let mut table = [(Key::new(""), 0); SLOTS];
    let mut i = 0;
    while i < LEN {
        let slot = slot(NAMES[i].as_bytes());
        assert!(table[slot].0.text().is_empty(), "two names share a slot");
        table[slot] = (Key::new(NAMES[i]), i as u8);
        i += 1;
    }
    table
};

/// The members of an object by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    of: Value<'a>,
    /// Positions in the document; 0 for none, as the root is not a member.
    found: [u32; LEN],
}

impl<'a> Fields<'a> {
    /// The fields of an object; none for other values.
    pub(super) fn of(value: Value<'a>) -> Fields<'a> {
        let mut found = [0; LEN];
        for (name, value) in value.pairs() {
            let Some(decoded) = name.text() else { continue };
            let (key, at) = &TABLE[slot(&decoded)];
            // A repeated key has its last value.
            if key.is_name(name) && !decoded.is_empty() {
                found[usize::from(*at)] = value.position();
            }
        }
        Fields { of: value, found }
    }

    /// The object.
    pub(super) fn object(&self) -> Value<'a> {
        self.of
    }

    /// A member, which may be missing. Compiles to one load if the key is known.
    #[inline(always)]
    pub(super) fn field(&self, key: &'static str) -> Field<'a> {
        match position(key) {
            Some(at) => {
                let found = (self.found[at] != 0).then(|| self.of.at_position(self.found[at]));
                Field::known(self.of, key, found)
            }
            None => self.of.field(key),
        }
    }
}

/// The position of a key in [`NAMES`].
#[inline(always)]
fn position(key: &str) -> Option<usize> {
    let (name, at) = &TABLE[slot(key.as_bytes())];
    (name.text() == key && !key.is_empty()).then_some(usize::from(*at))
}
