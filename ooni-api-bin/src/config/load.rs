//! [`Config::load`]: a file, overridden by the environment, overridden by flags. All errors are collected.

use super::section::{Config, SECTIONS};
use super::value::Raw;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What the names of environment variables start with.
pub const PREFIX: &str = "OONI_API_";

/// Not a setting: see [`failpoint`](crate::failpoint).
const FAILPOINT: &str = "OONI_API_FAILPOINT";

/// Names less alike than this are not suggested.
const ALIKE: f64 = 0.5;

/// A value on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag, such as `--listen`.
    pub name: &'static str,
    /// The section of the setting.
    pub section: &'static str,
    /// The name of the setting in its section.
    pub key: &'static str,
    /// The value.
    pub value: OsString,
}

/// Everything that is wrong with the settings: a line for each error, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<String>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Errors {}

impl Config {
    /// Reads the settings of a file, of the environment, and of flags; later ones win. Variables that do not start with
    /// [`PREFIX`] are ignored.
    ///
    /// # Errors
    /// All errors: unknown settings, wrong types, and values out of range. Not [`ignored_variables`].
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[Flag],
    ) -> Result<Config, Errors> {
        let mut loader = Loader::default();
        if let Some(path) = file {
            loader.file(path);
        }
        let mut variables: Vec<_> = environment.into_iter().collect();
        variables.sort();
        for (name, value) in variables {
            loader.variable(&name.to_string_lossy(), value);
        }
        for flag in flags {
            loader.text(flag.section, flag.key, flag.name.to_owned(), &flag.value);
        }
        loader.finish()
    }

    /// Reads the settings of the text of a file. `name` is that of the file in errors.
    ///
    /// # Errors
    /// All errors, as [`Config::load`].
    pub fn parse(name: &str, text: &str) -> Result<Config, Errors> {
        let mut loader = Loader::default();
        loader.toml(name, text);
        loader.finish()
    }
}

/// The settings so far.
#[derive(Default)]
struct Loader {
    config: Config,
    errors: Vec<String>,
    /// Where each setting was set: a line of a file, a variable, a flag.
    places: HashMap<(&'static str, &'static str), String>,
}

impl Loader {
    fn finish(mut self) -> Result<Config, Errors> {
        for problem in self.config.problems() {
            let name = qualified(problem.section, problem.key);
            self.errors.push(match self.places.get(&(problem.section, problem.key)) {
                Some(place) => format!("{place}: {name}: {}", problem.message),
                None => format!("{name}: {}", problem.message),
            });
        }
        if self.errors.is_empty() { Ok(self.config) } else { Err(Errors(self.errors)) }
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => self.toml(&name, &text),
            Ok(Err(error)) => {
                let valid = error.utf8_error().valid_up_to();
                let line = line_of(error.as_bytes(), valid);
                self.errors.push(format!("{name}:{line}: not UTF-8"));
            }
            Err(error) => self.errors.push(format!("{name}: cannot be read: {error}")),
        }
    }

    fn toml(&mut self, name: &str, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = line_of(text.as_bytes(), error.span().map_or(0, |span| span.start));
            self.errors.push(format!("{name}:{line}: {}", error.message()));
        }
        for (place, key, value) in in_order(name, text, table.get_ref()) {
            let section = SECTIONS.iter().find(|section| !section.name.is_empty() && section.name == key);
            match (section, value.get_ref()) {
                (Some(section), DeValue::Table(table)) => {
                    for (place, key, value) in in_order(name, text, table) {
                        self.set(section.name, key, place, &Raw::Toml(value.get_ref()));
                    }
                }
                (Some(_), _) => self.errors.push(format!("{place}: {key} is a section: expected [{key}]")),
                (None, DeValue::Table(_)) => {
                    let names = SECTIONS.iter().map(|section| section.name.to_owned());
                    self.errors.push(format!("{place}: unknown section [{key}]{}", suggestion(key, names)));
                }
                (None, value) => self.set("", key, place, &Raw::Toml(value)),
            }
        }
    }

    fn variable(&mut self, name: &str, value: OsString) {
        if !name.starts_with(PREFIX) || cfg!(debug_assertions) && name == FAILPOINT {
            return;
        }
        match settings().find(|(section, key)| variable(section, key) == name) {
            Some((section, key)) => self.text(section, key, name.to_owned(), &value),
            None if is_in_section(name) => self.errors.push(unknown_variable(name)),
            None => {} // one of `ignored_variables`
        }
    }

    fn text(&mut self, section: &'static str, key: &'static str, place: String, value: &OsString) {
        match value.to_str() {
            Some(text) => self.set(section, key, place, &Raw::Text(text)),
            None => self.errors.push(format!("{place}: not UTF-8")),
        }
    }

    fn set(&mut self, section: &str, key: &str, place: String, raw: &Raw<'_>) {
        let Some((section, key)) = settings().find(|setting| *setting == (section, key)) else {
            let name = qualified(section, key);
            self.errors.push(format!("{place}: unknown setting {name}{}", similar_setting(section, key)));
            return;
        };
        match self.config.set(section, key, raw) {
            Ok(()) => drop(self.places.insert((section, key), place)),
            Err(message) => self.errors.push(format!("{place}: {}: {message}", qualified(section, key))),
        }
    }
}

