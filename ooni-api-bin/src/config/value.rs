//! [`Value`]: types of settings, as they are read from the sources and written to a file.

use ooni_archive::limits::parse_disk_size;
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::de::DeValue;

/// A value as a source has it.
#[derive(Debug)]
pub(super) enum Raw<'a> {
    /// In the environment or a flag.
    Text(&'a str),
    /// In a file.
    Toml(&'a DeValue<'a>),
}

/// A type of settings.
pub(super) trait Value: Sized {
    /// Reads a value; the error says what was expected.
    fn read(raw: &Raw<'_>, unit: &str) -> Result<Self, String>;

    /// As a value in a file.
    fn show(&self) -> toml::Value;
}

impl Value for String {
    fn read(raw: &Raw<'_>, _: &str) -> Result<String, String> {
        text(raw).map(str::to_owned).ok_or_else(|| expected("text in quotes", raw))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

impl Value for PathBuf {
    fn read(raw: &Raw<'_>, _: &str) -> Result<PathBuf, String> {
        text(raw).map(PathBuf::from).ok_or_else(|| expected("a path in quotes", raw))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string_lossy().into_owned())
    }
}

impl Value for SocketAddr {
    fn read(raw: &Raw<'_>, _: &str) -> Result<SocketAddr, String> {
        let address = text(raw).and_then(|text| text.parse().ok());
        address.ok_or_else(|| expected("an address and port, such as \"127.0.0.1:8080\"", raw))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl Value for bool {
    fn read(raw: &Raw<'_>, _: &str) -> Result<bool, String> {
        match raw {
            Raw::Toml(DeValue::Boolean(value)) => Ok(*value),
            Raw::Text("true") => Ok(true),
            Raw::Text("false") => Ok(false),
            _ => Err(expected("true or false", raw)),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

/// In the environment, the items are separated by commas.
impl Value for Vec<String> {
    fn read(raw: &Raw<'_>, _: &str) -> Result<Vec<String>, String> {
        let items = match raw {
            Raw::Text(text) => {
                Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            Raw::Toml(DeValue::Array(items)) => {
                items.iter().map(|item| text(&Raw::Toml(item.get_ref())).map(str::to_owned)).collect()
            }
            Raw::Toml(_) => None,
        };
        items.ok_or_else(|| expected("a list of texts, such as [\"10.0.0.0/8\"]", raw))
    }

    fn show(&self) -> toml::Value {
        toml::Value::Array(self.iter().cloned().map(toml::Value::String).collect())
    }
}

macro_rules! whole_number {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn read(raw: &Raw<'_>, unit: &str) -> Result<$type, String> {
                number(raw, unit).and_then(|number| <$type>::try_from(number).ok()).ok_or_else(|| {
                    let kind = match unit {
                        "" => "a whole number".to_owned(),
                        "bytes" => "a number of bytes, or text such as \"200 MiB\"".to_owned(),
                        unit => format!("a whole number of {unit}"),
                    };
                    expected(&kind, raw)
                })
            }

            fn show(&self) -> toml::Value {
                toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        })*
    };
}

whole_number!(u32, u64, usize);

fn text<'a>(raw: &Raw<'a>) -> Option<&'a str> {
    match raw {
        Raw::Text(text) => Some(text),
        Raw::Toml(DeValue::String(text)) => Some(text),
        Raw::Toml(_) => None,
    }
}

/// A number that TOML can represent; sizes may also be text with a unit.
fn number(raw: &Raw<'_>, unit: &str) -> Option<u64> {
    let number = match raw {
        Raw::Toml(DeValue::Integer(integer)) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        Raw::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        raw if unit == "bytes" => text(raw).and_then(|text| parse_disk_size(text).ok()),
        _ => None,
    };
    number.filter(|number| i64::try_from(*number).is_ok())
}

fn expected(what: &str, raw: &Raw<'_>) -> String {
    let found = match raw {
        Raw::Text(text) => format!("{text:?}"),
        Raw::Toml(DeValue::String(text)) => format!("{text:?}"),
        Raw::Toml(DeValue::Integer(number)) => number.to_string(),
        Raw::Toml(other) => format!("a value of type {}", other.type_str()),
    };
    format!("expected {what}, found {found}")
}
