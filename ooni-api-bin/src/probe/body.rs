//! [`Body`]: the JSON object of a request, and its members by type.

use crate::http::Error;
use serde_json::{Map, Value};

/// A JSON object. A member that is missing is `None`, one of another type, or null, is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body(Map<String, Value>);

/// A request that cannot be used: a sentence that names the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

impl From<Unusable> for Error {
    fn from(Unusable(sentence): Unusable) -> Error {
        Error::bad_request(sentence)
    }
}

impl From<Map<String, Value>> for Body {
    fn from(object: Map<String, Value>) -> Body {
        Body(object)
    }
}

impl Body {
    /// A member of any type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self, key: &str) -> Result<Option<&str>, Unusable> {
        self.member(key, Value::as_str, "a text")
    }

    /// A boolean.
    ///
    /// # Errors
    /// It is something else.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, Unusable> {
        self.member(key, Value::as_bool, "true or false")
    }

    /// A list.
    ///
    /// # Errors
    /// It is something else.
    pub fn list(&self, key: &str) -> Result<Option<&[Value]>, Unusable> {
        self.member(key, |value| value.as_array().map(Vec::as_slice), "a list")
    }

    fn member<'v, T>(
        &'v self,
        key: &str,
        of_type: impl FnOnce(&'v Value) -> Option<T>,
        what: &str,
    ) -> Result<Option<T>, Unusable> {
        match self.0.get(key).map(of_type) {
            Some(None) => Err(Unusable(format!("{key}: {what} is expected"))),
            found => Ok(found.flatten()),
        }
    }
}
