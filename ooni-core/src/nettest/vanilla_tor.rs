//! `vanilla_tor` (scoring spec §7.6).

use super::shared::object;
use super::{Context, Nettest};
use crate::error::Error;
use crate::json::Value;
use crate::python::{contains, is_truthy, to_float};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "vanilla_tor",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-016-vanilla-tor.md",
    about: "Tor does not start, or not completely",
    score,
};

const DONE: [&str; 2] = ["Bootstrapped 100%: Done", "Bootstrapped 100% (done): Done"];

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = object(context.test_keys())?;
    let (logs, old_log) = (tk.field("tor_logs"), tk.field("tor_log"));
    let log = if is_truthy(logs.value()) { logs } else { old_log };
    if log.is_null() {
        context.fired("there is no log of Tor", "accuracy", &[&logs, &old_log]);
        return Ok(Scores::failed());
    }
    let mut scores = Scores::initial();
    if is_done(log.value())? {
        return Ok(scores);
    }
    let progress_field = tk.field("tor_progress");
    let progress = clamped(to_float(progress_field.if_missing(Value::ZERO))?);
    if progress != 100.0 {
        context.fired("Tor has not started completely", "blocking_general", &[&log, &progress_field]);
        scores.block(1.0 - progress * 0.004);
    }
    Ok(scores)
}

fn is_done(log: Value<'_>) -> Result<bool, Error> {
    Ok(contains(log, DONE[0])? || contains(log, DONE[1])?)
}

/// Between 0 and 100; what is no number is 0.
fn clamped(progress: f64) -> f64 {
    if progress > 0.0 { progress.min(100.0) } else { 0.0 }
}
