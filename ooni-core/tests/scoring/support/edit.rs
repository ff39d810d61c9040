//! Changes documents: by JSON pointer, and at random.

use ooni_core::json::Json;

/// The steps of a JSON pointer, decoded.
fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

fn child<'j>(value: &'j Json, step: &str) -> Option<&'j Json> {
    match value {
        Json::Array(items) => items.get(step.parse::<usize>().ok()?),
        Json::Object(members) => {
            members.iter().find(|(key, _)| String::from_utf8_lossy(key) == step).map(|(_, value)| value)
        }
        _ => None,
    }
}

fn child_mut<'j>(value: &'j mut Json, step: &str) -> Option<&'j mut Json> {
    match value {
        Json::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        Json::Object(members) => {
            members.iter_mut().find(|(key, _)| String::from_utf8_lossy(key) == step).map(|(_, value)| value)
        }
        _ => None,
    }
}

/// The value at a path.
pub(crate) fn at<'j>(whole: &'j Json, pointer: &str) -> Option<&'j Json> {
    steps(pointer).iter().try_fold(whole, |value, step| child(value, step))
}

pub(crate) fn at_mut<'j>(whole: &'j mut Json, pointer: &str) -> Option<&'j mut Json> {
    steps(pointer).iter().try_fold(whole, |value, step| child_mut(value, step))
}

/// The path of the container of a path; `None` for the whole document.
pub(crate) fn parent(pointer: &str) -> Option<&str> {
    pointer.rsplit_once('/').map(|(parent, _)| parent)
}

/// Sets or removes the value at a path. Missing paths are ignored.
pub(crate) fn replace(whole: &mut Json, pointer: &str, value: Option<&Json>) {
    let Some(parent) = parent(pointer) else {
        *whole = value.cloned().unwrap_or_default();
        return;
    };
    let step = steps(pointer).pop().unwrap();
    match (at_mut(whole, parent), value) {
        (Some(Json::Array(items)), Some(value)) => {
            if let Some(item) = step.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                *item = value.clone();
            }
        }
        (Some(Json::Array(items)), None) => {
            if let Some(at) = step.parse::<usize>().ok().filter(|&at| at < items.len()) {
                items.remove(at);
            }
        }
        (Some(Json::Object(members)), value) => {
            let at = members.iter().position(|(key, _)| String::from_utf8_lossy(key) == step);
            match (at, value) {
                (Some(at), Some(value)) => members[at].1 = value.clone(),
                (Some(at), None) => drop(members.remove(at)),
                (None, Some(value)) => members.push((step.into_bytes(), value.clone())),
                (None, None) => {}
            }
        }
        _ => {}
    }
}

/// Bytes as base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * i)) as usize & 63]);
            out.push(if i <= group.len() { letter } else { '=' });
        }
    }
    out
}

/// Deterministic numbers from a seed.
pub(crate) struct Dice(pub u64);

impl Dice {
    /// A number below `below`, which is not 0.
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    pub(crate) fn pick<'t, T>(&mut self, among: &'t [T]) -> &'t T {
        &among[self.roll(among.len())]
    }
}

/// `value` or a random value inside it; deeper values are less likely.
fn somewhere<'j>(value: &'j mut Json, dice: &mut Dice) -> &'j mut Json {
    let inside = match value {
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        _ => 0,
    };
    if inside == 0 || dice.roll(5) == 0 {
        return value;
    }
    let which = dice.roll(inside);
    match value {
        Json::Array(items) => somewhere(&mut items[which], dice),
        Json::Object(members) => somewhere(&mut members[which].1, dice),
        other => other,
    }
}

/// Replaces, removes, repeats, renames or moves something in the document; keys may become repeated.
pub(crate) fn mutate(whole: &mut Json, values: &[Json], keys: &[&str], dice: &mut Dice) {
    match dice.roll(7) {
        0 | 1 => *somewhere(whole, dice) = dice.pick(values).clone(),
        2 => {
            let taken = somewhere(whole, dice).clone();
            *somewhere(whole, dice) = taken;
        }
        change => match somewhere(whole, dice) {
            Json::Array(items) if !items.is_empty() => {
                let at = dice.roll(items.len());
                match change {
                    3 | 4 => drop(items.remove(at)),
                    5 => items.insert(at, items[at].clone()),
                    _ => items.insert(at, dice.pick(values).clone()),
                }
            }
            Json::Object(members) if !members.is_empty() => {
                let at = dice.roll(members.len());
                match change {
                    3 => drop(members.remove(at)),
                    4 => members[at].0 = dice.pick(keys).as_bytes().to_vec(),
                    5 => {
                        let repeated = (members[at].0.clone(), dice.pick(values).clone());
                        members.insert(dice.roll(members.len()), repeated);
                    }
                    _ => members.push((dice.pick(keys).as_bytes().to_vec(), dice.pick(values).clone())),
                }
            }
            other => *other = dice.pick(values).clone(),
        },
    }
}
