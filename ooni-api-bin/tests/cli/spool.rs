use crate::support::{Server, program, ran};
use serde_json::Value;
use std::fs;
use std::path::Path;

const UID: &str = "20260301120000.000001_IT_ndt_0123456789abcdef";
const BODY: &str = r#"{"format":"json","content":{"probe_cc":"IT","test_name":"ndt"}}"#;

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program(arguments);
    command.current_dir(folder).env("OONI_API_INTAKE_MIN_FREE_BYTES", "0");
    ran(command)
}

/// A spool of the reference with one measurement.
fn spool(folder: &Path) {
    let directory = folder.join("spool/incoming/2026030112_IT_ndt");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("{UID}.post")), BODY).unwrap();
}

#[test]
fn a_spool_is_imported_listed_shown_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    spool(folder.path());
    assert_eq!(
        run(&["spool", "import", "spool"]),
        (0, "1 measurements imported, 0 already there\n".to_owned(), String::new())
    );
    assert_eq!(run(&["spool", "import", "spool"]).1, "0 measurements imported, 1 already there\n");

    let (code, listed, _) = run(&["spool", "ls"]);
    assert_eq!((code, &*listed), (0, &*format!("{UID:<60} {:>9} pending\n", BODY.len())));
    let (_, listed, _) = run(&["spool", "ls", "--format", "jsonl"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed["measurement_uid"], &listed["state"]), (&UID.into(), &"pending".into()));
    assert_eq!(run(&["spool", "ls", "--limit", "0"]).1, "");

    assert_eq!(run(&["spool", "show", UID]), (0, BODY.to_owned(), String::new()));
    let record: Value = serde_json::from_str(&run(&["spool", "show", "--record", UID]).1).unwrap();
    assert_eq!((&record["route"], &record["bytes"]), (&"import".into(), &BODY.len().into()));
    let (code, text, errors) = run(&["spool", "show", "other"]);
    assert_eq!((code, &*text, &*errors), (1, "", "ooni-api: the intake log does not have other\n"));

    assert_eq!(run(&["spool", "export", "out"]).1, "1 measurements exported\n");
    let exported = folder.path().join(format!("out/incoming/2026030112_IT_ndt/{UID}.post"));
    assert_eq!(fs::read_to_string(exported).unwrap(), BODY);
}

#[test]
fn files_that_cannot_be_imported_are_named() {
    let folder = tempfile::tempdir().unwrap();
    spool(folder.path());
    let directory = folder.path().join("spool/incoming/2026030112_IT_ndt");
    fs::write(directory.join("note.txt"), "").unwrap();
    let (code, text, errors) = run(folder.path(), &["spool", "import", "spool"]);
    assert_eq!((code, &*text), (1, "1 measurements imported, 0 already there\n"));
    assert!(errors.contains("note.txt: the name is not UID.post\n"), "{errors}");
    assert!(errors.ends_with("ooni-api: 1 files were not imported\n"), "{errors}");
}

#[test]
fn commands_that_only_look_work_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    spool(folder.path());
    let (code, _, errors) = run(folder.path(), &["spool", "ls"]);
    assert_eq!(code, 1);
    assert!(errors.starts_with("ooni-api: the state directory ooni-data has no intake log"), "{errors}");
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.get("/version").0, 200);
    assert_eq!(run(folder.path(), &["spool", "ls"]), (0, String::new(), String::new()));
    let (code, _, errors) = run(folder.path(), &["spool", "import", "spool"]);
    assert_eq!(code, 1);
    assert!(errors.contains("is in use by another process; stop the server first"), "{errors}");
    assert_eq!(server.stop(), Some(0));
}
