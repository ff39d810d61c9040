//! [`Software`]: the program that made a measurement.

use ooni_core::json::{Reader, Value};
use serde::Serialize;

/// The longest name or version that is kept, in characters.
const LONGEST: usize = 100;

/// The program that made a measurement, as the measurement says. Missing texts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Software {
    /// Its name.
    #[serde(rename = "software_name")]
    pub name: String,
    /// Its version.
    #[serde(rename = "software_version")]
    pub version: String,
    /// The platform that it ran on.
    pub platform: String,
}

impl Software {
    /// The program of a measurement.
    pub fn of(measurement: Value<'_>) -> Software {
        let text = |of: Value<'_>, key| {
            let text = of.field(key).value().text().unwrap_or_default();
            String::from_utf8_lossy(&text).chars().take(LONGEST).collect()
        };
        let annotations = measurement.field("annotations").value();
        Software {
            name: text(measurement, "software_name"),
            version: text(measurement, "software_version"),
            platform: text(annotations, "platform"),
        }
    }

    /// The program of a submitted body, with its envelope or without. Empty if the body is not JSON.
    pub fn of_body(body: &[u8]) -> Software {
        let mut reader = Reader::new();
        let Ok(document) = reader.read(body) else { return Software::default() };
        let content = document.root().field("content").value();
        Software::of(if content.is_object() { content } else { document.root() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_of_bodies() {
        let texts = |body: &[u8]| {
            let Software { name, version, platform } = Software::of_body(body);
            [name, version, platform]
        };
        let bare = br#"{"software_name":"a","software_version":"1","annotations":{"platform":"linux"}}"#;
        assert_eq!(texts(bare), ["a", "1", "linux"]);
        assert_eq!(texts(&[br#"{"format":"json","content":"#, &bare[..], b"}"].concat()), ["a", "1", "linux"]);
        assert_eq!(texts(br#"{"software_name":1,"software_version":null,"annotations":[]}"#), ["", "", ""]);
        assert_eq!(texts(br#"{"software_name":"\ud83d"}"#), ["\u{fffd}\u{fffd}\u{fffd}", "", ""]);
        assert_eq!(texts(b"not JSON"), ["", "", ""]);
        let long = format!("{{\"software_name\":\"{}\"}}", "é".repeat(1000));
        assert_eq!(texts(long.as_bytes())[0].chars().count(), LONGEST);
    }
}
