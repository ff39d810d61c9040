//! `web_connectivity` (scoring spec §7.7).

use super::context::{Context, Nettest};
use super::matches::{Match, Search, confirm};
use super::shared::{has_unknown_failure, object};
use crate::error::{Code, Error};
use crate::json::{Field, Json, Value};
use crate::python::equals_int;
use crate::scores::{BLOCKING_COUNTRY, BLOCKING_GENERAL, BLOCKING_GLOBAL, BLOCKING_ISP, BLOCKING_LOCAL, Scores};
use crate::trace::HasPath;

pub(super) const NETTEST: Nettest = Nettest {
    name: "web_connectivity",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-017-web-connectivity.md",
    about: "The probe gets a different response than the control, or a known blockpage",
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
        // The reference recovers only from a padding error, and loses all matches.
        Err(error) if error.code == Code::Pad => {
            context.clear_found();
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
    let [title_match, blocking, accessible] = object(tk)?.fields(["title_match", "blocking", "accessible"]);
    let value = title_match.value();
    if !(title_match.is_null() || equals_int(value, 0) || equals_int(value, 1)) {
        context.fired("title_match is neither true nor false", "accuracy", &[&title_match]);
        scores.inaccurate();
        return Ok(scores);
    }
    by_blocking(context, blocking, matches.is_empty(), &mut scores);
    if has_unknown_failure(context, tk)? {
        scores.inaccurate();
    }
    add_up(context, matches, &mut scores);
    if accessible.found().is_some_and(Value::is_null) && matches.is_empty() {
        context.fired("the probe does not report whether the site is accessible", "accuracy", &[&accessible]);
        scores.inaccurate();
    }
    Ok(scores)
}

/// The verdict of the probe.
fn by_blocking(context: &Context<'_>, field: Field<'_>, no_matches: bool, scores: &mut Scores) {
    let blocking = field.value();
    let known = ["tcp_ip", "dns", "http-diff", "http-failure"].into_iter().find(|known| blocking.is_text(known));
    if let Some(known) = known {
        context.fired("the probe reports that the site is blocked", BLOCKING_GENERAL, &[&field]);
        scores.block(1.0);
        scores.set("analysis", Json::object([("blocking_type", Json::from(known))]));
    } else if equals_int(blocking, 0) {
        // Not blocked.
    } else if blocking.is_null() {
        if no_matches {
            context.fired("the probe does not report whether the site is blocked", "accuracy", &[&field]);
            scores.inaccurate();
        }
    } else {
        context.fired("the type of blocking is unknown", "accuracy", &[&field]);
        scores.set("analysis", Json::object([("msg", Json::from("Unsupported blocking type"))]));
        scores.inaccurate();
    }
}

/// Adds the scores of localities, which come from confirmed fingerprints, to the general score.
fn add_up(context: &Context<'_>, matches: &[Match<'_>], scores: &mut Scores) {
    // The order of the reference, because the sum of floats depends on it.
    let local = scores.blocking(BLOCKING_COUNTRY)
        + scores.blocking(BLOCKING_GLOBAL)
        + scores.blocking(BLOCKING_ISP)
        + scores.blocking(BLOCKING_LOCAL);
    if local > 0.0 {
        let places: Vec<&dyn HasPath> = matches.iter().map(|found| &found.place as &dyn HasPath).collect();
        context.fired("confirmed fingerprints also count in the general score", BLOCKING_GENERAL, &places);
    }
    scores.block(scores.blocking(BLOCKING_GENERAL) + local);
}

#[cfg(test)]
mod tests {
    use crate::nettest::tests::{check, check_listed, check_with, error_of, list, records_of, vector_list};
    use crate::rules::Rules;

    const ANALYSIS_DNS: &str = r#","analysis":{"blocking_type":"dns"}}"#;
    const UNSUPPORTED: &str = r#"0.0,"analysis":{"msg":"Unsupported blocking type"},"accuracy":0.0}"#;

