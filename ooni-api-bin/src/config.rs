//! [`Config`]: every setting, with its default, unit and meaning. One TOML file, overridden by the environment, overridden
//! by flags.
//!
//! The sections are in `section`; `load` reads and merges the sources. A setting `KEY` of the section `SECTION` is
//! `OONI_API_SECTION_KEY` in the environment. Secrets are not settings: they are in files of the state directory.

mod section;

pub use self::section::{
    Archive, Config, Feed, Geoip, Intake, Jobs, Key, Log, Metrics, Probe, SECTIONS, Scoring, Section, Server, Store,
};
