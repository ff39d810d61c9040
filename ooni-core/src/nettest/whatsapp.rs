//! `whatsapp` (scoring spec §7.5).

use super::shared::{has_unknown_failure, tcp_counts};
use super::{Context, Nettest};
use crate::error::{Code, Error};
use crate::json::{Field, Json, Value};
use crate::python::{contains, equals_int, is_truthy};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "whatsapp",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-018-whatsapp.md",
    about: "WhatsApp's registration service, its web site or all its endpoints cannot be reached",
    score,
};

const WEB: &str = "https://web.whatsapp.com/";
const REGISTRATION: &str = "https://v.whatsapp.net/v2/register";

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let mut scores = Scores::initial();
    if has_unknown_failure(context, tk)? {
        scores.inaccurate();
    }
    if is_worthless(context, tk)? {
        scores.inaccurate();
        return Ok(scores);
    }
    let requests = tk.field("requests");
    let Last { web: Some(web), registration: Some(registration) } = last_requests(requests)? else {
        context.fired("the web site or the registration service was not asked", "accuracy", &[&requests]);
        scores.inaccurate();
        return Ok(scores);
    };
    let (web_ok, registration_ok) = (is_web_ok(web), registration.is_null());
    if !web_ok {
        context.fired("the web site does not answer", "blocking_general", &[&web]);
    }
    if !registration_ok {
        context.fired("the registration service does not answer", "blocking_general", &[&registration]);
    }
    if !web_ok || !registration_ok {
        scores.block(1.0);
        return Ok(scores);
    }
    let endpoints = tcp_counts(context, tk)?;
    if endpoints.is_empty() {
        context.fired("no endpoint was tried", "accuracy", &[&tk.field("tcp_connect")]);
        scores.inaccurate();
    } else if endpoints.accessible == 0 {
        scores.block(1.0);
    }
    let analysis = [
        ("registration_server_accessible", Json::Bool(true)),
        ("whatsapp_web_accessible", Json::Bool(true)),
        ("whatsapp_endpoints_accessible", Json::Bool(endpoints.accessible > 0)),
    ];
    scores.set("analysis", Json::object(analysis));
    Ok(scores)
}

/// Nothing can be told: an error of old probes' Python, or no requests (steps 2 and 3).
fn is_worthless(context: &Context<'_>, tk: Value<'_>) -> Result<bool, Error> {
    let web_failure = tk.field("whatsapp_web_failure");
    let requests = tk.field("requests");
    if is_truthy(web_failure.value()) && contains(web_failure.value(), "unknown_failure 'ascii' co")? {
        context.fired("the probe met an error of its own", "accuracy", &[&web_failure]);
    } else if !is_truthy(requests.value()) {
        context.fired("there is no request", "accuracy", &[&requests]);
    } else {
        return Ok(false);
    }
    // The reference logs the report here, and wants one to log.
    let report_id = context.field("report_id").required()?;
    if !is_truthy(report_id) {
        return Err(Error::new(Code::Assert, report_id.path(), "a report id is needed"));
    }
    Ok(true)
}

/// `failure` of the last request for each URL, if there was one.
#[derive(Default)]
struct Last<'c> {
    web: Option<Field<'c>>,
    registration: Option<Field<'c>>,
}

fn last_requests(requests: Field<'_>) -> Result<Last<'_>, Error> {
    let mut last = Last::default();
    for request in requests.objects()? {
        let request = request?;
        let url = request.field("request").if_missing(Value::EMPTY_OBJECT).get("url")?.value();
        if url.is_text(WEB) {
            last.web = Some(request.field("failure"));
        } else if url.is_text(REGISTRATION) {
            last.registration = Some(request.field("failure"));
        }
    }
    Ok(last)
}

/// No failure for the web site may be null, empty, false or zero. Missing it is one, unlike for the registration
/// service, for which in turn nothing but missing and null will do.
fn is_web_ok(failure: Field<'_>) -> bool {
    failure.found().is_some_and(|value| value.is_null() || value.is_text("") || equals_int(value, 0))
}
