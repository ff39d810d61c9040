//! Tests of parsing, comparing and writing numbers.

use super::*;

fn int(text: &str) -> Int {
    Int::parse_decimal(text.as_bytes()).unwrap()
}

fn json(value: f64) -> String {
    let mut out = Vec::new();
    write_f64(&mut out, value);
    String::from_utf8(out).unwrap()
}

fn repr(value: f64) -> String {
    let mut out = Vec::new();
    write_f64_python(&mut out, value);
    String::from_utf8(out).unwrap()
}

#[test]
fn integers_are_parsed_and_printed() {
    for (text, printed) in [
        ("0", "0"),
        ("-", "0"),
        ("-0", "0"),
        ("-000", "0"),
        ("01", "1"),
        ("-01", "-1"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9223372036854775808"),
        ("-09223372036854775809", "-9223372036854775809"),
        ("00000000000000000000000007", "7"),
    ] {
        assert_eq!(int(text).to_string(), printed);
    }
    assert!(matches!(int("9223372036854775807"), Int::Small(i64::MAX)));
    assert!(matches!(int("-9223372036854775808"), Int::Small(i64::MIN)));
    assert!(matches!(int("9223372036854775808"), Int::Big(_)));
    for text in ["", "+1", "1-", "--1", " 1", "1x", "1_0", "111111111111111111111x"] {
        assert_eq!(Int::parse_decimal(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn digit_limit_ignores_leading_zeros() {
    let longest = "1".repeat(MAX_DIGITS);
    assert!(Int::parse_decimal(longest.as_bytes()).is_some());
    assert!(Int::parse_decimal(format!("-00{longest}").as_bytes()).is_some());
    assert!(Int::parse_decimal(format!("{longest}1").as_bytes()).is_none());
    assert_eq!(int(&"0".repeat(5000)), Int::Small(0));
}

#[test]
fn order_is_numeric() {
    let sorted = [
        "-100000000000000000000",
        "-99999999999999999999",
        "-20000000000000000000",
        "-9223372036854775808",
        "-1",
        "0",
        "5",
        "9223372036854775807",
        "9223372036854775808",
        "10000000000000000000",
        "100000000000000000000",
    ];
    for (i, a) in sorted.iter().enumerate() {
        for (j, b) in sorted.iter().enumerate() {
            assert_eq!(int(a).cmp(&int(b)), i.cmp(&j), "{a} {b}");
        }
    }
}

#[test]
fn comparison_with_floats_is_exact() {
    use Ordering::{Equal, Greater, Less};
    for (text, float, order) in [
        ("0", -0.0, Equal),
        ("1", 1.0, Equal),
        ("1", 1.5, Less),
        ("-1", -1.5, Greater),
        ("0", 5e-324, Less),
        ("0", -5e-324, Greater),
        ("9007199254740993", 9007199254740992.0, Greater),
        ("9007199254740991", 9007199254740992.0, Less),
        ("9223372036854775807", 9223372036854775808.0, Less),
        ("9223372036854775808", 9223372036854775808.0, Equal),
        ("-9223372036854775808", -9223372036854775808.0, Equal),
        ("-9223372036854775809", -9223372036854775808.0, Less),
        ("100000000000000000000000", 1e23, Greater), // 1e23 is below its decimal text
        ("99999999999999991611392", 1e23, Equal),
        ("5", f64::INFINITY, Less),
        ("5", f64::NEG_INFINITY, Greater),
    ] {
        assert_eq!(int(text).cmp_f64(float), Some(order), "{text} {float}");
    }
    assert_eq!(int("0").cmp_f64(f64::NAN), None);
    assert_eq!(int(&"9".repeat(400)).cmp_f64(f64::MAX), Some(Greater));
    assert_eq!(int(&"9".repeat(400)).cmp_f64(f64::INFINITY), Some(Less));
}

#[test]
fn conversions() {
    assert_eq!(int("9007199254740993").to_f64(), Some(9007199254740992.0));
    assert_eq!(int("-100000000000000000000").to_f64(), Some(-1e20));
    assert_eq!(int(&format!("1{}", "0".repeat(309))).to_f64(), None);
    assert_eq!(Int::from_f64_truncated(-0.9), Some(Int::Small(0)));
    assert_eq!(Int::from_f64_truncated(1e19), Some(int("10000000000000000000")));
    assert_eq!(Int::from_f64_truncated(-1e23), Some(int("-99999999999999991611392")));
    assert_eq!(Int::from_f64_truncated(f64::NAN), None);
    assert_eq!(Int::from_f64_truncated(f64::INFINITY), None);
    assert_eq!(int("18446744073709551615").as_u64(), Some(u64::MAX));
    assert_eq!(int("18446744073709551616").as_u64(), None);
    assert_eq!(int("-1").as_u64(), None);
    assert_eq!(int("-1").as_i64(), Some(-1));
    assert_eq!(int("18446744073709551615").as_i64(), None);
    assert!(int("-").is_zero() && !Int::from(3).is_zero());
}

#[test]
fn float_forms() {
    for (value, in_json, in_python) in [
        (0.0, "0.0", "0.0"),
        (-0.0, "-0.0", "-0.0"),
        (1.0, "1.0", "1.0"),
        (-9.0, "-9.0", "-9.0"),
        (10.0, "10.0", "10.0"),
        (1e3, "1000.0", "1000.0"),
        (0.5, "0.5", "0.5"),
        (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
        (0.0001, "0.0001", "0.0001"),
        (0.000123, "0.000123", "0.000123"),
        (1e-5, "1e-5", "1e-05"),
        (1.25e-7, "1.25e-7", "1.25e-07"),
        (1e15, "1000000000000000.0", "1000000000000000.0"),
        (123456789012345.67, "123456789012345.67", "123456789012345.67"),
        (1e16, "1e+16", "1e+16"),
        (1.5e21, "1.5e+21", "1.5e+21"),
        (5e-324, "5e-324", "5e-324"),
        (2_f64.powi(-25), "2.9802322387695312e-8", "2.9802322387695312e-08"),
        (-2898329522704165.0 / 4.0, "-724582380676041.2", "-724582380676041.2"),
        (2_f64.powi(-44), "5.684341886080802e-14", "5.684341886080802e-14"),
        (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        (f64::NAN, "NaN", "nan"),
        (-f64::NAN, "NaN", "nan"),
        (f64::INFINITY, "Infinity", "inf"),
        (f64::NEG_INFINITY, "-Infinity", "-inf"),
    ] {
        assert_eq!(json(value), in_json);
        assert_eq!(repr(value), in_python);
    }
}

#[test]
fn float_texts() {
    for (text, value) in [
        ("1.", 1.0),
        ("1.e5", 1e5),
        ("-.5", -0.5),
        ("-.5e2", -50.0),
        ("00.5", 0.5),
        ("-0.0", -0.0),
        ("1E+2", 100.0),
        ("1e400", f64::INFINITY),
        ("-1e400", f64::NEG_INFINITY),
        ("1e-400", 0.0),
        ("1e99999999999999999999999", f64::INFINITY),
        ("1e-99999999999999999999999", 0.0),
        ("0e99999999999999999999999", 0.0),
        ("9007199254740993.0", 9007199254740992.0),
    ] {
        assert_eq!(parse_f64(text.as_bytes()).to_bits(), value.to_bits(), "{text}");
    }
    assert!(parse_f64(b"").is_nan() && parse_f64(b"\xFF").is_nan());
}

#[test]
fn long_float_texts() {
    let zeros = "0".repeat(700_000);
    for (text, value) in [
        (format!("0.{zeros}1e700001"), 1.0),
        (format!("-{zeros}1.5"), -1.5),
        (format!("1{zeros}e-700000"), 1.0),
        (format!("1{zeros}e-700001"), 0.1),
        (format!("{zeros}e5"), 0.0),
        (format!("-0.{zeros}"), -0.0),
        // Halfway, then just above halfway because of a digit far after the decimal point.
        (format!("9007199254740993.{zeros}"), 9007199254740992.0),
        (format!("9007199254740993.{zeros}1"), 9007199254740994.0),
        (format!("1e{}", "9".repeat(500)), f64::INFINITY),
        (format!("1e-{}", "9".repeat(500)), 0.0),
        (format!("1e{}5", "0".repeat(500)), 1e5),
    ] {
        assert_eq!(parse_f64(text.as_bytes()).to_bits(), value.to_bits());
    }
    for text in ["", ".", "..", "e5", "1e", "1e+", "1e5x", "1x"] {
        assert!(condense(text.as_bytes()).is_empty(), "{text}");
    }
}

#[test]
fn condensed_text_has_the_same_value() {
    for text in ["1.", "-.5e2", "123.456e-7", "4.9406564584124654e-324", "0.00", "1e22", "+7"] {
        let plain: f64 = text.parse().unwrap();
        let short = String::from_utf8(condense(text.as_bytes())).unwrap();
        assert_eq!(short.parse::<f64>().unwrap().to_bits(), plain.to_bits(), "{short}");
    }
}

/// Between the limits of the short way, both write the same.
#[test]
fn both_ways_of_writing_floats_agree() {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state ^ state >> 29
    };
    let mut seen = 0;
    for i in 0..200_000 {
        let bits = random();
        let value = match i % 5 {
            // Any float between the limits: the exponents of 2^-10 to 2^50.
            0 => f64::from_bits(bits & 0x000f_ffff_ffff_ffff | (1013 + random() % 61) << 52),
            // Few digits, as in measurements, and their neighbours.
            1 => (bits % 1_000_000_000) as f64 / 1e6,
            2 => (bits % 1_000_000_000_000) as f64 / 1e9,
            3 => f64::from_bits(((bits % 1_000_000) as f64 / 1e3).to_bits() + random() % 3),
            // Integers and halves above 2^49, of 16 digits.
            _ => (bits % 2_000_000_000_000_000) as f64 / 2.0,
        };
        if (1e-3..1e15).contains(&value) && !(value < 10.0 && value.trunc() == value) {
            let mut long = Vec::new();
            write_shortest(&mut long, value, Form { nan: "", infinity: "", exponent_digits: 1 });
            assert_eq!(json(value).as_bytes(), long);
            seen += 1;
        }
    }
    assert!(seen > 150_000, "{seen}");
    for value in [1e-3, 0.001_000_000_000_000_000_2, 1e15 - 0.125, 123_456_789_012_345.6, 999_999_999_999_999.9] {
        let mut long = Vec::new();
        write_shortest(&mut long, value, Form { nan: "", infinity: "", exponent_digits: 1 });
        assert_eq!(json(value).as_bytes(), long);
    }
}
