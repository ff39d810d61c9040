//! `http_requests` (scoring spec §7.14).

use super::matches::{Search, confirm};
use super::{Context, Nettest};
use crate::error::Error;
use crate::json::{Field, Value};
use crate::python::is_truthy;
use crate::scores::{BLOCKING_GENERAL, Scores};
use crate::trace::Place;

pub(super) const NETTEST: Nettest = Nettest {
    name: "http_requests",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-003-http-requests.md",
    about: "The answer differs from the one that came through Tor, or is known to announce blocking",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let matching = [tk.get("body_length_match")?, tk.field("headers_match")];
    if is_failed(context, matching) {
        return Ok(Scores::failed());
    }
    let mut scores = Scores::initial();
    let differing: Vec<_> = matching.iter().filter(|field| !is_truthy(field.value())).collect();
    if !differing.is_empty() {
        let places: Vec<&dyn Place> = differing.into_iter().map(|field| field as &dyn Place).collect();
        context.fired("body or headers differ from those of the control", BLOCKING_GENERAL, &places);
        scores.block(1.0);
    }
    let mut search = Search::new(context);
    for request in tk.field("requests").objects()? {
        let request = request?;
        let tor = request.field("request").if_null(Value::EMPTY_OBJECT).get("tor")?.if_null(Value::EMPTY_OBJECT);
        if !is_truthy(tor.get("is_tor")?.value()) {
            search.response(request.field("response").if_null(Value::EMPTY_OBJECT))?;
        }
    }
    confirm(context, &search.matches, &mut scores)?;
    if search.skipped {
        scores.inaccurate();
    }
    Ok(scores)
}

/// Whether the measurement failed; the failures are looked for at the top, not among the test keys.
fn is_failed(context: &Context<'_>, matching: [Field<'_>; 2]) -> bool {
    let failures = ["control_failure", "experiment_failure"].map(|key| context.field(key));
    let failed = failures.iter().filter(|field| is_truthy(field.value()));
    let lacking = matching.iter().filter(|field| field.is_null());
    let reasons: Vec<&dyn Place> = failed.chain(lacking).map(|field| field as &dyn Place).collect();
    if reasons.is_empty() {
        return false;
    }
    context.fired("the measurement failed, or was not compared", "accuracy", &reasons);
    true
}