/// The entries of a table in the order of the file, each with its place.
fn in_order<'t>(name: &str, text: &str, table: &'t DeTable<'t>) -> Vec<(String, &'t str, &'t Spanned<DeValue<'t>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let place = |start| format!("{name}:{}", line_of(text.as_bytes(), start));
    entries.into_iter().map(|(key, value)| (place(key.span().start), key.get_ref().as_ref(), value)).collect()
}

fn line_of(text: &[u8], position: usize) -> usize {
    text.iter().take(position).filter(|byte| **byte == b'\n').count() + 1
}

/// The section and name of every setting.
fn settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| (section.name, key.name)))
}

/// `section.key`.
pub(super) fn qualified(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The name of a setting in the environment.
pub fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}", qualified(section, key).replace('.', "_").to_ascii_uppercase())
}

/// Whether the name of a variable starts with that of a section, as those of settings do.
fn is_in_section(name: &str) -> bool {
    let section = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next()).unwrap_or_default();
    SECTIONS.iter().any(|known| !known.name.is_empty() && known.name.eq_ignore_ascii_case(section))
}

fn unknown_variable(name: &str) -> String {
    let names = settings().map(|(section, key)| variable(section, key));
    format!("{name}: unknown variable{}", suggestion(name, names))
}

/// A sentence for each variable that starts with [`PREFIX`] and is not a setting, but may be that of another program:
/// Kubernetes and Docker set `OONI_API_SERVICE_HOST`, `OONI_API_PORT` and others for a service of the name `ooni-api`.
pub fn ignored_variables(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<String> {
    let names = environment.into_iter().map(|(name, _)| name.to_string_lossy().into_owned());
    let is_ignored = |name: &String| {
        let is_setting = settings().any(|(section, key)| variable(section, key) == *name);
        name.starts_with(PREFIX) && name != FAILPOINT && !is_setting && !is_in_section(name)
    };
    let mut ignored: Vec<String> = names.filter(is_ignored).map(|name| unknown_variable(&name)).collect();
    ignored.sort();
    ignored
}

/// A suggestion for an unknown setting: one of the same name in another section, else one of a similar name.
fn similar_setting(section: &str, key: &str) -> String {
    if let Some((section, key)) = settings().find(|(_, name)| *name == key) {
        return format!("; did you mean {}?", qualified(section, key));
    }
    let of_section = settings().filter(|(name, _)| *name == section);
    let name = qualified(section, key);
    suggestion(&name, of_section.map(|(section, key)| qualified(section, key)))
}

/// The most similar name, if it is similar.
fn suggestion(name: &str, names: impl Iterator<Item = String>) -> String {
    let rated = names.map(|other| (strsim::normalized_damerau_levenshtein(name, &other), other));
    match rated.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((likeness, other)) if likeness >= ALIKE => format!("; did you mean {other}?"),
        _ => String::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::path::PathBuf;

    /// Settings with a value of each type that is not the default.
    pub(in crate::config) fn changed() -> Config {
        let mut config = Config { state_dir: PathBuf::from("a \"b\" \\ c"), ..Config::default() };
        config.server.listen = "[::1]:443".parse().unwrap();
        config.server.trusted_proxies = vec!["10.0.0.0/8".to_owned(), "::1".to_owned()];
        config.server.max_body_bytes = 1 << 40;
        config.server.max_bytes_in_flight = 1 << 41;
        config.server.max_spilled_bytes = 1 << 40;
        config.jobs.schedule = false;
        config.jobs.retention = 400;
        config.log.level = "warn,ooni_api=debug".to_owned();
        config
    }

    fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn flag(value: &str) -> Flag {
        Flag { name: "--batch", section: "scoring", key: "batch", value: value.into() }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, "state_dir = \"file\"\n[scoring]\nbatch = 1\nbatch_delay = 1\nthreads = 1\n").unwrap();
        let environment = variables(&[
            ("OONI_API_SCORING_BATCH", "2"),
            ("OONI_API_SCORING_BATCH_DELAY", "2"),
            ("OONI_API_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1,"),
            ("OONI_API_INTAKE_MIN_FREE_BYTES", "3 GiB"),
            ("OONI_APIS", "ignored"),
        ]);
        let config = Config::load(Some(&path), environment, &[flag("3")]).unwrap();
        assert_eq!(config.state_dir, Path::new("file"));
        let scoring = &config.scoring;
        assert_eq!((scoring.batch, scoring.batch_delay, scoring.threads), (3, 2, 1));
        assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8", "::1"]);
        assert_eq!(config.intake.min_free_bytes, 3 << 30);
        assert_eq!(config.log, Config::default().log);
    }

    #[test]
    fn errors_of_a_file_have_line_and_name() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(Config::parse("a.toml", text).unwrap_err().0, expected, "{text}")
        };
        check(
            "[server]\nlisen = 1\n\nmax_headers = \"many\"\nlisten = \"localhost\"\n[scoring]\nbatch = 0\n",
            &[
                "a.toml:2: unknown setting server.lisen; did you mean server.listen?",
                "a.toml:4: server.max_headers: expected a whole number, found \"many\"",
                "a.toml:5: server.listen: expected an address and port, such as \"127.0.0.1:8080\", found \"localhost\"",
                "a.toml:7: scoring.batch: expected a number from 1 to 10000",
            ],
        );
        check("batch = 1\n", &["a.toml:1: unknown setting batch; did you mean scoring.batch?"]);
        check(
            "\n[scorign]\n[x]\n",
            &["a.toml:2: unknown section [scorign]; did you mean scoring?", "a.toml:3: unknown section [x]"],
        );
        check("log = 1", &["a.toml:1: log is a section: expected [log]"]);
        check("[store]\nuri = [1]\n", &["a.toml:2: store.uri: expected text in quotes, found a value of type array"]);
        check("[jobs]\nschedule = 1\n", &["a.toml:2: jobs.schedule: expected true or false, found 1"]);
        check("[jobs]\nretention = -1\n", &["a.toml:2: jobs.retention: expected a whole number of days, found -1"]);
        check(
            "[server]\nmax_body_bytes = \"5 parsec\"\n",
            &[
                "a.toml:2: server.max_body_bytes: expected a number of bytes, or text such as \"200 MiB\", found \"5 parsec\"",
            ],
        );
        for text in ["[server]\nlisten = \n", "[log]\n[log]\n", "[log]\nlevel = \"info\"\nlevel = \"info\"\n"] {
            let errors = Config::parse("a.toml", text).unwrap_err();
            assert!(errors.0.iter().all(|line| line.starts_with("a.toml:")), "{errors}");
        }
    }

    #[test]
    fn errors_of_the_environment_and_of_flags_have_the_name() {
        let environment = variables(&[("OONI_API_SCORING_BACH", "1"), ("OONI_API_SERVER_MAX_HEADERS", "")]);
        let errors = Config::load(None, environment, &[flag("x")]).unwrap_err();
        assert_eq!(
            errors.0,
            [
                "OONI_API_SCORING_BACH: unknown variable; did you mean OONI_API_SCORING_BATCH?",
                "OONI_API_SERVER_MAX_HEADERS: server.max_headers: expected a whole number, found \"\"",
                "--batch: scoring.batch: expected a whole number, found \"x\"",
            ]
        );
    }

    #[test]
    fn variables_of_other_programs_are_ignored() {
        let environment = variables(&[
            ("OONI_API_STATE_DI", "a"),
            ("OONI_API_STATE_DIR", "b"),
            ("OONI_API_SERVICE_HOST", "10.0.0.1"),
            ("OONI_API_PORT", "tcp://10.0.0.1:8080"),
            ("OONI_API_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("PATH", "/bin"),
        ]);
        let config = Config::load(None, environment.clone(), &[]).unwrap();
        assert_eq!(config, Config { state_dir: PathBuf::from("b"), ..Config::default() });
        let ignored = ignored_variables(environment);
        assert_eq!(ignored.len(), 4, "{ignored:?}");
        assert_eq!(ignored[3], "OONI_API_STATE_DI: unknown variable; did you mean OONI_API_STATE_DIR?");
    }

    #[test]
    fn names_in_the_environment_are_unambiguous() {
        let mut names: Vec<_> = settings().map(|(section, key)| variable(section, key)).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(names.contains(&"OONI_API_STATE_DIR".to_owned()));
    }
}
