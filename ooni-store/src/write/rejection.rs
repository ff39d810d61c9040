//! [`Rejection`]: a measurement that has no row because a rule rejected it.

use ooni_core::error::Error;
use std::sync::Arc;

/// Maximum bytes of a can's key or of a uid, as every engine accepts them in a key. Rows of longer uids are refused.
pub(crate) const LONGEST_KEY: usize = 600;

/// Maximum bytes of a path or message; longer ones are truncated.
const LONGEST_TEXT: usize = 1000;

/// A measurement that was rejected. Its key is `(can, position)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Key of the can that was read.
    pub can: Arc<str>,
    /// Position of the measurement in the can, from 0. Negative for a part of the can that cannot be read as
    /// measurements, from -1 downwards.
    pub position: i64,
    /// Id of the measurement, if it is known.
    pub uid: Option<String>,
    /// The error code, such as `E-TYPE`.
    pub code: String,
    /// The JSON pointer of the value in the document.
    pub path: String,
    /// The error message.
    pub message: String,
}

impl Rejection {
    /// Creates a rejection from an error. The key of a can is truncated to 600 bytes, path and message to 1,000; a uid
    /// of more than 600 bytes is dropped.
    pub fn new(can: &str, position: i64, uid: Option<&str>, error: &Error) -> Rejection {
        Rejection {
            can: cut(can, LONGEST_KEY).into(),
            position,
            uid: uid.filter(|uid| !uid.is_empty() && uid.len() <= LONGEST_KEY).map(str::to_owned),
            code: error.code.as_str().to_owned(),
            path: cut(&error.path, LONGEST_TEXT).to_owned(),
            message: cut(&error.message, LONGEST_TEXT).to_owned(),
        }
    }
}

/// At most the first `longest` bytes of a text, cut at a character boundary.
pub(super) fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}
