//! The job `test-lists`.

use crate::support::{Faulty, NOW, Place, Running, tar_gz, text, with_etag};
use ooni_store::ListedUrl;
use ooni_testkit::http_server::{answer, serve};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use tokio::time::sleep;

const HEADER: &str = "url,category_code,category_description,date_added,source,notes\n";

fn list(hosts: &[&str]) -> String {
    let rows: Vec<_> = hosts.iter().map(|host| format!("https://{host}/,NEWS,News,2020-01-01,me,\n")).collect();
    format!("{HEADER}{}", rows.concat())
}

/// The lists as `CC HOST`, ordered.
async fn lists(running: &Running) -> Vec<String> {
    let lists = running.store().test_lists(&[]).await.unwrap();
    let mut lists: Vec<_> = lists.into_iter().map(|entry| format!("{} {}", entry.cc, entry.domain)).collect();
    lists.sort();
    lists
}

const LISTS: [&str; 4] = ["ZZ a.org", "ZZ b.org", "it a.org", "it c.org"];

fn archive() -> Vec<u8> {
    let (global, it) = (list(&["a.org", "b.org"]), list(&["a.org", "c.org"]));
    let other = list(&["wrong.org", "bad.org"]);
    tar_gz(&[
        ("test-lists-main/README.md", "read me"),
        ("test-lists-main/lists/global.csv", &global),
        ("test-lists-main/lists/it.csv", &it),
        ("test-lists-main/lists/00-LEGEND-codes.csv", "a,b\n"),
        ("test-lists-main/lists/official/ru.csv", &other),
    ])
}

async fn empty(place: &Place) -> Running {
    let running = place.start().await;
    running.store().replace_test_lists(Vec::new()).await.unwrap();
    running
}

pub(crate) async fn every_source(mut place: Place) {
    for folder in ["flat", "repository/lists"] {
        place.write(&format!("{folder}/global.csv"), list(&["a.org", "b.org"]));
        place.write(&format!("{folder}/it.csv"), list(&["a.org", "c.org"]));
        place.write(&format!("{folder}/README.md"), "read me");
    }
    let file = place.write("lists.tar.gz", archive());
    let flat = place.write(
        "flat.tar.gz",
        tar_gz(&[("global.csv", &list(&["a.org", "b.org"])), ("it.csv", &list(&["a.org", "c.org"]))]),
    );
    let server = with_etag(archive());
    let url = format!("http://{}/lists.tar.gz", server.address);
    for source in [text(&place.path("flat")), text(&place.path("repository")), file, flat, url] {
        place.config.jobs.test_lists.clone_from(&source);
        let running = empty(&place).await;
        let report = running.run("test-lists").await.unwrap();
        assert!(
            report.is_changed && report.sentence.starts_with("4 URLs in 2 lists: 4 added, 0 removed"),
            "{report:?}"
        );
        assert_eq!(lists(&running).await, LISTS, "{source}");
        assert_eq!(running.metric("citizenlab_test_list_len"), Some(4.0));
        assert_eq!(running.metric("job_last_success_timestamp{job=\"test-lists\"}"), Some((NOW / 1_000_000) as f64));
        assert_eq!(running.metric("job_failures_total{job=\"test-lists\"}"), None);
        assert!(!running.store().url_priorities(&["*".to_owned()]).await.unwrap().is_empty());
        let again = running.run("test-lists").await.unwrap();
        assert!(!again.is_changed, "{again:?}");
        // The next process knows it as well.
        let job = ooni_api::job::Job::named("test-lists").unwrap();
        assert_eq!(place.start().await.jobs.last_success(job).map(|last| last.micros()), Some(NOW));
    }
}

pub(crate) async fn a_server_that_is_asked_for_changes(mut place: Place) {
    let server = with_etag(archive());
    place.config.jobs.test_lists = format!("http://{}/lists.tar.gz", server.address);
    let running = empty(&place).await;
    let is_conditional = || server.asked().last().unwrap().to_ascii_lowercase().contains("if-none-match");
    assert!(running.run("test-lists").await.unwrap().is_changed);
    assert!(!is_conditional());
    let report = running.run("test-lists").await.unwrap();
    assert_eq!((report.sentence.as_str(), is_conditional()), ("4 URLs, not modified", true));
    // Without the lists that were downloaded, they are needed again.
    let [url, domain, cc, category_code] = ["https://x.org/", "x.org", "ru", "NEWS"].map(str::to_owned);
    running.store().replace_test_lists(vec![ListedUrl { url, domain, cc, category_code }]).await.unwrap();
    let report = running.run("test-lists").await.unwrap();
    assert!(report.sentence.starts_with("4 URLs in 2 lists: 4 added, 1 removed"), "{report:?}");
    assert!(!is_conditional());
    assert_eq!(lists(&running).await, LISTS);
}

