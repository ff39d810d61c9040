//! [`Config`]: every setting, with its default, unit and meaning. One TOML file, overridden by the environment, overridden
//! by flags.
//!
//! The sections are in `section`; `load` reads and merges the sources, `check` has ranges, and `show` writes a file. A setting
//! `KEY` of the section `SECTION` is `OONI_API_SECTION_KEY` in the environment. Secrets are not settings: they are in files of
//! the state directory. Only URLs of databases may have a password, which is never shown.

mod check;
mod defaults;
mod load;
mod section;
mod show;
mod value;

pub use self::load::{Errors, Flag, PREFIX, ignored_variables, variable};
pub use self::section::{
    Archive, Cache, Config, Feed, Geoip, Intake, Jobs, Key, Limits, Log, Metrics, Probe, Reads, SECTIONS, Scoring,
    Section, Server, Store,
};
