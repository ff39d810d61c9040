//! The lenient reader compared with serde_json, which is strict: what serde_json accepts must be read as the same
//! value. And compared with itself: reading by the index of quotes and reading without it give the same.

use ooni_core::json::{Json, Limits, ReadError, Reader, Value, write_json};
use ooni_core::number::Int;
use serde_json::Value as Strict;

/// The input is a JSON text.
pub fn run(text: &[u8]) {
    for limits in [Limits::default(), Limits { bytes: 2000, depth: 4, values: 40 }] {
        let (mut by_index, mut without) = (Reader::with_limits(limits), Reader::with_limits(limits));
        match (by_index.read(text), without.read_without_index(text)) {
            (Ok(document), Ok(expected)) => same_nodes(document.root(), expected.root()),
            (read, expected) => {
                assert_eq!(read.err(), expected.err(), "only one way is it read, or for other reasons refused")
            }
        }
    }

    let mut reader = Reader::new();
    let strict = serde_json::from_slice::<Strict>(text).ok();
    let (value, count) = match reader.read(text) {
        Ok(document) => (document.root().to_json(), document.root().count()),
        Err(ReadError::Syntax { at, .. } | ReadError::Limit { at, .. }) => {
            assert!(at <= text.len(), "an error after the end of the text");
            assert!(strict.is_none(), "serde_json reads it: {strict:?}");
            return;
        }
    };
    if let Some(strict) = strict {
        assert!(same(&value, &strict), "read as {value:?}, by serde_json as {strict:?}");
    }
    if let Json::Array(items) = &value {
        assert_eq!(count, items.len());
    }

    // A value is the same after it is written in the reference's form and read again.
    let mut written = Vec::new();
    write_json(&value, &mut written);
    assert!(written.is_ascii());
    let again = reader.read(&written).map(|document| document.root().to_json());
    assert_eq!(again.as_ref(), Ok(&value));

    // And after serde_json, which limits the depth.
    if value.depth() < 40 {
        let through = serde_json::to_vec(&value).and_then(|text| serde_json::from_slice::<Json>(&text));
        assert_eq!(through.ok(), Some(value.clone()));
    }

    // With limits, the result is the same or an error.
    let limits = Limits { bytes: 64, depth: 3, values: 8 };
    match Reader::with_limits(limits).read(text).map(|document| document.root().to_json()) {
        Ok(limited) => assert_eq!(limited, value),
        Err(error) => assert!(matches!(error, ReadError::Limit { .. }), "{error}"),
    }
}

/// The same kinds, places, spellings and numbers of elements, in the same order.
fn same_nodes(ours: Value<'_>, expected: Value<'_>) {
    assert_eq!(ours.kind(), expected.kind());
    assert_eq!(ours.source(), expected.source());
    assert_eq!(ours.raw_text(), expected.raw_text());
    assert_eq!(ours.count(), expected.count());
    assert_eq!(
        (ours.elements().count(), ours.pairs().count()),
        (expected.elements().count(), expected.pairs().count())
    );
    ours.elements().zip(expected.elements()).for_each(|(ours, expected)| same_nodes(ours, expected));
    for ((key, ours), (expected_key, expected)) in ours.pairs().zip(expected.pairs()) {
        same_nodes(key, expected_key);
        same_nodes(ours, expected);
    }
}

/// Whether the values are equal. serde_json has no integers beyond 64 bits, and reads `-0` as a float.
fn same(ours: &Json, strict: &Strict) -> bool {
    match (ours, strict) {
        (Json::Null, Strict::Null) => true,
        (Json::Bool(ours), Strict::Bool(strict)) => ours == strict,
        (Json::Text(ours), Strict::String(strict)) => ours == strict.as_bytes(),
        (Json::Array(ours), Strict::Array(strict)) => {
            ours.len() == strict.len() && ours.iter().zip(strict).all(|(ours, strict)| same(ours, strict))
        }
        (Json::Object(ours), Strict::Object(strict)) => {
            let find = |key: &[u8]| std::str::from_utf8(key).ok().and_then(|key| strict.get(key));
            ours.len() == strict.len()
                && ours.iter().all(|(key, ours)| find(key).is_some_and(|strict| same(ours, strict)))
        }
        (Json::Int(ours), Strict::Number(strict)) => same_int(ours, strict),
        (Json::Float(ours), Strict::Number(strict)) => {
            strict.is_f64() && strict.as_f64().is_some_and(|strict| ours.to_bits() == strict.to_bits())
        }
        _ => false,
    }
}

fn same_int(ours: &Int, strict: &serde_json::Number) -> bool {
    match (ours.as_i64(), ours.as_u64()) {
        (Some(0), _) if strict.is_f64() => strict.as_f64() == Some(0.0),
        (Some(int), _) => strict.as_i64() == Some(int),
        (None, Some(int)) => strict.as_u64() == Some(int),
        (None, None) => strict.is_f64() && ours.to_f64() == strict.as_f64(),
    }
}
