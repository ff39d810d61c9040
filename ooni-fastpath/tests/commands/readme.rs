//! The README shows what the program prints: its commands are run, and their output is compared.

use crate::support::{ROOT, fastpath};
use std::fs;

fn readme() -> String {
    fs::read_to_string(format!("{ROOT}/README.md")).unwrap()
}

/// The blocks of code in a language.
fn blocks<'r>(readme: &'r str, language: &str) -> Vec<&'r str> {
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[test]
fn commands_print_what_it_shows() {
    let readme = readme();
    let shown = blocks(&readme, "text").into_iter().filter_map(|block| block.strip_prefix("$ fastpath "));
    let mut commands = 0;
    for block in shown {
        let (arguments, output) = block.split_once('\n').unwrap();
        let ran = fastpath(arguments.split(' '));
        assert_eq!(ran.text(), output, "fastpath {arguments}");
        commands += 1;
    }
    assert!(commands > 0, "the README shows no command with its output");
}

/// The first table is for a terminal of 80 columns, which `score` compares where `script` can open one.
#[test]
fn the_first_table_is_the_one_that_is_tested() {
    let golden = fs::read_to_string(format!("{ROOT}/ooni-fastpath/tests/golden/examples-80.txt")).unwrap();
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let readme = readme();
    let tables: Vec<_> = blocks(&readme, "text").into_iter().filter(|block| block.starts_with("time ")).collect();
    assert_eq!(tables.iter().map(|table| trimmed(table)).collect::<Vec<_>>(), [trimmed(&golden)]);
}

/// Every subcommand and long flag that it names exists.
#[test]
fn flags_exist() {
    let mut help = String::new();
    for command in [
        &["--help"][..],
        &["score", "--help"],
        &["rerun", "--help"],
        &["fetch", "--help"],
        &["compare", "--help"],
        &["store", "--help"],
    ] {
        help += fastpath(command).text();
    }
    for command in ["stats", "remove", "copy", "export", "import", "drop-month", "load-test-lists"] {
        help += fastpath(["store", command, "--help"]).text();
    }
    let readme = readme();
    let lines = readme.lines().filter(|line| line.contains("fastpath ") && !line.contains("cargo"));
    for flag in
        lines.flat_map(|line| line.split([' ', '`', '(', ')', ',', ';', '.'])).filter(|word| word.starts_with("--"))
    {
        assert!(help.contains(flag), "{flag} is in README.md and in no --help");
    }
}
