//! The version of the program.

/// Version of the crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the build is called, if the environment variable `OONI_BUILD_LABEL` was set when it was compiled.
pub const BUILD_LABEL: Option<&str> = option_env!("OONI_BUILD_LABEL");

/// `VERSION`, or `VERSION (BUILD_LABEL)`.
pub fn text() -> String {
    match BUILD_LABEL {
        Some(label) => format!("{VERSION} ({label})"),
        None => VERSION.to_owned(),
    }
}
