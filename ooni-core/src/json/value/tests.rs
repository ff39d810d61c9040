//! Tests of values: text, repeated keys, paths and defaults.

use super::*;
use crate::json::{Reader, write_json};

/// Reads a text and calls a function with its root.
fn with<T>(text: &str, f: impl FnOnce(Value<'_>) -> T) -> T {
    let mut reader = Reader::new();
    let document = reader.read(text.as_bytes()).unwrap();
    f(document.root())
}

fn read_back(text: &str) -> String {
    let mut out = Vec::new();
    write_json(&with(text, |value| value.to_json()), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn kinds() {
    for (text, kind, name) in [
        ("null", Kind::Null, "null"),
        ("true", Kind::Bool, "a boolean"),
        ("false", Kind::Bool, "a boolean"),
        ("1", Kind::Int, "an integer"),
        ("1.0", Kind::Float, "a float"),
        ("NaN", Kind::Float, "a float"),
        ("\"\"", Kind::Text, "a string"),
        ("[]", Kind::Array, "an array"),
        ("{}", Kind::Object, "an object"),
    ] {
        with(text, |value| {
            assert_eq!((value.kind(), value.kind().name()), (kind, name));
            assert_eq!(value.is_null(), text == "null");
            assert_eq!((value.is_true(), value.is_false()), (text == "true", text == "false"));
            assert_eq!((value.is_array(), value.is_object()), (text == "[]", text == "{}"));
            assert_eq!(value.int().is_some(), kind == Kind::Int);
            assert_eq!(value.float().is_some(), kind == Kind::Float);
            assert_eq!((value.text().is_some(), value.raw_text().is_some()), (text == "\"\"", text == "\"\""));
            assert_eq!((value.count(), value.elements().count(), value.members().count()), (0, 0, 0));
        });
    }
}

#[test]
fn text_is_compared_decoded() {
    with(r#"["dns","d\u006es","dns ","d\\u006es",5]"#, |value| {
        let is: Vec<_> = value.elements().map(|value| value.is_text("dns")).collect();
        assert_eq!(is, [true, true, false, false, false]);
    });
}

#[test]
fn a_repeated_key_keeps_its_first_position_and_its_last_value() {
    for (text, expected) in [
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"a":1,"a":2,"a":[{"a":3,"a":4}]}"#, r#"{"a":[{"a":4}]}"#),
        (r#"{"a":1,"b":2,"\u0061":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"\u0061":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"a\u0062":1,"a\\u0062":2}"#, r#"{"ab":1,"a\\u0062":2}"#),
        (r#"{"":1,"":2}"#, r#"{"":2}"#),
        (r#"{"\ud83d\ude00":1,"😀":2,"\ud83d":3,"\ude00":4}"#, r#"{"\ud83d\ude00":2,"\ud83d":3,"\ude00":4}"#),
    ] {
        assert_eq!(read_back(text), expected, "{text}");
    }
    for n in [2, 23, 24, 25, 26, 100] {
        // The last key repeats the first one, the middle one, or none.
        for repeated in [0, n / 2, n] {
            let mut text = "{".to_owned();
            (0..n).for_each(|i| text += &format!("\"key {i}\":{i},"));
            text += &format!("\"key\\u0020{repeated}\":-1,\"key {repeated}\":-2}}");
            let mut expected: Vec<_> = (0..n).map(|i| (format!("key {i}"), i)).collect();
            match expected.iter_mut().find(|(_, i)| *i == repeated) {
                Some((_, value)) => *value = -2,
                None => expected.push((format!("key {repeated}"), -2)),
            }
            with(&text, |value| {
                assert_eq!(value.count(), n as usize + 2);
                let members: Vec<_> = value
                    .members()
                    .map(|(key, value)| {
                        (String::from_utf8(key.text().unwrap().into_owned()).unwrap(), value.int().unwrap())
                    })
                    .collect();
                let expected: Vec<_> = expected.into_iter().map(|(key, i)| (key, Int::from(i))).collect();
                assert_eq!(members, expected);
            });
        }
    }
    with(r#"{"a":1,"b":{"c":[]},"\u0061":2}"#, |value| {
        assert_eq!(value.field("a").value().int(), Some(Int::Small(2)));
        assert!(value.get("x").unwrap().is_missing());
    });
}

#[test]
fn paths_are_json_pointers() {
    with(r#"{"a/b":[{"~":null},[[1,2],{"":{"\u00e9":"x"}}]],"m~n":{},"a":{"b":1,"b":{"c":2}}}"#, |root| {
        fn walk(value: Value<'_>, paths: &mut Vec<String>) {
            paths.push(value.path());
            value.elements().for_each(|element| walk(element, paths));
            value.members().for_each(|(_, member)| walk(member, paths));
        }
        let mut paths = Vec::new();
        walk(root, &mut paths);
        let expected = [
            "",
            "/a~1b",
            "/a~1b/0",
            "/a~1b/0/~0",
            "/a~1b/1",
            "/a~1b/1/0",
            "/a~1b/1/0/0",
            "/a~1b/1/0/1",
            "/a~1b/1/1",
            "/a~1b/1/1/",
            "/a~1b/1/1//é",
            "/m~0n",
            "/a",
            "/a/b",
            "/a/b/c",
        ];
        assert_eq!(paths, expected);
        assert_eq!(root.field("a").value().field("none").path(), "/a/none");
        let (key, _) = root.members().next().unwrap();
        assert_eq!(key.path(), "", "a key has the path of its object");
    });
    // Among default values, only the test keys have a path.
    assert_eq!(Value::EMPTY_OBJECT.path(), "");
    assert_eq!(Value::EMPTY_OBJECT.field("x").path(), "/x");
    assert_eq!(Value::NO_TEST_KEYS.path(), "/test_keys");
    assert_eq!(Value::NO_TEST_KEYS.field("x").path(), "/test_keys/x");
}

#[test]
fn defaults() {
    assert!(Value::NULL.is_null() && Value::TRUE.is_true());
    assert_eq!(Value::ZERO.int(), Some(Int::Small(0)));
    assert_eq!(Value::EMPTY_TEXT.text().as_deref(), Some(&b""[..]));
    assert!(Value::EMPTY_ARRAY.is_array() && Value::EMPTY_ARRAY.elements().next().is_none());
    assert!(Value::EMPTY_OBJECT.is_object() && Value::NO_TEST_KEYS.members().next().is_none());
}
