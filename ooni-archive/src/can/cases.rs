//! Lines with a uid and a measurement, `{"uid", "raw"}` or `{"uid", "raw_base64"}`, used to compare scorers.
//!
//! [`Lines`](super::Lines) splits the file; the content of a line is parsed here.

use ooni_core::base64;
use ooni_core::error::{Code, Error};
use ooni_core::json::{Text, Value};

/// A measurement or POST body and its uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case<'a> {
    /// The uid as given; empty when there is none.
    pub uid: Text<'a>,
    /// The body. Lone surrogates of the text are encoded as three bytes each.
    pub raw: Text<'a>,
}

/// The case of a line; `None` for a line with neither `raw` nor `raw_base64`.
///
/// # Errors
/// The text is not base64.
pub fn case(line: Value<'_>) -> Result<Option<Case<'_>>, Error> {
    let text = |key| line.field(key).value().text();
    let raw = match (text("raw"), text("raw_base64")) {
        (Some(raw), _) => raw,
        (None, Some(encoded)) => {
            base64::decode(&encoded).map_err(|error| Error::new(Code::Can, "/raw_base64", error.to_string()))?.into()
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(Case { uid: text("uid").unwrap_or_default(), raw }))
}

#[cfg(test)]
mod tests {
    use super::case;
    use ooni_core::json::Reader;

    fn raw(line: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut reader = Reader::new();
        let document = reader.read(line.as_bytes()).unwrap();
        case(document.root()).unwrap().map(|case| (case.uid.into_owned(), case.raw.into_owned()))
    }

    #[test]
    fn cases() {
        assert_eq!(raw(r#"{"uid":"u","raw":"{\"a\":1}"}"#), Some((b"u".to_vec(), b"{\"a\":1}".to_vec())));
        assert_eq!(raw(r#"{"raw":"\ud83d"}"#), Some((Vec::new(), b"\xED\xA0\xBD".to_vec())));
        assert_eq!(raw(r#"{"uid":"u","raw_base64":"e30="}"#), Some((b"u".to_vec(), b"{}".to_vec())));
        assert_eq!(raw(r#"{"uid":"u","raw":5}"#), None);
        assert_eq!(raw("[]"), None);
    }
}
