//! The commands and flags that the README shows exist.

use crate::support::run;
use std::fs;

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap()
}

fn help(command: &[&str]) -> String {
    let (code, text, errors) = run(&[command, &["--help"]].concat());
    assert_eq!(code, 0, "{command:?}: {errors}");
    text
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|other| other == word)
}

/// The flags in a text, as `[--record]` or `--db-uri`.
fn flags(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '`', '(', ')', '[', ']', ',', ';', '.', '='])
        .filter(|word| word.starts_with("--") && !word.starts_with("---"))
}

#[test]
fn commands_exist_with_their_flags() {
    let readme = readme();
    let mut commands = 0;
    for usage in readme.lines().flat_map(|line| line.split("ooni-api ").skip(1)) {
        let usage = usage.strip_prefix("-- ").unwrap_or(usage);
        // A command ends before its explanation.
        let usage = usage.split(['`', '>']).next().unwrap().split("  ").next().unwrap();
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        let command: Vec<&str> = usage.split(' ').take_while(is_word).collect();
        for (place, word) in command.iter().enumerate() {
            assert!(has_word(&help(&command[..place]), word), "ooni-api {usage}: {word} is not a command");
        }
        let help = help(&command);
        for flag in flags(usage) {
            assert!(has_word(&help, flag), "ooni-api {usage}: {flag} is not a flag");
        }
        commands += 1;
    }
    assert!(commands > 10, "{commands} commands");
}

#[test]
fn flags_of_the_backend_exist() {
    let readme = readme();
    let (_, section) = readme.split_once("\n## Run a backend\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let help = [&["serve"][..], &["config", "show"], &["spool", "show"], &["job"], &["verify"]].map(help).concat();
    let lines = section.lines().filter(|line| !line.contains("fastpath "));
    let shown: Vec<&str> = lines.flat_map(flags).collect();
    assert!(shown.len() > 5, "{shown:?}");
    for flag in shown {
        assert!(has_word(&help, flag), "{flag} is in README.md and in no --help");
    }
}
