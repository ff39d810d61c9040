//! Tests of the loader. `tests/reports/yaml.rs` compares it with PyYAML.

use super::*;

fn value(text: &str) -> YamlValue<'_> {
    load(text.as_bytes(), Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn kind(text: &str) -> YamlErrorKind {
    load(text.as_bytes(), Limits::default()).map(|value| panic!("{text}: {value:?}")).unwrap_err().kind
}

/// The examples of formats spec §11.2.
#[test]
fn scalars() {
    for (text, same) in [("yes", "true"), ("OFF", "false"), ("1:30", "90"), ("010", "8"), ("0b11", "3"), ("1_0", "10")]
    {
        assert_eq!(value(text), value(same));
    }
    assert_eq!(value("0.1"), YamlValue::Float(0.1));
    assert_eq!(value("1e3"), YamlValue::text("1e3"));
    assert_eq!(value("'yes'"), YamlValue::text("yes"));
    assert_eq!(value("!!binary aGk="), YamlValue::Bytes(b"hi".to_vec()));
    assert!(matches!(value("2014-02-20"), YamlValue::Date(_)));
    assert!(matches!(value("2014-02-20 01:02:03"), YamlValue::DateTime(_)));
    assert_eq!(value("!!set {a, b}"), YamlValue::Set(vec![YamlValue::text("a"), YamlValue::text("b")]));
    assert_eq!(value("---\n...\n"), YamlValue::Null);
    assert_eq!(value(""), YamlValue::Null);
}

#[test]
fn mappings() {
    assert_eq!(value("{a: 1, b: 2, a: 3}"), value("{a: 3, b: 2}"));
    assert_eq!(value("[&x {a: 1, b: 2}, {<<: *x, b: 3}]"), value("[{a: 1, b: 2}, {a: 1, b: 3}]"));
    assert_eq!(value("{<<: [{a: 1}, {a: 2, b: 2}]}"), value("{a: 1, b: 2}"));
    assert_eq!(value("{1: a, 1.0: b, yes: c}"), value("{1: c}"));
}

#[test]
fn integers_of_any_size() {
    assert_eq!(value(&format!("0x{}", "f".repeat(40))), value("1461501637330902918203684832716283019655932542975"));
    assert_eq!(value("-1:00:00:00:00:00:00:00:00:00:00:00:00"), value("-2176782336000000000000"));
    assert_eq!(kind(&"1".repeat(4301)), YamlErrorKind::Value);
    assert_eq!(kind(&format!("0x{}", "f".repeat(4000))), YamlErrorKind::Limit);
    // Only explicitly tagged text has such parts.
    assert_eq!(value("!!int '1:-100'"), value("-40"));
    assert_eq!(value("!!int '1_000_000_000_000:-5'"), value("59999999999995"));
}

#[test]
fn the_stage_that_rejects() {
    use YamlErrorKind::{Composer, Constructor, Limit, Parser, Reader, Scanner, Value};
    for (text, part) in [
        ("a: \x01", Reader),
        ("'open", Scanner),
        ("a:\tb: c", Scanner),
        ("[1", Parser),
        ("*a", Composer),
        ("[&a 1, &a 2]", Composer),
        ("--- a\n--- b", Composer),
        ("!t x", Constructor),
        ("{[a]: 1}", Constructor),
        ("[<<]", Constructor),
        ("2014-02-30", Value),
        ("!!int x", Value),
        ("!!bool x", Value),
        ("\"\\U00110000\"", Value),
        ("&a [*a]", Limit),
    ] {
        assert_eq!(kind(text), part, "{text}");
    }
    assert_eq!(load(b"a: \xff", Limits::default()).unwrap_err().kind, Reader);
    assert_eq!(load("\u{e9}: \u{7f}".as_bytes(), Limits::default()).unwrap_err().mark, Mark { line: 0, column: 3 });
}

#[test]
fn aliases_count_for_every_use() {
    let mut laughs = "- &a0 [x, x]\n".to_owned();
    for i in 1..40 {
        laughs += &format!("- &a{i} [*a{}, *a{}]\n", i - 1, i - 1);
    }
    let limits = Limits { values: 10_000, ..Limits::default() };
    let kind = |text: &str| load(text.as_bytes(), limits).unwrap_err().kind;
    assert_eq!(kind(&laughs), YamlErrorKind::Limit);
    let mut merges = "- &a0 {x: 1}\n".to_owned();
    for i in 1..60 {
        merges += &format!("- &a{i} {{<<: [*a{}, *a{}]}}\n", i - 1, i - 1);
    }
    assert_eq!(kind(&merges), YamlErrorKind::Limit);
    let long = format!("- &a {}\n{}", "x".repeat(1000), "- *a\n".repeat(100));
    let limits = Limits { bytes: 20_000, ..Limits::default() };
    assert_eq!(load(long.as_bytes(), limits).unwrap_err().kind, YamlErrorKind::Limit);
}
