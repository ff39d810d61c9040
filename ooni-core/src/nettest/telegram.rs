//! `telegram` (scoring spec §7.1).

use super::shared::{ratio, tcp_counts};
use super::{Context, Nettest};
use crate::error::Error;
use crate::json::{Json, Value};
use crate::python;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "telegram",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-020-telegram.md",
    about: "Telegram's access points or its web site cannot be reached",
    score,
};

const WEB: [&str; 2] = ["https://web.telegram.org/", "http://web.telegram.org/"];

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let web_status = tk.get("telegram_web_status")?;
    let endpoints = tcp_counts(context, tk)?;
    let mut web_failure = Value::NULL;
    let (mut http_ok, mut http_bad) = (0, 0);
    for request in tk.field("requests").objects()? {
        let request = request?;
        let sent = request.field("request");
        let url = match sent.found() {
            None => return Ok(unusable(context, &sent)),
            Some(sent) => match sent.get("url")? {
                url if url.is_missing() => return Ok(unusable(context, &url)),
                url => url.value(),
            },
        };
        let failure = request.field("failure").required()?;
        if WEB.iter().any(|web| url.is_text(web)) {
            if !failure.is_null() {
                web_failure = failure;
            }
        } else if failure.is_null() {
            http_ok += 1;
            context.fired("an access point answers over HTTP", "blocking_general", &[&failure]);
        } else {
            http_bad += 1;
            context.fired("an access point does not answer over HTTP", "blocking_general", &[&failure]);
        }
    }
    // In this order: the last digits depend on it.
    let mut blocking = ratio(endpoints.unreachable, endpoints.accessible);
    blocking += ratio(http_bad, http_ok);
    if web_status.value().is_text("blocked") {
        blocking += 1.0;
        context.fired("the probe calls the web site blocked", "blocking_general", &[&web_status]);
    }
    let mut scores = Scores::initial();
    scores.block(blocking);
    let web_failure_kept = web_failure.to_json();
    let message = (!web_failure.is_null()).then(|| [b"failure: ", &*python::to_text(&web_failure_kept)].concat());
    scores.set("web_failure", web_failure_kept);
    scores.set("accessible_endpoints", endpoints.accessible);
    scores.set("unreachable_endpoints", endpoints.unreachable);
    scores.set("http_success_cnt", http_ok);
    scores.set("http_failure_cnt", http_bad);
    if let Some(message) = message {
        context.fired("the web site fails", "web_failure", &[&web_failure]);
        scores.set("msg", Json::Text(message));
    }
    Ok(scores)
}

/// A request without its URL makes the measurement worthless, whatever came before.
fn unusable(context: &Context<'_>, place: &dyn crate::trace::Place) -> Scores {
    context.forget();
    context.fired("a request has no URL", "accuracy", &[place]);
    Scores::failed()
}
