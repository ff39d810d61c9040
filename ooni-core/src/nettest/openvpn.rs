//! `openvpn` (scoring spec §7.19).

use super::{Context, Nettest};
use crate::error::Error;
use crate::json::Json;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "openvpn",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-040-openvpn.md",
    about: "No handshake with the OpenVPN endpoint succeeds",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let success = context.test_keys().get("success")?;
    let mut scores = Scores::initial();
    if success.value().is_false() {
        context.fired("the handshake fails", "blocking_general", &[&success]);
        scores.block(1.0);
    } else if success.is_null() {
        context.fired("the probe does not say whether the handshake succeeds", "accuracy", &[&success]);
        scores.inaccurate();
    }
    scores.set("extra", Json::object([("test_runtime", context.field("test_runtime").value().to_json())]));
    Ok(scores)
}
