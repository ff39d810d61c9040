//! `torsf` (scoring spec §7.18).

use super::{Context, Nettest};
use crate::error::Error;
use crate::json::Json;
use crate::python::is_truthy;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "torsf",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-030-torsf.md",
    about: "Tor does not start through Snowflake",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    if is_broken_probe(context)? {
        return Ok(Scores::failed());
    }
    let tk = context.test_keys();
    let failure = tk.get("failure")?;
    let mut scores = Scores::initial();
    if is_truthy(failure.value()) {
        context.fired("Tor does not start", "blocking_general", &[&failure]);
        scores.block(1.0);
        return Ok(scores);
    }
    let bootstrap_time = tk.field("bootstrap_time").value();
    let runtime = context.field("test_runtime").value();
    let extra = [("bootstrap_time", bootstrap_time.to_json()), ("test_runtime", runtime.to_json())];
    scores.set("extra", Json::object(extra));
    Ok(scores)
}

/// Version 3.8.3 of the probe for Android has a broken Snowflake.
fn is_broken_probe(context: &Context<'_>) -> Result<bool, Error> {
    let version = context.field("software_version");
    let name = context.field("software_name");
    // The name is looked at for this version alone: with any other it may be of any kind.
    if !version.value().is_text("3.8.3") || name.is_missing() {
        return Ok(false);
    }
    let text = name.value().text().ok_or_else(|| name.value().wrong_kind("a string"))?;
    let broken = text.starts_with(b"ooniprobe-android");
    if broken {
        context.fired("this version of the probe is broken", "accuracy", &[&version, &name]);
    }
    Ok(broken)
}
