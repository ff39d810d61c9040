//! `tor` (scoring spec §7.13).

use super::shared::object;
use super::{Context, Nettest};
use crate::error::{Code, Error};
use crate::json::{Json, Value};
use crate::python::{contains, is_truthy};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "tor",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-023-tor.md",
    about: "Bridges and authorities of Tor cannot be reached",
    score,
};

/// What became of the targets.
#[derive(Default)]
struct Targets {
    ok: i64,
    blocked: i64,
}

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let field = context.test_keys().get("targets")?;
    let targets = field.value();
    if !is_truthy(targets) || targets.is_array() {
        context.fired("there are no targets", "accuracy", &[&field]);
        return Ok(Scores::failed());
    }
    let Some(counts) = count(context, object(targets)?)? else {
        return Ok(Scores::failed());
    };
    let mut scores = Scores::initial();
    let tried = counts.blocked + counts.ok;
    if tried > 0 {
        scores.block(counts.blocked as f64 / tried as f64);
    } else {
        context.fired("no target was tried", "accuracy", &[&field]);
        scores.inaccurate();
    }
    scores.set("extra", Json::object([("test_runtime", context.field("test_runtime").value().to_json())]));
    Ok(scores)
}

/// Counts the targets; `None` when one is incomplete, whatever the others are.
fn count(context: &Context<'_>, targets: Value<'_>) -> Result<Option<Targets>, Error> {
    let mut counts = Targets::default();
    for (_, target) in targets.members() {
        // In a string or array both words can be found, and then nothing can be made of it.
        if !contains(target, "failure")? || !contains(target, "network_events")? {
            context.forget();
            context.fired("a target has no failure or no network events", "accuracy", &[&target]);
            return Ok(None);
        }
        let failure = target.get("failure")?.required()?;
        if failure.is_false() {
            continue; // not tried
        }
        if failure.is_null() {
            counts.ok += 1;
            context.fired("a target can be reached", "blocking_general", &[&failure]);
        } else if failure.is_text("") {
            return Err(Error::new(Code::Assert, failure.path(), "an empty failure"));
        } else {
            counts.blocked += 1;
            context.fired("a target cannot be reached", "blocking_general", &[&failure]);
        }
    }
    Ok(Some(counts))
}
