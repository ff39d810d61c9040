//! What `http_invalid_request_line` received (formats spec §11.8).

use super::Place;
use super::header::valid_utf8;
use super::python::items;
use super::value::{Mapping, Members, Value};
use crate::error::Error;

pub(super) fn normalize(test_keys: &mut Mapping) -> Result<(), Error> {
    match test_keys.at_mut("received") {
        None => Ok(()),
        Some(Value::Sequence(received)) => {
            for item in received {
                if let Value::Bytes(bytes) = item {
                    *item = Value::Text(valid_utf8(bytes));
                }
            }
            Ok(())
        }
        // Other values with items are unchanged.
        Some(other) => items(other, &Place::TEST_KEYS.member("received")).map(drop),
    }
}
