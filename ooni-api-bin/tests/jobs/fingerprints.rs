//! The job `fingerprints`.

use crate::support::{Place, text};
use ooni_api::job::fingerprints::{load, paths};
use ooni_archive::fingerprints::built_in;
use ooni_testkit::http_server::{HttpServer, answer, serve};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

const HEADER: &str = "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries,source,exp_url,notes\n";

fn dns(addresses: &[&str]) -> String {
    let row = |address: &&str| format!("dns.{address},isp,,dns,full,{address},5,IT,,,\n");
    format!("{HEADER}{}", addresses.iter().map(row).collect::<String>())
}

fn http(patterns: &[&str]) -> String {
    let row = |pattern: &&str| format!("http.{pattern},isp,,body,contains,{pattern},5,IT,,,\n");
    format!("{HEADER}{}", patterns.iter().map(row).collect::<String>())
}

/// A server with two lists, each with an ETag, that a test can replace.
struct Lists {
    server: HttpServer,
    lists: Arc<Mutex<[String; 2]>>,
}

impl Lists {
    fn new(dns: String, http: String) -> Lists {
        let lists = Arc::new(Mutex::new([dns, http]));
        let current = Arc::clone(&lists);
        let server = serve(move |head| {
            let lists = current.lock().unwrap();
            let list = match head.split(' ').nth(1) {
                Some("/lists/fingerprints_dns.csv") => &lists[0],
                Some("/lists/fingerprints_http.csv") => &lists[1],
                _ => return answer("404 Not Found", "", b""),
            };
            let etag = format!("\"{}\"", list.len());
            match head.contains(&etag) {
                true => answer("304 Not Modified", "", b""),
                false => answer("200 OK", &format!("ETag: {etag}\r\n"), list.as_bytes()),
            }
        });
        Lists { server, lists }
    }

    fn url(&self) -> String {
        format!("http://{}/lists/", self.server.address)
    }

    fn set(&self, dns: &str, http: &str) {
        *self.lists.lock().unwrap() = [dns.to_owned(), http.to_owned()];
    }
}

