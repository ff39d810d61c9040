//! Serializes the flags of `fastpath` as `"t"` and `"f"`.

use serde::de::{Deserialize, Deserializer, Error, Unexpected};
use serde::ser::Serializer;

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
pub(super) fn serialize<S: Serializer>(value: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *value { "t" } else { "f" })
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match &*String::deserialize(deserializer)? {
        "t" => Ok(true),
        "f" => Ok(false),
        other => Err(D::Error::invalid_value(Unexpected::Str(other), &"t or f")),
    }
}
