//! The job `asnmeta`.

use crate::support::{Faulty, Place, Running};
use ooni_testkit::http_server::answer;

const NAMES: &str = r#"{
    "3269": [["Telecom Italia", "IT", "20120224", "ASN-IBSNAZ", "RIPE"], ["TIM", "IT", "20200101", "ASN-IBSNAZ", "RIPE"]],
    "1": [["Level 3", "US", "20010920", "LVLT-1", "ARIN"]]
}"#;

async fn names(running: &Running) -> Vec<(u32, String)> {
    running.store().asn_names(&[]).await.unwrap().into_iter().collect()
}

fn expected() -> Vec<(u32, String)> {
    vec![(1, "Level 3".to_owned()), (3269, "TIM".to_owned())]
}

pub(crate) async fn names_are_replaced(mut place: Place) {
    let server = Faulty::new();
    place.config.jobs.asnmeta = server.url();
    server.answers(answer("200 OK", "", NAMES.as_bytes()));
    let running = place.start().await;
    running.store().replace_asn_names(Vec::new()).await.unwrap();
    let report = running.run_with("asnmeta", true).await.unwrap();
    assert_eq!(report.sentence, "3 names of networks would replace the current ones");
    assert_eq!(names(&running).await, []);
    let report = running.run("asnmeta").await.unwrap();
    assert_eq!(report.sentence, "3 names of networks");
    assert_eq!(names(&running).await, expected());
    assert_eq!(running.metric("asnmeta_tmp_len"), Some(3.0));
    place.config.jobs.asnmeta =
        place.write("names.json", r#"{"2": [["A", "", "20010920"], ["B", "", "20010921"], ["C", "", "20010922"]]}"#);
    place.run("asnmeta").await.unwrap();
    assert_eq!(names(&running).await, [(2, "C".to_owned())]);
}

pub(crate) async fn bad_sources_leave_the_names(mut place: Place) {
    let server = Faulty::new();
    place.config.jobs.asnmeta = server.url();
    server.answers(answer("200 OK", "", NAMES.as_bytes()));
    let running = place.start().await;
    running.run("asnmeta").await.unwrap();
    let name = r#"["A", "IT", "20010920"]"#;
    let of = |names: usize| format!("{{\"1\": [{}]}}", vec![name; names].join(", "));
    let undated = r#"{"1": [["A"], ["A", "", "20010920"], ["A", "", "20010921"], ["A", "", "20010922"]]}"#;
    let mut faults = Faulty::faults(NAMES.as_bytes());
    for (content, why) in [
        (of(2), "2 names of networks; expected more than 2 and fewer than 10"),
        (of(11), "at least 10 names of networks"),
        (of(5).replace('}', ""), "EOF"),
        (undated.to_owned(), "1 entries have no network, day or name, beside 3 names"),
    ] {
        faults.push((answer("200 OK", "", content.as_bytes()), why));
    }
    for (response, why) in faults {
        server.answers(response);
        let error = running.run("asnmeta").await.unwrap_err();
        assert!(error.contains(why), "{error}, not {why}");
        assert_eq!(names(&running).await, expected(), "{why}");
    }
}
