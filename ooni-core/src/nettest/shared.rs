//! Code shared by several rules: counting connections, finding unknown failures (scoring spec §5), and Python's indexing.

use super::context::Context;
use crate::error::{Code, Error};
use crate::json::{Kind, Value};
use crate::python::{equals, is_truthy};
use crate::text::chars;

/// Connections that the probe made.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpCounts {
    pub(super) accessible: i64,
    pub(super) unreachable: i64,
}

impl TcpCounts {
    /// Nothing was counted.
    pub(super) fn is_empty(self) -> bool {
        self.accessible == 0 && self.unreachable == 0
    }
}

/// Counts the entries of `tcp_connect` by `status.success` (scoring spec §5.2).
pub(super) fn tcp_counts(context: &Context<'_>, tk: Value<'_>) -> Result<TcpCounts, Error> {
    let mut counts = TcpCounts { accessible: 0, unreachable: 0 };
    for entry in tk.get("tcp_connect")?.objects()? {
        let success = entry?.field("status").if_null(Value::EMPTY_OBJECT).get("success")?;
        if success.value().is_true() {
            counts.accessible += 1;
            context.fired("an endpoint can be reached", "blocking_general", &[&success]);
        } else if success.value().is_false() {
            counts.unreachable += 1;
            context.fired("an endpoint cannot be reached", "blocking_general", &[&success]);
        }
    }
    Ok(counts)
}

/// The share of `bad` in the total; one half when the total is 0.
pub(super) fn ratio(bad: i64, good: i64) -> f64 {
    if bad + good == 0 { 0.5 } else { bad as f64 / (bad + good) as f64 }
}

/// Whether a key that ends in `_failure` reports an unknown failure (scoring spec §5.3).
///
/// # Errors
/// `E-TYPE` for a truthy failure that is not a string, before the first unknown one.
pub(super) fn has_unknown_failure(context: &Context<'_>, tk: Value<'_>) -> Result<bool, Error> {
    for (_, value) in object(tk)?.members_ending("_failure") {
        if !is_truthy(value) {
            continue;
        }
        match value.text() {
            Some(text) if text.starts_with(b"unknown_failure") => {
                context.fired("the probe reports an unknown failure", "accuracy", &[&value]);
                return Ok(true);
            }
            Some(_) => {}
            None => return Err(value.wrong_kind("a string")),
        }
    }
    Ok(false)
}

/// The value, if it is an object.
///
/// # Errors
/// `E-TYPE` for anything else.
pub(super) fn object(value: Value<'_>) -> Result<Value<'_>, Error> {
    if value.is_object() { Ok(value) } else { Err(value.wrong_kind("an object")) }
}

/// The item at a position of a value. The items of a string are characters, which are not values of the document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Value(Value<'a>),
    Char(u32),
}

impl Item<'_> {
    /// Python's `==`; a character is a string of length one.
    pub(super) fn equals(self, other: Item<'_>) -> bool {
        match (self, other) {
            (Item::Value(a), Item::Value(b)) => equals(a, b),
            (Item::Char(a), Item::Char(b)) => a == b,
            (Item::Value(value), Item::Char(code)) | (Item::Char(code), Item::Value(value)) => {
                value.text().is_some_and(|text| chars(&text).eq([code]))
            }
        }
    }
}

/// Python's `value[position]`.
///
/// # Errors
/// `E-INDEX` beyond the end of an array or string, `E-KEY` for an object, whose keys are not numbers, `E-TYPE` for other
/// kinds.
pub(super) fn item_at(value: Value<'_>, position: usize) -> Result<Item<'_>, Error> {
    let found = match value.kind() {
        Kind::Array => value.elements().nth(position).map(Item::Value),
        Kind::Text => value.text().and_then(|text| chars(&text).nth(position)).map(Item::Char),
        Kind::Object => return Err(Error::new(Code::Key, value.path(), format!("an object has no key {position}"))),
        _ => return Err(value.wrong_kind("an array or string")),
    };
    found.ok_or_else(|| Error::new(Code::Index, value.path(), format!("no item at position {position}")))
}
