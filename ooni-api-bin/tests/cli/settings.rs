use crate::support::{program, ran, run};
use std::fs;
use std::path::Path;

#[test]
fn what_is_shown_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ooni-api.toml");
    let file = file.to_str().unwrap();
    let (code, shown, _) = run(&["config", "show", "--state-dir", "/srv/ooni", "--geoip-asn", "a \"b\".mmdb"]);
    assert_eq!(code, 0);
    assert!(shown.contains("\nstate_dir = \"/srv/ooni\"\n"), "{shown}");
    fs::write(file, &shown).unwrap();
    assert_eq!(
        run(&["config", "check", "--config", file]),
        (0, "the settings can be used\n".to_owned(), String::new())
    );
    assert_eq!(run(&["config", "show", "--config", file]).1, shown);
    let (_, defaults, _) = run(&["config", "show", "--config", file, "--defaults"]);
    assert_eq!(defaults, run(&["config", "show"]).1);
    assert_ne!(defaults, shown);
}

#[test]
fn the_packaged_file_has_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/ooni-api.toml");
    let (_, defaults, _) = run(&["config", "show", "--defaults"]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &defaults).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), defaults, "run the test with UPDATE_GOLDEN=1 to update the file");
}

#[test]
fn all_errors_are_reported_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "[server]\nlisen = 1\n\n[scoring]\nbatch = \"many\"\n").unwrap();
    let mut command = program(&["config", "check", "--config", "a.toml", "--log-level", "loud"]);
    command.current_dir(folder.path()).env("OONI_API_SERVER_LISTN", "x");
    let (code, text, errors) = ran(command);
    assert_eq!((code, &*text), (2, ""));
    let expected = [
        "ooni-api: a.toml:2: unknown setting server.lisen; did you mean server.listen?",
        "ooni-api: a.toml:5: scoring.batch: expected a whole number, found \"many\"",
        "ooni-api: OONI_API_SERVER_LISTN: unknown variable; did you mean OONI_API_SERVER_LISTEN?",
        "ooni-api: --log-level: log.level: \"loud\": expected a level",
    ];
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{errors}");
    for (line, expected) in lines.into_iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn invalid_settings_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "[scoring]\nbatch = 0\n").unwrap();
    let mut command = program(&["serve", "--config", "a.toml", "--state-dir", "state"]);
    command.current_dir(folder.path());
    let (code, _, errors) = ran(command);
    assert_eq!((code, &*errors), (2, "ooni-api: a.toml:2: scoring.batch: expected a number from 1 to 10000\n"));
    assert!(!folder.path().join("state").exists());
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("a.toml"),
        "[log]\nformat = \"json\"\nlevel = \"warn\"\n[archive]\nlocation = \"a\"\n",
    )
    .unwrap();
    let mut command = program(&["config", "show", "--config", "a.toml", "--log-level", "error"]);
    command.current_dir(folder.path()).env("OONI_API_LOG_FORMAT", "text").env("OONI_API_LOG_LEVEL", "debug");
    let (_, shown, _) = ran(command);
    for line in ["format = \"text\"", "level = \"error\"", "location = \"a\""] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let (code, shown, _) = run(&["config", "show", "--db-uri", "postgres://ooni:hunter2@localhost/ooni"]);
    assert_eq!(code, 0);
    assert!(shown.contains("uri = \"postgres://…@localhost/ooni\"") && !shown.contains("hunter2"), "{shown}");
}