fn read(state_dir: &Path) -> [String; 2] {
    paths(state_dir).map(|path| fs::read_to_string(path).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_replaced_and_sent_to_the_scorer() {
    let mut place = Place::new();
    let state = place.config.state_dir.clone();
    let (dns1, http1) = (dns(&["1.2.3.4", "1.2.3.5"]), http(&["blocked here", "not allowed", "forbidden"]));
    let lists = Lists::new(dns1.clone(), http1.clone());
    place.config.jobs.fingerprints = lists.url();
    let mut running = place.start().await;
    assert_eq!(running.fingerprints.borrow().list_sha256(), built_in().unwrap().list_sha256());

    let report = running.run_with("fingerprints", true).await.unwrap();
    assert_eq!(report.sentence, "2 DNS and 3 HTTP fingerprints would replace the current ones");
    assert!(!running.fingerprints.has_changed().unwrap() && !paths(&state)[0].exists());

    let report = running.run("fingerprints").await.unwrap();
    assert_eq!((report.is_changed, &*report.sentence), (true, "2 DNS and 3 HTTP fingerprints"));
    assert_eq!(read(&state), [dns1.clone(), http1.clone()]);
    assert!(running.fingerprints.has_changed().unwrap());
    assert_eq!(running.fingerprints.borrow_and_update().dns().len(), 2);
    assert_eq!(load(&state).unwrap().list_sha256(), running.fingerprints.borrow().list_sha256());
    assert_eq!(running.metric("fingerprints_http_tmp_len"), Some(3.0));

    let report = running.run("fingerprints").await.unwrap();
    assert_eq!((report.is_changed, &*report.sentence), (false, "2 DNS and 3 HTTP fingerprints, unchanged"));
    assert!(lists.server.asked().last().unwrap().to_ascii_lowercase().contains("if-none-match"));
    assert!(!running.fingerprints.has_changed().unwrap());

    // One list is modified, the other is not.
    let dns2 = dns(&["1.2.3.4", "1.2.3.5", "1.2.3.6"]);
    lists.set(&dns2, &http1);
    // Another process runs the job. This one finds the files unchanged, and uses them nevertheless.
    place.run("fingerprints").await.unwrap();
    assert_eq!(read(&state), [dns2, http1]);
    assert_eq!(running.fingerprints.borrow().dns().len(), 2);
    running.run("fingerprints").await.unwrap();
    assert_eq!(running.fingerprints.borrow_and_update().dns().len(), 3);

    // From a directory.
    place.write("lists/fingerprints_dns.csv", dns(&["1.2.3.4", "1.2.3.9"]));
    place.write("lists/fingerprints_http.csv", http(&["blocked here", "not allowed"]));
    place.config.jobs.fingerprints = text(&place.path("lists"));
    assert_eq!(place.run("fingerprints").await.unwrap().sentence, "2 DNS and 2 HTTP fingerprints");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_list_never_replaces_a_good_one() {
    let mut place = Place::new();
    let (good_dns, good_http) = (dns(&["1.2.3.4", "1.2.3.5"]), http(&["blocked here", "not allowed"]));
    let lists = Lists::new(good_dns.clone(), good_http.clone());
    place.config.jobs.fingerprints = lists.url();
    let mut running = place.start().await;
    running.run("fingerprints").await.unwrap();
    running.fingerprints.mark_unchanged();
    let new_dns = dns(&["1.2.3.4", "1.2.3.5", "1.2.3.6"]);
    for (dns, http, why) in [
        (&*new_dns, "<html>".to_owned(), "http fingerprints"),
        (&*new_dns, String::new(), "http fingerprints"),
        (&*new_dns, http(&["a"]), "1 HTTP fingerprints; expected more than 1 and fewer than 10"),
        (&*new_dns, good_http.replace(",isp,", ",everywhere,"), "http fingerprints, line 2"),
        (&dns(&["1.2.3.4"]), good_http.clone(), "1 DNS fingerprints; expected more than 1"),
        (&dns(&["1"; 10]), good_http.clone(), "10 DNS fingerprints; expected more than 1 and fewer than 10"),
    ] {
        lists.set(dns, &http);
        let error = running.run("fingerprints").await.unwrap_err();
        assert!(error.contains(why), "{error}, not {why}");
        assert_eq!(read(&place.config.state_dir), [good_dns.clone(), good_http.clone()], "{why}");
        assert!(!running.fingerprints.has_changed().unwrap());
    }
    place.config.jobs.fingerprints = format!("http://{}/nothing", lists.server.address);
    assert!(place.run("fingerprints").await.unwrap_err().contains("HTTP 404"));
    assert_eq!(read(&place.config.state_dir), [good_dns, good_http]);
}

#[test]
fn lists_that_cannot_be_used_are_not_loaded() {
    let place = Place::new();
    let state = &place.config.state_dir;
    let built_in = built_in().unwrap();
    assert_eq!(load(state).unwrap().list_sha256(), built_in.list_sha256());
    place.write("state/fingerprints/fingerprints_dns.csv", dns(&["1.2.3.4"]));
    assert_eq!(load(state).unwrap().list_sha256(), built_in.list_sha256());
    place.write("state/fingerprints/fingerprints_http.csv", http(&["blocked here"]));
    assert_eq!(load(state).unwrap().http().len(), 1);
    place.write("state/fingerprints/fingerprints_http.csv", "");
    assert_eq!(load(state).unwrap().list_sha256(), built_in.list_sha256());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time_for_a_state_directory() {
    let mut place = Place::new();
    place.write("lists/fingerprints_dns.csv", dns(&["1.2.3.4", "1.2.3.9"]));
    place.write("lists/fingerprints_http.csv", http(&["blocked here", "not allowed"]));
    place.config.jobs.fingerprints = text(&place.path("lists"));
    let running = place.start().await;
    let lock = fs::File::create(place.config.state_dir.join("jobs/fingerprints.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(running.run("fingerprints").await.unwrap_err(), "busy");
    drop(lock);
    running.run("fingerprints").await.unwrap();
}
