//! Tests of what the reader accepts and refuses, and of the tree that it makes.

use super::*;
use crate::json::{Json, Kind, write_json};

fn read(text: &[u8]) -> Result<Json, ReadError> {
    Reader::new().read(text).map(|document| document.root().to_json())
}

fn refused(text: &[u8]) -> (usize, &'static str) {
    match read(text) {
        Err(ReadError::Syntax { at, message }) => (at, message),
        other => panic!("{}: {other:?}", String::from_utf8_lossy(text)),
    }
}

/// The value that was read, in the reference's form.
fn read_back(text: &[u8]) -> String {
    let value = read(text).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(text)));
    let mut out = Vec::new();
    write_json(&value, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn whitespace() {
    for text in ["1", " 1", "1 ", "\t\r\n 1\n\r\t ", "\n\n\n1"] {
        assert_eq!(read_back(text.as_bytes()), "1");
    }
    let spaced = " [ 1 , { \"a\" : [ ] , \"b\"\t:\r\n{ } } ] ";
    assert_eq!(read_back(spaced.as_bytes()), r#"[1,{"a":[],"b":{}}]"#);
    for odd in ["\0", "\x0b", "\x0c", "\u{a0}", "\u{2028}", "\u{feff}", "\u{85}", "\x1f"] {
        for text in [format!("{odd}1"), format!("1{odd}"), format!("[{odd}1]"), format!("[1{odd}]")] {
            refused(text.as_bytes());
        }
    }
    for text in ["", " ", "\n\t\r "] {
        assert_eq!(refused(text.as_bytes()), (text.len(), "the text ends where a value is expected"));
    }
}

#[test]
fn literals() {
    for text in ["true", "false", "null", "NaN", "Infinity", "-Infinity", "[true,NaN]", r#"{"a":-Infinity}"#] {
        assert_eq!(read_back(text.as_bytes()), text);
    }
    for text in [
        "True",
        "FALSE",
        "Null",
        "nan",
        "NAN",
        "-NaN",
        "inf",
        "Inf",
        "infinity",
        "-infinity",
        "-Inf",
        "+Infinity",
        "tru",
        "nul",
        "N",
        "I",
        "-I",
        "- Infinity",
        "truex",
        "nullnull",
        "undefined",
        "None",
    ] {
        refused(text.as_bytes());
    }
}

/// An integer by its digits, a float by its bits, or an error; as in `ujson` 6.1.0.
enum Expected {
    I(&'static str),
    F(u64),
    No,
}

const NUMBERS: [(&str, Expected); 78] = {
    use Expected::{F, I, No};
    [
        ("-.5", F(0xbfe0000000000000)),
        ("-.5e2", F(0xc049000000000000)),
        ("-.5E-2", F(0xbf747ae147ae147b)),
        ("-.0", F(0x8000000000000000)),
        ("-.00", F(0x8000000000000000)),
        ("-.", No),
        ("-.e1", No),
        ("-e1", No),
        (".5", No),
        (".5e1", No),
        ("-.5.5", No),
        ("-", I("0")),
        ("--", No),
        ("-0", I("0")),
        ("-0.0", F(0x8000000000000000)),
        ("-00", I("0")),
        ("00", I("0")),
        ("01", I("1")),
        ("-01", I("-1")),
        ("01.5", F(0x3ff8000000000000)),
        ("1.", F(0x3ff0000000000000)),
        ("-1.", F(0xbff0000000000000)),
        ("1.e5", F(0x40f86a0000000000)),
        ("1.e-5", F(0x3ee4f8b588e368f1)),
        ("1.5E+2", F(0x4062c00000000000)),
        ("1e", No),
        ("1e+", No),
        ("1e-", No),
        ("1.e", No),
        ("+1", No),
        ("1e05", F(0x40f86a0000000000)),
        ("1E5", F(0x40f86a0000000000)),
        ("0e0", F(0)),
        ("0e5", F(0)),
        ("0E-5", F(0)),
        ("1e400", F(0x7ff0000000000000)),
        ("-1e400", F(0xfff0000000000000)),
        ("1e-400", F(0)),
        ("-1e-400", F(0x8000000000000000)),
        ("NaN", F(0x7ff8000000000000)),
        ("Infinity", F(0x7ff0000000000000)),
        ("-Infinity", F(0xfff0000000000000)),
        ("1_0", No),
        ("0x10", No),
        ("1e-5", F(0x3ee4f8b588e368f1)),
        ("1e-4", F(0x3f1a36e2eb1c432d)),
        ("1.25e-7", F(0x3e80c6f7a0b5ed8d)),
        ("0.0001", F(0x3f1a36e2eb1c432d)),
        ("1e15", F(0x430c6bf526340000)),
        ("1e16", F(0x4341c37937e08000)),
        ("1.5e21", F(0x4454542ba12a337c)),
        ("1e22", F(0x4480f0cf064dd592)),
        ("1e23", F(0x44b52d02c7e14af6)),
        ("9007199254740993", I("9007199254740993")),
        ("9007199254740993.0", F(0x4340000000000000)),
        ("18446744073709551615", I("18446744073709551615")),
        ("18446744073709551616", I("18446744073709551616")),
        ("-9223372036854775808", I("-9223372036854775808")),
        ("-9223372036854775809", I("-9223372036854775809")),
        ("123456789012345678901234567890", I("123456789012345678901234567890")),
        ("123456789012345678901234567890.0", F(0x45f8ee90ff6c373e)),
        ("0.1e1", F(0x3ff0000000000000)),
        ("200.0", F(0x4069000000000000)),
        ("2e2", F(0x4069000000000000)),
        ("0.30000000000000004", F(0x3fd3333333333334)),
        ("2.4703282292062327208e-324", F(0)),
        ("2.4703282292062328e-324", F(1)),
        ("5e-324", F(1)),
        ("2.2250738585072011e-308", F(0x000fffffffffffff)),
        ("1.7976931348623158e308", F(0x7fefffffffffffff)),
        ("1.7976931348623159e308", F(0x7ff0000000000000)),
        ("0.500000000000000166533453693773481063544750213623046875", F(0x3fe0000000000002)),
        ("100.00000000000000001", F(0x4059000000000000)),
        ("3.4028235677973366e38", F(0x47effffff0000000)),
        ("0.0", F(0)),
        ("1-1", No),
        ("1e5.5", No),
        ("1,0", No),
    ]
};

#[test]
fn numbers() {
    for (text, expected) in NUMBERS {
        for (before, after) in [("", ""), (" ", " ")] {
            let padded = format!("{before}{text}{after}");
            match expected {
                Expected::I(digits) => {
                    assert_eq!(read(padded.as_bytes()).unwrap().kind(), Kind::Int, "{text}");
                    assert_eq!(read_back(padded.as_bytes()), digits, "{text}");
                }
                Expected::F(bits) => match read(padded.as_bytes()) {
                    Ok(Json::Float(float)) => assert_eq!(float.to_bits(), bits, "{text}"),
                    other => panic!("{text}: {other:?}"),
                },
                Expected::No => drop(refused(padded.as_bytes())),
            }
        }
    }
    // A lone minus is 0 in containers too.
    assert_eq!(read_back(br#"[-,{"a":-}]"#), r#"[0,{"a":0}]"#);
}

#[test]
fn integers_have_at_most_4300_digits() {
    let digits = "7".repeat(4300);
    for text in [digits.clone(), format!("-{digits}"), format!("-000{digits}"), format!("{}1", "0".repeat(9000))] {
        let Json::Int(int) = read(text.as_bytes()).unwrap() else { panic!("{text}") };
        assert_eq!(int.to_string().replace('-', "").len(), if text.ends_with('1') { 1 } else { 4300 });
    }
    let message = "an integer of more than 4300 digits";
    assert_eq!(refused(format!("[7{digits}]").as_bytes()), (1, message));
    assert_eq!(refused(format!("[ -7{digits}]").as_bytes()), (2, message));
    // No limit for floats.
    assert_eq!(read_back(format!("{digits}{digits}.0").as_bytes()), "Infinity");
    assert_eq!(read_back(format!("0.{digits}{digits}").as_bytes()), "0.7777777777777778");
}

#[test]
fn strings() {
    for (text, decoded) in [
        (r#""""#, ""),
        (r#""a""#, "a"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC""#, "Aé€"),
        (r#""\ud83d\ude00\uD83D\uDE00""#, "😀😀"),
        ("\"\x01\x1f\x7f\n\t\"", "\x01\x1f\x7f\n\t"),
        (r#""\u0000""#, "\0"),
        ("\"é€😀\u{10ffff}\u{feff}\"", "é€😀\u{10ffff}\u{feff}"),
    ] {
        assert_eq!(read(text.as_bytes()).unwrap(), Json::from(decoded), "{text}");
    }
    for text in [
        r#"""#,
        r#""a"#,
        r#""a\"#,
        r#""a\""#,
        r#""\u"#,
        r#""\u12"#,
        r#""\u12""#,
        r#""\u123g""#,
        r#""\u 123""#,
        r#""\u+123""#,
        r#""\x41""#,
        r#""\'""#,
        r#""\a""#,
        r#""\v""#,
        r#""\0""#,
        r#""\U0041""#,
        "\"\\\n\"",
        r#""\é""#,
        "'a'",
        "\"a\0b\"",
        "\"\\\0\"",
        "a",
        r#""a"b"#,
        r#""a""b""#,
    ] {
        refused(text.as_bytes());
    }
}

#[test]
fn lone_surrogates() {
    const HIGH: &[u8] = b"\xed\xa0\xbd";
    const LOW: &[u8] = b"\xed\xb8\x80";
    let both = [HIGH, LOW].concat();
    for (text, decoded) in [
        (&b"\"\\ud83d\""[..], HIGH),
        (b"\"\\ude00\"", LOW),
        (b"\"\\ud83d\\ude00\"", "😀".as_bytes()),
        (b"\"\xed\xa0\xbd\"", HIGH),
        (b"\"\xed\xa0\xbd\xed\xb8\x80\"", &both),
        (b"\"\\ud83d\xed\xb8\x80\"", &both),
        (b"\"\xed\xa0\xbd\\ude00\"", &both),
        (b"\"\\ude00\\ud83d\"", &[LOW, HIGH].concat()),
        (b"\"\\ud83d\\ud83d\\ude00\"", &[HIGH, "😀".as_bytes()].concat()),
        (b"\"\\ud83d\\u0041\"", &[HIGH, b"A"].concat()),
        (b"\"\\ud83d\\n\"", &[HIGH, b"\n"].concat()),
    ] {
        assert_eq!(read(text).unwrap(), Json::Text(decoded.to_vec()), "{}", String::from_utf8_lossy(text));
    }
    refused(b"\"\\ud83d\\u12\"");
}

#[test]
fn utf8() {
    for broken in [
        &b"\x80"[..],
        b"\xc3",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xe2\x82",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xff",
        b"\xed\xa0",
        b"\xed\xa0x",
        b"\xed",
        b"\xed\xa0\xbd\x80",
    ] {
        let text = [b"[\"ok\",\"a", broken, b"\"]"].concat();
        assert_eq!(refused(&text).1, "not UTF-8", "{broken:x?}");
        assert_eq!(refused(&[b"\"", broken].concat()).1, "not UTF-8");
    }
    // Outside strings only ASCII is allowed, even if the bytes are valid UTF-8.
    for text in ["é", "[é]", "[1,é]", "{é:1}", "1é"] {
        refused(text.as_bytes());
    }
}

#[test]
fn containers() {
    for text in ["[]", "{}", "[[]]", "[{}]", r#"{"a":{}}"#, r#"{"":""}"#, r#"[1,"a",null,[2],{"b":3.5}]"#] {
        assert_eq!(read_back(text.as_bytes()), text);
    }
    for text in [
        "[",
        "{",
        "]",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[,]",
        "[1 2]",
        "[1,,2]",
        "[1]]",
        "[1}",
        r#"{"a""#,
        r#"{"a":"#,
        r#"{"a":1"#,
        r#"{"a":1,"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a" 1}"#,
        r#"{"a"::1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1]"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{null:1}",
        "[1] // x",
        "/* x */ 1",
        "[1 /* x */]",
        "# x\n1",
        "1 2",
        "[] []",
        "{}x",
        "[1;2]",
    ] {
        refused(text.as_bytes());
    }
    assert_eq!(refused(b"[1,2"), (4, "the text ends inside an object or array"));
    assert_eq!(refused(b"[1 2]"), (3, "expected a comma or the end of the object or array"));
    assert_eq!(refused(b"{1:2}"), (1, "expected a key"));
    assert_eq!(refused(b"{\"a\" 2}"), (5, "expected a colon after a key"));
    assert_eq!(refused(b"{} 1"), (3, "unexpected data after the document"));
}

#[test]
fn nesting() {
    let nested = |open: &str, inside: &str, close: &str, n: usize| {
        format!("{}{inside}{}", open.repeat(n), close.repeat(n)).into_bytes()
    };
    for (open, inside, close) in [("[", "", "]"), ("[", "1", "]"), (r#"{"a":"#, "1", "}"), ("[0,[", "", "]]")] {
        let levels = open.matches(['[', '{']).count();
        let deepest = nested(open, inside, close, MAX_DEPTH / levels);
        assert_eq!(read(&deepest).unwrap().depth(), MAX_DEPTH - usize::from(inside.is_empty()));
        let deeper = nested(open, inside, close, MAX_DEPTH / levels + 1);
        assert_eq!(refused(&deeper).1, "nested deeper than 1024 levels");
    }
    // Siblings do not add depth.
    assert!(read(&nested("[],", "[]", "", 5000)).is_err());
    let wide = format!("[{}[]]", "[],".repeat(5000));
    assert_eq!(read(wide.as_bytes()).unwrap().depth(), 1);
    for open in ["[", "{", r#"{"":"#, "[["] {
        refused(open.repeat(3_000_000).as_bytes());
    }
}

#[test]
fn limits() {
    let small = Limits { bytes: 40, depth: 3, values: 6 };
    let read = |text: &str| Reader::with_limits(small).read(text.as_bytes()).map(|document| document.root().kind());
    assert_eq!(read(r#"[[["a"],2],3]"#), Ok(Kind::Array));
    assert_eq!(read("[[[[]]]]"), Err(ReadError::Limit { at: 3, what: "levels of nesting", limit: 3 }));
    assert_eq!(read("[1,2,3,4,5]"), Ok(Kind::Array));
    assert_eq!(read("[1,2,3,4,5,6]"), Err(ReadError::Limit { at: 12, what: "values", limit: 6 }));
    assert_eq!(read(r#"{"a":1,"b":2}"#), Ok(Kind::Object));
    // Keys count as values.
    let error = read(r#"{"a":1,"b":2,"c":3}"#).unwrap_err();
    assert_eq!(error, ReadError::Limit { at: 18, what: "values", limit: 6 });
    assert_eq!(error.to_string(), "too many values at byte 18: the limit is 6");
    assert_eq!(read(&" ".repeat(41)), Err(ReadError::Limit { at: 0, what: "bytes", limit: 40 }));
    assert_eq!(read(&format!("{:40}", 1)), Ok(Kind::Int));
    // A limit higher than the reference's has no effect: the error is E-PARSE, not E-LIMIT.
    let deep = Limits { depth: 5000, ..Limits::default() };
    let text = "[".repeat(1025);
    assert!(matches!(Reader::with_limits(deep).read(text.as_bytes()), Err(ReadError::Syntax { at: 1024, .. })));
}

#[test]
fn a_reused_reader_reads_like_a_new_one() {
    let mut reader = Reader::new();
    for text in [r#"[1,{"a":[2]}]"#, "[[[[", r#"{"b":"#, "7", "\"\\ud83d\""] {
        let fresh = read(text.as_bytes());
        assert_eq!(reader.read(text.as_bytes()).map(|document| document.root().to_json()), fresh);
    }
}

/// Strings with an end, an escape or a non-ASCII character at every position of the scanner's 64-byte blocks.
#[test]
fn strings_across_blocks() {
    let specials: [(&[u8], &[u8]); 8] = [
        (b"", b""),
        (b"\\\"", b"\""),
        (b"\\\\", b"\\"),
        (b"\\n\\/", b"\n/"),
        (b"\\u00e9", "é".as_bytes()),
        (b"\\ud83d\\ude00", "😀".as_bytes()),
        ("é".as_bytes(), "é".as_bytes()),
        (b"\xed\xa0\x80\\ud800", b"\xed\xa0\x80\xed\xa0\x80"),
    ];
    let fill: Vec<u8> = (0..140).map(|i| b'!' + 2 + i % 50).filter(|&byte| byte != b'\\').collect();
    for offset in 0..64 {
        for length in (0..4).chain(54..70).chain(118..134) {
            for (raw, decoded) in specials {
                // The special part after the padding, and in the middle of it.
                for at in [length, length / 2] {
                    let (before, after) = (&fill[..at], &fill[at..length]);
                    let spaces = vec![b' '; offset];
                    let text = [&spaces, &b"[\""[..], before, raw, after, b"\",7]"].concat();
                    let expected = Json::Text([before, decoded, after].concat());
                    assert_eq!(read(&text).unwrap(), Json::Array(vec![expected, Json::from(7)]));
                    refused(&text[..text.len() - 4]);
                }
            }
        }
    }
}
