//! `ooni-api verify`.

use crate::support::{Server, program, run};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

const UID: &str = "20220121234007.821843_DE_psiphon_f90aefe2132c91d0";

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(format!("{UID}.json"))
}

/// A server that has scored a measurement.
struct Backend {
    server: Server,
    url: String,
    folder: TempDir,
}

impl Backend {
    fn start() -> Backend {
        Backend::start_in(tempfile::tempdir().unwrap())
    }

    fn start_in(folder: TempDir) -> Backend {
        // Rows are changed between requests.
        let variables = [("OONI_API_CACHE_MAX_BYTES", "0")];
        let server = Server::with_variables(folder.path(), &["--import", data().to_str().unwrap()], &variables);
        let url = format!("http://{}", server.address);
        for _ in 0..2000 {
            let (status, _, answer) = server.get(&format!("/api/v1/measurement/{UID}/explanation"));
            if status == 200 && answer.contains("\"status\":\"stored\"") {
                return Backend { server, url, folder };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the measurement is not scored");
    }

    fn verify(&self, arguments: &[&str]) -> (i32, String, String) {
        run(&[&["verify", UID, "--url", &self.url], arguments].concat())
    }

    fn sql(&self, statement: &str) {
        let store = rusqlite::Connection::open(self.folder.path().join("ooni-data/ooni.db")).unwrap();
        store.busy_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(store.execute(statement, []).unwrap(), 1, "{statement}");
    }
}

/// The text of each line by its name, with broken lines joined.
fn lines(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines().skip(1) {
        assert!(line.chars().count() <= 80, "{line}");
        let (name, rest) = line.split_at(14);
        match found.last_mut() {
            Some((_, text)) if name.trim().is_empty() => *text += &format!(" {rest}"),
            _ => found.push((name.trim().to_owned(), rest.to_owned())),
        }
    }
    found
}

fn line(text: &str, name: &str) -> String {
    let found = lines(text).into_iter().find(|(other, _)| other == name);
    found.unwrap_or_else(|| panic!("no {name}: {text}")).1
}

const CHECKS: [&str; 5] = ["hash", "ruleset", "fingerprints", "row", "explanation"];

#[test]
fn everything_agrees() {
    let backend = Backend::start();
    let (code, text, errors) = backend.verify(&[]);
    assert_eq!((code, &*errors), (0, ""), "{text}");
    assert_eq!(text.lines().next(), Some(UID));
    for name in CHECKS {
        assert!(line(&text, name).starts_with("agrees: "), "{text}");
    }
    let names: Vec<String> = lines(&text).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["server", "hash", "ruleset", "fingerprints", "row", "explanation", "result"]);

    let (code, text, _) = backend.verify(&["--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["verdict"], &report["measurement_uid"]), (0, &json!("agrees"), &json!(UID)));
    assert_eq!(report["checks"].as_array().unwrap().len(), CHECKS.len());

    // A slash at the end of the URL makes no difference.
    assert_eq!(run(&["verify", UID, "--url", &format!("{}/", backend.url)]).0, 0);
    assert_eq!(backend.server.stop(), Some(0));
}

#[test]
fn the_readme_shows_its_output() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, shown) = readme.split_once(&format!("$ ooni-api verify {UID}\n")).unwrap();
    let shown = shown.split("```").next().unwrap();
    let backend = Backend::start();
    let (_, text, _) = backend.verify(&[]);
    assert_eq!(text.replace(&backend.url, "http://127.0.0.1:8080"), shown);
}

#[test]
fn a_row_or_a_hash_differs() {
    let backend = Backend::start();
    backend.sql("UPDATE fastpath SET anomaly = 'f', probe_cc = 'FR'");
    let (code, text, errors) = backend.verify(&[]);
    assert_eq!((code, &*errors), (1, ""), "{text}");
    let expected = "differs: by the rules fixed, probe_cc is \"DE\" and not \"FR\", anomaly is true and not false";
    assert_eq!(line(&text, "row"), expected, "{text}");
    assert_eq!(line(&text, "result"), "Something differs.");
    for name in ["hash", "ruleset", "fingerprints", "explanation"] {
        assert!(line(&text, name).starts_with("agrees: "), "{text}");
    }
    backend.sql("UPDATE fastpath SET anomaly = 't', probe_cc = 'DE', body_sha256 = 'ab', ruleset = 'fixed/0'");
    let (code, text, _) = backend.verify(&["--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    let verdicts: Vec<&str> = checks.map(|check| check["verdict"].as_str().unwrap()).collect();
    assert_eq!((code, verdicts), (1, vec!["differs", "differs", "agrees", "agrees", "agrees"]), "{text}");
}

/// Writes lists without fingerprints.
fn write_lists(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, list) in [("dns", ooni_archive::fingerprints::DNS), ("http", ooni_archive::fingerprints::HTTP)] {
        let header = list.split_inclusive(|byte| *byte == b'\n').next().unwrap();
        std::fs::write(folder.join(format!("fingerprints_{name}.csv")), header).unwrap();
    }
}

#[test]
fn the_lists_of_the_server_are_fetched() {
    let folder = tempfile::tempdir().unwrap();
    write_lists(&folder.path().join("ooni-data/fingerprints"));
    let backend = Backend::start_in(folder);
    let (code, text, errors) = backend.verify(&[]);
    assert_eq!((code, &*errors), (0, ""), "{text}");
    assert_eq!(line(&text, "fingerprints"), "agrees: the row was made with the lists of the server");
    let lists = backend.folder.path().join("ooni-data/fingerprints");
    let (code, text, _) = backend.verify(&["--fingerprints", lists.to_str().unwrap()]);
    assert_eq!((code, &*line(&text, "fingerprints")), (0, "agrees: the row was made with the lists of --fingerprints"));
    // Lists that the server no longer has.
    backend.sql("UPDATE fastpath SET fingerprints_sha256 = 'ab'");
    let (code, text, _) = backend.verify(&[]);
    assert_eq!(code, 2, "{text}");
    assert!(line(&text, "fingerprints").starts_with("not checked: the row was made with lists ab, "), "{text}");
}

#[test]
fn other_fingerprint_lists_are_not_a_difference() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    write_lists(folder.path());
    let (code, text, errors) = backend.verify(&["--fingerprints", folder.path().to_str().unwrap()]);
    assert_eq!((code, &*errors), (2, ""), "{text}");
    assert!(line(&text, "fingerprints").starts_with("not checked: the row was made with lists "), "{text}");
    assert!(line(&text, "explanation").starts_with("not checked: "), "{text}");
    assert!(line(&text, "row").starts_with("agrees: "), "{text}");
}

#[test]
fn what_cannot_be_checked_names_the_url() {
    let backend = Backend::start();
    let unknown = UID.replace("2022", "2023");
    let (code, text, errors) = run(&["verify", &unknown, "--url", &backend.url]);
    assert_eq!((code, &*text), (2, ""), "{errors}");
    assert!(errors.starts_with(&format!("ooni-api: {}/api/v1/measurement", backend.url)), "{errors}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, text, errors) = run(&["verify", UID, "--url", &format!("http://{free}")]);
    assert_eq!((code, &*text), (2, ""), "{errors}");
    assert!(errors.starts_with(&format!("ooni-api: http://{free}/api/v1/measurement/{UID}/explanation: ")), "{errors}");
}

#[test]
fn wrong_arguments() {
    for (arguments, expected) in [
        (&["verify"][..], "<UID>"),
        (&["verify", "short"], "10 to 100 letters"),
        (&["verify", "../../etc/passwd"], "10 to 100 letters"),
        (&["verify", UID, "--url", "ftp://127.0.0.1"], "http:// or https://"),
        (&["verify", UID, "--urll", "http://127.0.0.1"], "--url"),
        (&["verify", UID, "--fingerprints", "/nowhere/at/all"], "/nowhere/at/all/fingerprints_dns.csv"),
    ] {
        let (code, text, errors) = run(arguments);
        assert_eq!((code, &*text), (2, ""), "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

/// A closed pipe does not change the exit code.
#[test]
fn an_output_that_cannot_be_written_is_not_a_difference() {
    let backend = Backend::start();
    for expected in [0, 1] {
        let mut command = program(&["verify", UID, "--url", &backend.url]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(expected), &b""[..]));
        if expected == 0 {
            backend.sql("UPDATE fastpath SET probe_cc = 'FR'");
        }
    }
    // Without an output there is no result.
    let mut command = program(&["verify", UID, "--url", &backend.url]);
    let output = command.stdout(std::fs::File::create("/dev/full").unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// Answers as OONI's server does, which has no explanations.
fn without_explanations(meta: String, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let lines: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
            let (status, text) = match path.split('?').next().unwrap_or_default() {
                "/api/v1/measurement_meta" => ("200 OK", &*meta),
                "/api/v1/raw_measurement" => ("200 OK", &*body),
                _ => ("404 Not Found", "<html>"),
            };
            let length = text.len();
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
        }
    });
    url
}

#[test]
fn a_server_without_explanations() {
    let body = std::fs::read_to_string(data()).unwrap();
    let row = json!({
        "measurement_uid": UID, "anomaly": true, "confirmed": false, "failure": false, "probe_cc": "DE", "input": null,
        "test_name": "psiphon", "category_code": null,
    });
    let url = without_explanations(row.to_string(), body.clone());
    let (code, text, errors) = run(&["verify", UID, "--url", &url]);
    assert_eq!((code, &*errors), (2, ""), "{text}");
    assert!(line(&text, "row").starts_with("agrees: "), "{text}");
    assert!(line(&text, "hash").starts_with("not checked: the server has no explanations"), "{text}");

    let url = without_explanations(json!({"measurement_uid": UID}).to_string(), body.clone());
    let (code, text, _) = run(&["verify", UID, "--url", &url]);
    assert_eq!((code, &*line(&text, "row")), (2, "not checked: the server shows no column of the row"), "{text}");

    let mut other = row;
    other["anomaly"] = json!(false);
    other["test_name"] = json!("ndt");
    let (code, text, _) = run(&["verify", UID, "--url", &without_explanations(other.to_string(), body)]);
    assert_eq!(code, 1, "{text}");
    let expected =
        "differs: by the rules compat, test_name is \"psiphon\" and not \"ndt\", anomaly is true and not false";
    assert_eq!(line(&text, "row"), expected, "{text}");

    let (code, _, errors) = run(&["verify", UID, "--url", &without_explanations("{}".to_owned(), String::new())]);
    assert_eq!(code, 2);
    assert!(errors.contains("/api/v1/measurement_meta") && errors.contains("no such measurement"), "{errors}");
}
