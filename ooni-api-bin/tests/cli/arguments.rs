use crate::support::{program, ran, run};
use std::process::Stdio;

const HELP: &[&[&str]] = &[
    &["--help"],
    &["serve", "--help"],
    &["serve", "-h"],
    &["config", "--help"],
    &["config", "show", "--help"],
    &["config", "check", "--help"],
    &["spool", "--help"],
    &["spool", "ls", "--help"],
    &["spool", "show", "--help"],
    &["spool", "export", "--help"],
    &["spool", "import", "--help"],
    &["job", "--help"],
    &["verify", "--help"],
];

#[test]
fn help_fits_80_columns_and_names_the_exit_codes() {
    for arguments in HELP {
        let mut command = program(arguments);
        command.env("COLUMNS", "200");
        let (code, text, errors) = ran(command);
        assert_eq!((code, &*errors), (0, ""), "{arguments:?}");
        assert!(text.contains("Usage: ooni-api"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
        assert!(arguments.len() == 1 || text.contains("Exit code: 0 "), "{arguments:?}: {text}");
    }
}

#[test]
fn version() {
    let (code, text, _) = run(&["--version"]);
    assert_eq!(code, 0);
    assert!(text.starts_with(concat!("ooni-api ", env!("CARGO_PKG_VERSION"))), "{text}");
}

#[test]
fn invalid_arguments_are_usage_errors() {
    for (arguments, expected) in [
        (&["serve", "--lissten", "127.0.0.1:0"][..], "--listen"),
        (&["serve", "--listen"], "--listen"),
        (&["serve", "--listen", "localhost"], "ooni-api: --listen: server.listen: expected an address and port"),
        (&["serve", "--import", "/nowhere/at/all"], "ooni-api: --import: /nowhere/at/all: no such file or folder"),
        (&["job", "archiv"], "archive"),
        (&["spool", "show", ""], "UID"),
        (&["spool", "import", "/nowhere/at/all"], "ooni-api: /nowhere/at/all: no such folder"),
        (&[], "Usage: ooni-api"),
        (&["config", "show", "--db-uri", "ooni.db"], "ooni-api: --db-uri: store.uri: expected sqlite:PATH"),
        (
            &["config", "check", "--config", "/nowhere/at/all"],
            "ooni-api: /nowhere/at/all: cannot be read: No such file",
        ),
    ] {
        let (code, text, errors) = run(arguments);
        assert_eq!((code, &*text), (2, ""), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = program(&["config", "show"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = program(&["config", "show"]);
    command.stdout(full).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.starts_with("ooni-api: cannot write to standard output: No space left"), "{errors}");
}
