//! The log: `tracing` events as lines on standard error, of text or of JSON.
//!
//! Bodies, tokens and passwords are never logged, and addresses only after
//! `http::anonymize` has cut them. A message that cannot be written is lost; the server continues.

use crate::config;
use std::io::{self, IsTerminal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Writes events of this process to standard error from now on.
///
/// # Errors
/// The level cannot be parsed, or the process has a log already.
pub fn start(settings: &config::Log) -> Result<(), String> {
    let targets = targets(&settings.level)?;
    let is_terminal = io::stderr().is_terminal();
    // An error of the writer must not be reported on standard error: that would panic if it is closed.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let is_json = match settings.format.as_str() {
        "json" => true,
        "text" => false,
        _ => !is_terminal,
    };
    let is_colored = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = match is_json {
        true => lines.json().flatten_event(true).with_span_list(false).boxed(),
        false => lines.with_ansi(is_colored).boxed(),
    };
    let started = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
    started.map_err(|error: TryInitError| error.to_string())
}

/// Parses `LEVEL`, `TARGET=LEVEL`, or several of them separated by commas. Without a level for all targets, that is `info`.
///
/// # Errors
/// A sentence, for anything else.
pub fn targets(text: &str) -> Result<Targets, String> {
    let mut targets = Targets::new().with_default(LevelFilter::INFO);
    for part in text.split(',').map(str::trim) {
        targets = match part.split_once('=') {
            Some((target, level)) => targets.with_target(target.trim(), parse_level(level)?),
            None => targets.with_default(parse_level(part)?),
        };
    }
    Ok(targets)
}

fn parse_level(text: &str) -> Result<LevelFilter, String> {
    match text.trim() {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        "off" => Ok(LevelFilter::OFF),
        other => Err(format!(
            "{other:?}: expected a level (error, warn, info, debug, trace, off), or pairs such as \"info,ooni_api::http=debug\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn levels() {
        let targets = targets("warn, ooni_api::http=debug").unwrap();
        assert!(targets.would_enable("ooni_api::http::server", &Level::DEBUG));
        assert!(!targets.would_enable("ooni_api::http::server", &Level::TRACE));
        assert!(!targets.would_enable("hyper", &Level::INFO));
        assert!(super::targets("hyper=off").unwrap().would_enable("ooni_api", &Level::INFO));
        for text in ["", "loud", "info,", "hyper=", "hyper=loud", "INFO"] {
            super::targets(text).unwrap_err();
        }
    }
}
