//! [`Config::to_toml`]: the settings as a file, with a comment for each.

use super::load::variable;
use super::section::{Config, Key, SECTIONS};
use ooni_store::without_password;
use std::fmt::Write as _;

/// Width of comments.
const WIDTH: usize = 80;

impl Config {
    /// All settings as a file. Reading it gives the same settings, except that passwords in URLs are left out.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        comment(
            &mut text,
            "All settings of ooni-api. Each can also be set in the environment, under the name in parentheses; lists are \
             separated by commas there. The environment overrides this file, and flags override both. Sizes in bytes may be \
             written as text such as \"200 MiB\". Relative paths are relative to the working directory.",
        );
        let defaults = Config::default();
        for section in SECTIONS {
            text.push('\n');
            if !section.name.is_empty() {
                comment(&mut text, section.about);
                let _ = writeln!(text, "[{}]", section.name);
            }
            for key in section.keys {
                let value = |config: &Config| {
                    config.get(section.name, key.name).map_or_else(String::new, |value| shown(&value))
                };
                comment(&mut text, &about(section.name, key, &value(&defaults)));
                let _ = writeln!(text, "{} = {}", key.name, value(self));
            }
        }
        text
    }
}

/// A value as TOML, without passwords.
pub(super) fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) if text.contains("://") => toml::Value::String(without_password(text)).to_string(),
        value => value.to_string(),
    }
}

/// The sentence of a setting, its unit, its default, and its name in the environment.
fn about(section: &str, key: &Key, default: &str) -> String {
    let about = key.about.trim();
    let variable = variable(section, key.name);
    match key.unit {
        "" => format!("{about} Default: {default} ({variable})."),
        unit => format!("{about} In {unit}; default: {default} ({variable})."),
    }
}

/// Comment lines of limited width.
fn comment(text: &mut String, sentence: &str) {
    let mut line = String::from("#");
    for word in sentence.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::tests::changed;

    #[test]
    fn settings_written_to_a_file_are_read_back() {
        for config in [Config::default(), changed()] {
            let text = config.to_toml();
            assert_eq!(Config::parse("shown", &text).unwrap(), config, "{text}");
        }
    }

    #[test]
    fn comments_are_narrow_and_complete() {
        let text = Config::default().to_toml();
        assert!(text.lines().filter(|line| line.starts_with('#')).all(|line| line.chars().count() <= WIDTH));
        let joined = text.replace("\n#", "");
        for section in SECTIONS {
            for key in section.keys {
                assert!(
                    joined.contains(&format!("({}).", variable(section.name, key.name))),
                    "{}.{}",
                    section.name,
                    key.name
                );
                assert!(key.about.trim().ends_with('.'), "{}.{}", section.name, key.name);
            }
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut config = Config::default();
        config.store.uri = "postgres://ooni:hunter2@db.example/ooni".to_owned();
        config.jobs.test_lists = "https://ooni:hunter2@lists.example/all.tar.gz".to_owned();
        for text in [config.to_toml(), format!("{config:?}")] {
            assert!(!text.contains("hunter2") && text.contains("postgres://…@db.example/ooni"), "{text}");
        }
    }
}
