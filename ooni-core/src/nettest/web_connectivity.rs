//! `web_connectivity` (scoring spec §7.7).

use super::matches::{Match, Search, confirm};
use super::shared::has_unknown_failure;
use super::{Context, Nettest};
use crate::error::{Code, Error};
use crate::json::{Field, Json, Value};
use crate::python::equals_int;
use crate::scores::{BLOCKING_COUNTRY, BLOCKING_GENERAL, BLOCKING_GLOBAL, BLOCKING_ISP, BLOCKING_LOCAL, Scores};
use crate::trace::Place;

pub(super) const NETTEST: Nettest = Nettest {
    name: "web_connectivity",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-017-web-connectivity.md",
    about: "The probe gets another answer than the control, or a page that is known to announce blocking",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let mut search = Search::new(context);
    match search.measurement() {
        Ok(()) => {
            let mut scores = by_matches(context, &search.matches)?;
            if search.skipped {
                scores.inaccurate();
            }
            Ok(scores)
        }
        // The reference recovers from wrong padding alone, and loses all that it had found.
        Err(error) if error.code == Code::Pad => {
            context.forget_found();
            let mut scores = by_matches(context, &[])?;
            scores.inaccurate();
            Ok(scores)
        }
        Err(error) => Err(error),
    }
}

fn by_matches(context: &Context<'_>, matches: &[Match<'_>]) -> Result<Scores, Error> {
    let mut scores = Scores::initial();
    let tk = context.test_keys();
    confirm(context, matches, &mut scores)?;
    let title_match = tk.get("title_match")?;
    let value = title_match.value();
    if !(title_match.is_null() || equals_int(value, 0) || equals_int(value, 1)) {
        context.fired("title_match is neither true nor false", "accuracy", &[&title_match]);
        scores.inaccurate();
        return Ok(scores);
    }
    by_blocking(context, tk.field("blocking"), matches.is_empty(), &mut scores);
    if has_unknown_failure(context, tk)? {
        scores.inaccurate();
    }
    add_up(context, matches, &mut scores);
    let accessible = tk.field("accessible");
    if accessible.found().is_some_and(Value::is_null) && matches.is_empty() {
        context.fired("the probe does not know whether the site is accessible", "accuracy", &[&accessible]);
        scores.inaccurate();
    }
    Ok(scores)
}

/// What the probe itself says of the site.
fn by_blocking(context: &Context<'_>, field: Field<'_>, no_matches: bool, scores: &mut Scores) {
    let blocking = field.value();
    let known = ["tcp_ip", "dns", "http-diff", "http-failure"].into_iter().find(|known| blocking.is_text(known));
    if let Some(known) = known {
        context.fired("the probe says that the site is blocked", BLOCKING_GENERAL, &[&field]);
        scores.block(1.0);
        scores.set("analysis", Json::object([("blocking_type", Json::from(known))]));
    } else if equals_int(blocking, 0) {
        // Not blocked.
    } else if blocking.is_null() {
        if no_matches {
            context.fired("the probe does not know whether the site is blocked", "accuracy", &[&field]);
            scores.inaccurate();
        }
    } else {
        context.fired("blocking is of a type that is not known", "accuracy", &[&field]);
        scores.set("analysis", Json::object([("msg", Json::from("Unsupported blocking type"))]));
        scores.inaccurate();
    }
}

/// Adds what fingerprints confirmed for a place to the general score.
fn add_up(context: &Context<'_>, matches: &[Match<'_>], scores: &mut Scores) {
    // In this order: that of the reference, as floats are added.
    let local = scores.blocking(BLOCKING_COUNTRY)
        + scores.blocking(BLOCKING_GLOBAL)
        + scores.blocking(BLOCKING_ISP)
        + scores.blocking(BLOCKING_LOCAL);
    if local > 0.0 {
        let places: Vec<&dyn Place> = matches.iter().map(|found| &found.place as &dyn Place).collect();
        context.fired("fingerprints that were found for a place count in general too", BLOCKING_GENERAL, &places);
    }
    scores.block(scores.blocking(BLOCKING_GENERAL) + local);
}
