//! Measurements that are intentionally odd or broken.

use super::json::Value;
use super::rng::Rng;
use super::templates::Template;

/// A member inserted at the start of a measurement.
pub(super) struct Odd {
    /// The text as sent.
    pub(super) sent: Vec<u8>,
    /// How the collector reads it; `None` if it cannot.
    pub(super) read_as: Option<String>,
}

/// One of the odd texts.
pub(super) fn odd(rng: &mut Rng) -> Odd {
    let (sent, read_as) = match rng.index(ODD.len() + 3) {
        0 => (format!("\"x_odd\":{},", "9".repeat(400)).into_bytes(), Read::Same),
        1 => (nested(900), Read::Same),
        2 => (nested(1100), Read::Not), // the collector's reader stops at a depth of about 1000
        i => (ODD[i - 3].0.to_vec(), ODD[i - 3].1),
    };
    let read_as = match read_as {
        Read::Same => String::from_utf8(sent.clone()).ok(),
        Read::As(text) => Some(text.to_owned()),
        Read::Not => None,
    };
    Odd { sent, read_as }
}

fn nested(depth: usize) -> Vec<u8> {
    format!("\"x_odd\":{}{},", "[".repeat(depth), "]".repeat(depth)).into_bytes()
}

#[derive(Clone, Copy)]
enum Read {
    Same,
    As(&'static str),
    Not,
}

const ODD: [(&[u8], Read); 24] = [
    // Surrogates, NUL and escapes.
    (br#""x_odd":"\ud83d lone","#, Read::Same),
    (br#""x_odd":"\ude00\ud83d reversed","#, Read::Same),
    (br#""x_odd":"\ud83d\ude00","#, Read::Same),
    (br#""x_odd":"a\u0000b","#, Read::Same),
    (b"\"x_odd\":\"a\x00b\",", Read::Not),
    (br#""x_odd":"\x41","#, Read::Not),
    (br#""x_odd":"\u12","#, Read::Not),
    (b"\"x_odd\":\"tab\there\",", Read::As(r#""x_odd":"tab\there","#)),
    (br#""x_odd":"\/\b\f","#, Read::Same),
    ("\"x_odd\":\"\u{202e}\u{301}\u{feff}\",".as_bytes(), Read::Same),
    // Not UTF-8; a surrogate in three bytes is read as one.
    (b"\"x_odd\":\"\xff\xfe\",", Read::Not),
    (b"\"x_odd\":\"\xed\xa0\xbd\",", Read::As(r#""x_odd":"\ud83d","#)),
    (b"\"x_odd\":\"\xc0\xaf\",", Read::Not),
    // Numbers.
    (br#""x_odd":NaN,"#, Read::Same),
    (br#""x_odd":-Infinity,"#, Read::Same),
    (br#""x_odd":1e400,"#, Read::Same),
    (br#""x_odd":-0.0,"#, Read::Same),
    (br#""x_odd":01,"#, Read::As(r#""x_odd":1,"#)),
    (br#""x_odd":-,"#, Read::As(r#""x_odd":0,"#)),
    (br#""x_odd":1.,"#, Read::As(r#""x_odd":1.0,"#)),
    // Repeated keys, and structure.
    (br#""probe_cc":"XX","#, Read::Same),
    (br#""test_keys":null,"#, Read::Same),
    (br#""x_odd":[1,],"#, Read::Not),
    (br#""x_odd":'a',"#, Read::Not),
];

/// The measurement of a template with a missing value or a value of the wrong type.
pub(super) fn with_wrong_type(template: &Template, rng: &mut Rng) -> Value {
    let mut msm = template.value.clone();
    let value = any(rng);
    let bare = |text: &str| Value::Bare(text.into());
    let text = Value::spelled;
    match rng.below(16) {
        0 => msm.set("test_keys", value),
        1 => {
            let values = [bare("123"), Value::null(), text("AS"), text("ASx"), text("1"), text("")];
            msm.set("probe_asn", rng.pick(&values).clone());
        }
        2 => msm.set("probe_cc", rng.pick(&[Value::null(), text(""), text("zz"), bare("5")]).clone()),
        3 => msm.set("report_id", value),
        4 => msm.remove("report_id"),
        5 => {
            let values =
                [Value::null(), bare("5"), text(""), text("2021-02-30 00:00:00"), text("2021-01-02T03:04:05Z")];
            msm.set("measurement_start_time", rng.pick(&values).clone());
        }
        6 => msm.set("test_name", rng.pick(&[Value::null(), text(""), text("no_such_test"), bare("3")]).clone()),
        7 => msm.set("input", value),
        8 => msm.set("annotations", value),
        9 => msm.set("test_runtime", rng.pick(&[Value::null(), text("3.5"), bare("-1"), bare("1e+300")]).clone()),
        10 => msm.set("test_helpers", value),
        11 => {
            msm = match rng.below(6) {
                0 => Value::List(Vec::new()),
                1 => bare("5"),
                2 => text("text"),
                3 => Value::null(),
                4 => Value::List(vec![msm]),
                _ => Value::object([]),
            }
        }
        _ => {
            if msm.get("test_keys").is_none_or(|test_keys| test_keys.as_object().is_none()) {
                msm.set("test_keys", Value::object([]));
            }
            if let Some(test_keys) = msm.get_mut("test_keys") {
                let keys = test_keys.as_object().unwrap_or_default();
                let key = if keys.is_empty() { "requests".into() } else { rng.pick(keys).0.clone() };
                test_keys.set(&key, value);
            }
        }
    }
    msm
}

fn any(rng: &mut Rng) -> Value {
    let x = || Value::spelled("x");
    match rng.below(9) {
        0 => Value::null(),
        1 => x(),
        2 => Value::Bare("7".into()),
        3 => Value::Bare("1.5".into()),
        4 => Value::bool(true),
        5 => Value::List(Vec::new()),
        6 => Value::object([]),
        7 => Value::List(vec![x()]),
        _ => Value::object([("a", Value::Bare("1".into()))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_texts_are_json() {
        let mut rng = Rng::new(1);
        for _ in 0..500 {
            let odd = odd(&mut rng);
            assert!(odd.sent.ends_with(b",") && !odd.sent.contains(&b'\n'));
            if let Some(read_as) = odd.read_as {
                assert!(Value::parse(&format!("{{{read_as}\"z\":1}}")).is_some(), "{read_as}");
            }
        }
    }
}