pub(crate) async fn bad_sources_leave_the_lists(mut place: Place) {
    let server = Faulty::new();
    place.config.jobs.test_lists = server.url();
    let running = empty(&place).await;
    server.answers(answer("200 OK", "", &archive()));
    running.run("test-lists").await.unwrap();
    let (few, many) = (
        list(&["a.org", "b.org"]),
        list(
            &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
                .map(|n| format!("{n}.org"))
                .each_ref()
                .map(|host| &**host),
        ),
    );
    let without = tar_gz(&[("lists/README.md", "read me")]);
    let mut faults = Faulty::faults(&archive());
    for (content, why) in [
        (tar_gz(&[("lists/global.csv", &few)]), "2 URLs; expected more than 2 and fewer than 10"),
        (tar_gz(&[("lists/global.csv", &many)]), "10 URLs; expected more than 2 and fewer than 10"),
        (without, "the archive contains no test list"),
        (b"<html>not an archive</html>".to_vec(), "the archive cannot be read"),
    ] {
        faults.push((answer("200 OK", "", &content), why));
    }
    for (number, (response, why)) in (1..).zip(faults) {
        server.answers(response);
        let error = running.run("test-lists").await.unwrap_err();
        assert!(error.contains(why), "{error}, not {why}");
        assert_eq!(lists(&running).await, LISTS, "{why}");
        assert_eq!(running.metric("job_failures_total{job=\"test-lists\"}"), Some(f64::from(number)));
    }
    // A file that cannot be used leaves the list of its country; the others are replaced.
    let damaged = tar_gz(&[("lists/global.csv", &list(&["a.org", "d.org"])), ("lists/it.csv", "<html>")]);
    server.answers(answer("200 OK", "", &damaged));
    running.run("test-lists").await.unwrap();
    assert_eq!(lists(&running).await, ["ZZ a.org", "ZZ d.org", "it a.org", "it c.org"]);
    place.config.jobs.test_lists = text(&place.path("missing"));
    assert!(place.run("test-lists").await.unwrap_err().contains("missing"));
    place.config.jobs.test_lists = String::new();
    assert!(place.run("test-lists").await.unwrap_err().contains("jobs.test_lists"));
}

pub(crate) async fn a_dry_run_changes_nothing(mut place: Place) {
    place.config.jobs.test_lists = place.write("lists.tar.gz", archive());
    let running = empty(&place).await;
    let job = ooni_api::job::Job::named("test-lists").unwrap();
    let report = running.run_with("test-lists", true).await.unwrap();
    assert!(report.is_changed, "{report:?}");
    assert_eq!(report.sentence, "4 URLs in 2 lists would replace the current ones: 4 added, 0 removed");
    assert_eq!((lists(&running).await, running.jobs.last_success(job)), (Vec::new(), None));
    running.run("test-lists").await.unwrap();
    let report = running.run_with("test-lists", true).await.unwrap();
    assert_eq!((report.is_changed, report.sentence.as_str()), (false, "4 URLs in 2 lists, unchanged"));
}

pub(crate) async fn one_process_at_a_time(mut place: Place) {
    place.config.jobs.test_lists = place.write("lists.tar.gz", archive());
    let running = empty(&place).await;
    // Another host has another state directory, and the same database.
    let mut other = Place::in_store(&place.config.store_uri());
    other.config.jobs.test_lists.clone_from(&place.config.jobs.test_lists);
    let held = other.start().await.store().try_lock("job-test-lists").await.unwrap().unwrap();
    assert_eq!(running.run("test-lists").await.unwrap_err(), "busy");
    assert_eq!(running.metric("job_failures_total{job=\"test-lists\"}"), None);
    drop(held);
    running.run("test-lists").await.unwrap();
    assert!(!other.run("test-lists").await.unwrap().is_changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes() {
    let mut place = Place::new();
    // The server does not answer before the other end of this is closed.
    let (answers, wait) = mpsc::channel::<()>();
    let (wait, content) = (Mutex::new(wait), archive());
    let server = serve(move |_| {
        let _ = wait.lock().unwrap().recv();
        answer("200 OK", "", &content)
    });
    place.config.jobs.test_lists = format!("http://{}/lists.tar.gz", server.address);
    let running = empty(&place).await;
    let mut process = Command::new(env!("CARGO_BIN_EXE_ooni-api"))
        .args(["job", "test-lists", "--state-dir", &text(&place.config.state_dir)])
        .env("OONI_API_JOBS_TEST_LISTS", &place.config.jobs.test_lists)
        .env("OONI_API_JOBS_TEST_LISTS_MORE_THAN", "2")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while server.asked().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(running.run("test-lists").await.unwrap_err(), "busy");
    assert_eq!(lists(&running).await, [""; 0]);
    drop(answers);
    assert!(process.wait().unwrap().success());
    assert_eq!(lists(&running).await, LISTS);
    assert!(!running.run("test-lists").await.unwrap().is_changed);
}
