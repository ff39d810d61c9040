//! `telegram` (scoring spec §7.1).

use super::shared::{ratio, tcp_counts};
use super::{Context, Nettest};
use crate::error::Error;
use crate::json::{Field, Json, Value};
use crate::python;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "telegram",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-020-telegram.md",
    about: "Telegram's access points or its web site cannot be reached",
    score,
};

const WEB: [&str; 2] = ["https://web.telegram.org/", "http://web.telegram.org/"];

/// What the requests came to.
struct Requests<'c> {
    /// The last failure of the web site, else null.
    web_failure: Value<'c>,
    ok: i64,
    bad: i64,
}

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let web_status = tk.get("telegram_web_status")?;
    let endpoints = tcp_counts(context, tk)?;
    let Some(requests) = count_requests(context, tk.field("requests"))? else {
        return Ok(Scores::failed());
    };
    if endpoints.is_empty() {
        context.fired("no endpoint was tried, half a sign", "blocking_general", &[&tk.field("tcp_connect")]);
    }
    if requests.ok + requests.bad == 0 {
        context.fired("no access point was asked, half a sign", "blocking_general", &[&tk.field("requests")]);
    }
    // In this order: the last digits depend on it.
    let mut blocking = ratio(endpoints.unreachable, endpoints.accessible);
    blocking += ratio(requests.bad, requests.ok);
    if web_status.value().is_text("blocked") {
        blocking += 1.0;
        context.fired("the probe calls the web site blocked", "blocking_general", &[&web_status]);
    }
    let mut scores = Scores::initial();
    scores.block(blocking);
    let web_failure = requests.web_failure.to_json();
    let message = (!requests.web_failure.is_null()).then(|| [b"failure: ", &*python::to_text(&web_failure)].concat());
    scores.set("web_failure", web_failure);
    scores.set("accessible_endpoints", endpoints.accessible);
    scores.set("unreachable_endpoints", endpoints.unreachable);
    scores.set("http_success_cnt", requests.ok);
    scores.set("http_failure_cnt", requests.bad);
    if let Some(message) = message {
        context.fired("the web site fails", "web_failure", &[&requests.web_failure]);
        scores.set("msg", Json::Text(message));
    }
    Ok(scores)
}

/// Counts the requests to access points. `None` when one has no URL: that makes the measurement worthless, whatever
/// came before.
fn count_requests<'c>(context: &Context<'_>, requests: Field<'c>) -> Result<Option<Requests<'c>>, Error> {
    let mut counts = Requests { web_failure: Value::NULL, ok: 0, bad: 0 };
    for request in requests.objects()? {
        let request = request?;
        let sent = request.field("request");
        // A request of null is not a missing one: that is an error.
        let url = match sent.found() {
            Some(sent) => sent.get("url")?.found(),
            None => None,
        };
        let Some(url) = url else {
            context.forget();
            context.fired("a request has no URL", "accuracy", &[&sent]);
            return Ok(None);
        };
        let failure = request.field("failure").required()?;
        if WEB.iter().any(|web| url.is_text(web)) {
            if !failure.is_null() {
                counts.web_failure = failure;
            }
        } else if failure.is_null() {
            counts.ok += 1;
            context.fired("an access point answers over HTTP", "blocking_general", &[&failure]);
        } else {
            counts.bad += 1;
            context.fired("an access point does not answer over HTTP", "blocking_general", &[&failure]);
        }
    }
    Ok(Some(counts))
}
