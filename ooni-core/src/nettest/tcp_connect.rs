//! `tcp_connect` (scoring spec §7.9).

use super::{Context, Nettest};
use crate::error::{Code, Error};
use crate::python::is_truthy;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "tcp_connect",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-008-tcp-connect.md",
    about: "No TCP connection to the endpoint can be made",
    score,
};

/// Failures that blocking shares with servers that are down.
const COMMON: [&str; 4] = ["generic_timeout_error", "connection_refused_error", "connect_error", "tcp_timed_out_error"];

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let input = context.field("input").required()?;
    if !is_truthy(input) {
        return Err(Error::new(Code::Assert, input.path(), "an input is needed"));
    }
    let connection = context.test_keys().get("connection")?;
    let value = connection.value();
    let mut scores = Scores::initial();
    if value.is_text("success") {
        return Ok(scores);
    }
    if COMMON.iter().any(|failure| value.is_text(failure)) {
        context.fired("the connection fails as it may without blocking", "blocking_general", &[&connection]);
        scores.block(0.8);
    } else {
        context.fired("the connection fails", "blocking_general", &[&connection]);
        scores.block(1.0);
    }
    Ok(scores)
}
