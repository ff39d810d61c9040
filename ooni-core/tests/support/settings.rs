//! Settings of the unit tests, which include this module by its path.

/// The number in a variable of the environment, or the usual one.
pub(crate) fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}
