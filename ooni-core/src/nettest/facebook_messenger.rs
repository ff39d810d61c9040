//! `facebook_messenger` (scoring spec §7.2).

use super::context::{Context, Nettest};
use super::shared::object;
use crate::error::Error;
use crate::json::Value;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "facebook_messenger",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-019-facebook-messenger.md",
    about: "Facebook Messenger's names do not resolve to Facebook, or its endpoints cannot be reached",
    score,
};

/// Checks whose failure (`false`) is a sign of blocking, in the order of the scores.
const CONSISTENT: [&str; 13] = [
    "facebook_b_api_dns_consistent",
    "facebook_b_api_reachable",
    "facebook_b_graph_dns_consistent",
    "facebook_b_graph_reachable",
    "facebook_edge_dns_consistent",
    "facebook_edge_reachable",
    "facebook_external_cdn_dns_consistent",
    "facebook_external_cdn_reachable",
    "facebook_scontent_cdn_dns_consistent",
    "facebook_scontent_cdn_reachable",
    "facebook_star_dns_consistent",
    "facebook_star_reachable",
    "facebook_stun_dns_consistent",
];

const TCP_BLOCKING: &str = "facebook_tcp_blocking";
const DNS_BLOCKING: &str = "facebook_dns_blocking";

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = object(context.test_keys())?;
    let mut scores = Scores::initial();
    if is_dns_false_positive(tk) {
        let places: [&dyn crate::trace::HasPath; 2] = [&tk.field(TCP_BLOCKING), &tk.field(DNS_BLOCKING)];
        context.fired(
            "everything except the CDNs is reachable: DNS blocking is a false positive",
            "blocking_general",
            &places,
        );
        return Ok(scores);
    }
    let mut blocking = 0.0;
    for key in CONSISTENT {
        let field = tk.field(key);
        if field.value().is_false() {
            context.fired("a check of Facebook's servers fails", "blocking_general", &[&field]);
            blocking += 0.5;
            scores.set(key, false);
        }
    }
    for key in [TCP_BLOCKING, DNS_BLOCKING] {
        let field = tk.field(key);
        if field.value().is_true() {
            context.fired("the probe reports that Facebook is blocked", "blocking_general", &[&field]);
            blocking += 0.5;
            scores.set(key, true);
        }
    }
    scores.block(blocking);
    Ok(scores)
}

/// Whether nothing but the CDNs failed: old probes mistake the DNS answers of the CDNs for blocking (step 1).
fn is_dns_false_positive(tk: Value<'_>) -> bool {
    let reachable = |key: &'static str| key.contains("_cdn_") || tk.field(key).value().is_true();
    tk.field(TCP_BLOCKING).value().is_false()
        && tk.field(DNS_BLOCKING).value().is_true()
        && CONSISTENT.into_iter().all(reachable)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    use super::{CONSISTENT, DNS_BLOCKING, TCP_BLOCKING};

    /// All checks succeed and both kinds of blocking are as given; then come the changes, as JSON members.
    fn keys(tcp: &str, dns: &str, changes: &str) -> String {
        let consistent: Vec<_> = CONSISTENT.iter().map(|key| format!("{key:?}:true,")).collect();
        format!("{{{}{TCP_BLOCKING:?}:{tcp},{DNS_BLOCKING:?}:{dns}{changes}}}", consistent.concat())
    }

    #[test]
    fn failed_checks_add_up() {
        let check = |keys: &str, expected: &str| check("facebook_messenger", keys, expected);
        check(
            r#"{"facebook_stun_dns_consistent":false,"facebook_dns_blocking":true,"facebook_tcp_blocking":true,
                "facebook_b_api_reachable":false}"#,
            r#"2.0,"facebook_b_api_reachable":false,"facebook_stun_dns_consistent":false,"facebook_tcp_blocking":true,"facebook_dns_blocking":true}"#,
        );
        for none in [
            "{}",
            "null",
            "",
            r#"{"facebook_b_api_reachable":0,"facebook_tcp_blocking":1,"facebook_dns_blocking":"true"}"#,
        ] {
            check(none, "0.0}");
        }
        for key in CONSISTENT {
            check(&format!("{{{key:?}:false}}"), &format!("0.5,{key:?}:false}}"));
            check(&format!("{{{key:?}:null}}"), "0.0}");
        }
        let all: Vec<_> = CONSISTENT.iter().map(|key| format!("{key:?}:false")).collect();
        let all = format!(r#"{},"facebook_tcp_blocking":true,"facebook_dns_blocking":true}}"#, all.join(","));
        check(&format!("{{{all}"), &format!("7.5,{all}"));
        check("[]", "E-TYPE");
        check(r#""x""#, "E-TYPE");
    }

    #[test]
    fn dns_blocking_alone_is_a_false_positive() {
        let check = |keys: &str, expected: &str| check("facebook_messenger", keys, expected);
        check(&keys("false", "true", ""), "0.0}");
        check(&keys("false", "true", r#","facebook_scontent_cdn_reachable":false"#), "0.0}");
        check(
            &keys("false", "false", r#","facebook_scontent_cdn_reachable":false"#),
            r#"0.5,"facebook_scontent_cdn_reachable":false}"#,
        );
        check(&keys("null", "true", ""), r#"0.5,"facebook_dns_blocking":true}"#);
        check(&keys("true", "true", ""), r#"1.0,"facebook_tcp_blocking":true,"facebook_dns_blocking":true}"#);
        for key in CONSISTENT.iter().filter(|key| !key.contains("cdn")) {
            check(&keys("false", "true", &format!(",{key:?}:null")), r#"0.5,"facebook_dns_blocking":true}"#);
        }
    }
}
