//! What `http_invalid_request_line` received (formats spec §11.8).

use super::header::valid_utf8;
use super::path::EntryPath;
use super::python::items;
use super::value::{Mapping, MappingAccess, YamlValue};
use crate::error::Error;

pub(super) fn normalize(test_keys: &mut Mapping<'_>) -> Result<(), Error> {
    match test_keys.at_mut("received") {
        None => Ok(()),
        Some(YamlValue::Sequence(received)) => {
            for item in received {
                if let YamlValue::Bytes(bytes) = item {
                    *item = YamlValue::Text(valid_utf8(bytes).into());
                }
            }
            Ok(())
        }
        // Other values with items are unchanged.
        Some(other) => items(other, &EntryPath::TEST_KEYS.member("received")).map(drop),
    }
}
