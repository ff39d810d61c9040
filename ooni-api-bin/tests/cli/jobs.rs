use crate::support::{Server, program, ran};
use std::fs;
use std::path::Path;

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program(arguments);
    command.current_dir(folder).env("OONI_API_INTAKE_MIN_FREE_BYTES", "0").env("OONI_API_LOG_LEVEL", "off");
    command.env("OONI_API_JOBS_TEST_LISTS_MORE_THAN", "0");
    ran(command)
}

fn write_lists(folder: &Path) {
    let header = "url,category_code,category_description,date_added,source,notes\n";
    fs::create_dir_all(folder.join("lists")).unwrap();
    fs::write(folder.join("lists/global.csv"), format!("{header}https://example.org/,NEWS,News,2020-01-01,,\n"))
        .unwrap();
}

#[test]
fn a_job_says_what_it_did_or_would_do() {
    let folder = tempfile::tempdir().unwrap();
    write_lists(folder.path());
    fs::write(folder.path().join("a.toml"), "jobs.test_lists = \"lists\"\n").unwrap();
    let run =
        |arguments: &[&str]| run(folder.path(), &[&["job", "test-lists", "--config", "a.toml"], arguments].concat());
    let (code, planned, errors) = run(&["--dry-run"]);
    assert_eq!((code, &*errors), (0, ""));
    let (_, again, _) = run(&["--dry-run"]);
    assert_eq!(again, planned);
    let (code, done, errors) = run(&[]);
    assert_eq!((code, &*errors), (0, ""));
    assert!(done.contains('1'), "{done}");
    let server = Server::start(folder.path(), &["--config", "a.toml"]);
    let health = server.json("/health");
    assert_eq!(health["test_lists"], 1, "{health:#}");
    assert!(health["jobs"]["test-lists"].is_u64(), "{health:#}");
    assert!(server.metrics().2.contains("job_last_success_timestamp{job=\"test-lists\"} "));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_job_that_fails_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text, errors) = run(folder.path(), &["job", "test-lists", "--log-level", "info"]);
    assert_eq!((code, &*text), (1, ""));
    assert_eq!(errors.matches("jobs.test_lists is empty").count(), 1, "{errors}");
    let (code, _, errors) = run(folder.path(), &["job", "test-lists", "--current"]);
    assert_eq!((code, &*errors), (2, "ooni-api: --current is for the job archive\n"));
}

#[test]
fn the_log_can_be_archived_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
    let server = Server::start(folder.path(), &["--import", examples.to_str().unwrap()]);
    let imported = server.event("import")["imported"].as_str().unwrap().to_owned();
    let imported = imported.split(' ').next().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    let planned = run(&["job", "archive", "--dry-run", "--current"]).1;
    assert!(planned.starts_with(&format!("{imported} measurements of ")), "{planned}");
    assert!(!planned.contains(" 1 hours"), "{planned}");
    let (code, _, errors) = run(&["job", "archive"]);
    assert_eq!(code, 1);
    assert!(errors.contains("a server is using this state directory; it archives by itself"), "{errors}");
    assert_eq!(server.stop(), Some(0));
    let (code, _, errors) = run(&["job", "archive", "--current"]);
    assert_eq!((code, &*errors), (0, ""));
    assert_eq!(run(&["job", "archive", "--dry-run", "--current"]).1, "0 measurements of 0 hours would be archived\n");
    assert!(folder.path().join("ooni-data/archive/raw").is_dir());
}