    /// Scoring spec §16, 17 to 23; the repairs affect only values that cannot be decoded.
    #[test]
    fn vectors() {
        let list = vector_list();
        for rules in [Rules::Compat, Rules::Fixed] {
            let check =
                |keys: &str, expected: &str| check_listed(&list, rules, "web_connectivity", keys, &[], expected);
            check(
                r#"{"blocking":"dns","accessible":false,"queries":[{"answers":[{"ipv4":"10.10.34.36","hostname":"x"}]}]}"#,
                concat!(
                    r#"{"blocking_general":2.0,"blocking_global":0.0,"blocking_country":1.0,"blocking_isp":0.0,"#,
                    r#""blocking_local":0.0,"fingerprints":[{"name":"d1","scope":"nat","location_found":"dns","#,
                    r#""confidence_no_fp":10,"expected_countries":["IR"]}],"confirmed":true,"#,
                    r#""analysis":{"blocking_type":"dns"}}"#
                ),
            );
            let two = r#"{"blocking":false,"requests":[{"response":{"body":"a BLOCK b"}},{"response":
                {"body":{"data":"QkxPQ0s=","format":"base64"},"headers":{"SERVER":"Wall"}}}]}"#;
            check(two, r#"2.0 country=1.0 local=1.0,"fingerprints":[h1,h1,h4],"confirmed":true}"#);
            check(
                r#"{"title_match":"x","blocking":"dns","requests":[{"response":{"body":"BLOCK"}}]}"#,
                r#"0.0 country=1.0,"fingerprints":[h1],"confirmed":true,"accuracy":0.0}"#,
            );
            check(
                r#"{"blocking":"tcp_ip","requests":[{"response":{"body":{"data":"QkxPQ0s","format":"base64"}}}]}"#,
                r#"1.0,"analysis":{"blocking_type":"tcp_ip"},"accuracy":0.0}"#,
            );
            check(r#"{"blocking":true}"#, UNSUPPORTED);
            check(
                r#"{"blocking":"http-diff","queries":[{"answers":[{"hostname":"x"}]}]}"#,
                r#"1.0,"fingerprints":[d3],"confirmed":true,"analysis":{"blocking_type":"http-diff"}}"#,
            );
            check(r#"{"blocking":0.0,"title_match":1}"#, "0.0}");
        }
    }

    #[test]
    fn blocking() {
        let check = |keys: &str, expected: &str| check("web_connectivity", keys, expected);
        for known in ["tcp_ip", "dns", "http-diff", "http-failure"] {
            let expected = format!(r#"1.0,"analysis":{{"blocking_type":"{known}"}}}}"#);
            check(&format!(r#"{{"blocking":"{known}"}}"#), &expected);
        }
        for not in ["false", "0", "0.0", "-0.0", "-0"] {
            check(&format!(r#"{{"blocking":{not}}}"#), "0.0}");
        }
        for unknown in ["true", "1", "1.0", r#""""#, r#""x""#, r#""DNS""#, r#""dns ""#, "[]", r#"["dns"]"#, "{}", "NaN"]
        {
            check(&format!(r#"{{"blocking":{unknown}}}"#), UNSUPPORTED);
        }
        for missing in ["{}", r#"{"blocking":null}"#, "", "null"] {
            check(missing, r#"0.0,"accuracy":0.0}"#);
        }
        assert_eq!(
            records_of("web_connectivity", r#"{"blocking":"dns"}"#),
            [("blocking_general", vec!["/test_keys/blocking".to_owned()])]
        );
        assert_eq!(records_of("web_connectivity", "{}"), [("accuracy", vec!["/test_keys/blocking".to_owned()])]);
    }

    #[test]
    fn title_match() {
        let check = |keys: &str, expected: &str| check("web_connectivity", keys, expected);
        for fine in ["null", "true", "false", "0", "1", "1.0", "-0.0"] {
            check(&format!(r#"{{"blocking":"dns","title_match":{fine}}}"#), &format!("1.0{ANALYSIS_DNS}"));
        }
        for odd in [r#""x""#, r#""""#, "2", "0.5", "-1", "NaN", "[]", "{}", "[true]"] {
            check(&format!(r#"{{"blocking":"dns","title_match":{odd}}}"#), r#"0.0,"accuracy":0.0}"#);
        }
    }

    #[test]
    fn unknown_failures_and_accessible() {
        let check = |keys: &str, expected: &str| check("web_connectivity", keys, expected);
        check(r#"{"blocking":false,"dns_experiment_failure":"unknown_failure: x"}"#, r#"0.0,"accuracy":0.0}"#);
        check(
            r#"{"blocking":"dns","x_failure":"unknown_failure"}"#,
            r#"1.0,"analysis":{"blocking_type":"dns"},"accuracy":0.0}"#,
        );
        check(r#"{"blocking":false,"x_failure":"eof_error","y_failure":null,"z_failure":0}"#, "0.0}");
        check(r#"{"blocking":false,"x_failure":"an unknown_failure","failure":"unknown_failure"}"#, "0.0}");
        check(r#"{"blocking":false,"a_failure":5,"b_failure":"unknown_failure"}"#, "E-TYPE");
        check(r#"{"blocking":false,"b_failure":"unknown_failure","a_failure":5}"#, r#"0.0,"accuracy":0.0}"#);
        check(r#"{"blocking":false,"a_failure":5,"a_failure":"unknown_failure"}"#, r#"0.0,"accuracy":0.0}"#);
        check(r#"{"blocking":false,"accessible":null}"#, r#"0.0,"accuracy":0.0}"#);
        check(r#"{"blocking":false,"accessible":true}"#, "0.0}");
        check(r#"{"blocking":"dns","accessible":null}"#, r#"1.0,"analysis":{"blocking_type":"dns"},"accuracy":0.0}"#);
        for (keys, path) in [
            (r#"{"blocking":false,"accessible":null}"#, "/test_keys/accessible"),
            (r#"{"blocking":false,"x_failure":"unknown_failure"}"#, "/test_keys/x_failure"),
            (r#"{"blocking":false,"title_match":"x"}"#, "/test_keys/title_match"),
            (r#"{"blocking":true}"#, "/test_keys/blocking"),
        ] {
            assert_eq!(records_of("web_connectivity", keys), [("accuracy", vec![path.to_owned()])]);
        }
        // Not reached when the title is invalid.
        check(r#"{"title_match":"x","a_failure":5}"#, r#"0.0,"accuracy":0.0}"#);
    }

    /// A match that confirms nothing still keeps the measurement from failing.
    #[test]
    fn matches_prevent_failure() {
        let list = list("", "p1,prod,,body,contains,NEEDLE,5,FR\n");
        let check = |keys: &str, expected: &str| {
            check_listed(&list, Rules::Compat, "web_connectivity", keys, &[], expected);
        };
        let requests = r#""requests":[{"response":{"body":"a NEEDLE"}}]"#;
        check(&format!(r#"{{"blocking":null,{requests}}}"#), r#"0.0,"fingerprints":[p1]}"#);
        check(&format!(r#"{{"blocking":false,"accessible":null,{requests}}}"#), r#"0.0,"fingerprints":[p1]}"#);
        check(&format!("{{{requests}}}"), r#"0.0,"fingerprints":[p1]}"#);
        check(
            &format!(r#"{{"blocking":true,"accessible":null,{requests}}}"#),
            r#"0.0,"fingerprints":[p1],"analysis":{"msg":"Unsupported blocking type"},"accuracy":0.0}"#,
        );
    }

    #[test]
    fn localities_are_added() {
        let list = list(
            "",
            concat!(
                "nat,nat,,body,contains,N,5,\nisp,isp,,body,contains,I,5,\n",
                "inst,inst,,body,contains,L,5,IT\nprod,prod,,body,contains,P,5,IT\n"
            ),
        );
        for (body, blocking, expected) in [
            ("N", "false", r#"1.0 country=1.0,"fingerprints":[nat],"confirmed":true}"#),
            ("N I", "false", r#"2.0 country=1.0 isp=1.0,"fingerprints":[nat,isp],"confirmed":true}"#),
            ("LIN", "0", r#"3.0 country=1.0 isp=1.0 local=1.0,"fingerprints":[nat,isp,inst],"confirmed":true}"#),
            ("P", "false", r#"1.0,"fingerprints":[prod],"confirmed":true}"#),
            ("P", r#""dns""#, r#"1.0,"fingerprints":[prod],"confirmed":true,"analysis":{"blocking_type":"dns"}}"#),
            ("P N", "null", r#"2.0 country=1.0,"fingerprints":[nat,prod],"confirmed":true}"#),
            (
                "N I L P",
                r#""tcp_ip""#,
                concat!(
                    r#"4.0 country=1.0 isp=1.0 local=1.0,"fingerprints":[nat,isp,inst,prod],"#,
                    r#""confirmed":true,"analysis":{"blocking_type":"tcp_ip"}}"#
                ),
            ),
        ] {
            let keys = format!(r#"{{"blocking":{blocking},"requests":[{{"response":{{"body":"{body}"}}}}]}}"#);
            check_listed(&list, Rules::Compat, "web_connectivity", &keys, &[], expected);
        }
    }

    #[test]
    fn errors() {
        for keys in ["5", "[]", r#""x""#, "true", "0", "false", r#""""#] {
            check("web_connectivity", keys, "E-TYPE");
        }
        assert_eq!(error_of("web_connectivity", "5"), (crate::error::Code::Type, "/test_keys".to_owned()));
        check_with("web_connectivity", "{}", &[("probe_cc", "")], "E-KEY");
        check_with("web_connectivity", r#"{"blocking":false}"#, &[("probe_cc", "null")], "0.0}");
        for cc in ["5", "[]", "true"] {
            check_with("web_connectivity", "{}", &[("probe_cc", cc)], "E-TYPE");
        }
    }
}
