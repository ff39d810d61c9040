//! The tests that are scored: a file for each, named after its `test_name`, and a line in the registry below.
//!
//! A rule reads a measurement through `Context` and returns [`Scores`].

mod context;
mod matches;
mod shared;

pub(crate) use self::context::Context;
pub use self::context::Nettest;
pub use self::matches::{Match, match_fingerprints};

use crate::error::Error;
use crate::scores::Scores;

/// Declares the modules of the tests and the registry.
macro_rules! nettests {
    ($($name:ident,)*) => {
        $(mod $name;)*

        /// Every test that has a rule, by name.
        pub static NETTESTS: &[Nettest] = &[$($name::NETTEST,)*];
    };
}

nettests! {
    browser_web,
    dash,
    dns_consistency,
    facebook_messenger,
    http_header_field_manipulation,
    http_invalid_request_line,
    http_requests,
    meek_fronted_requests_test,
    ndt,
    openvpn,
    psiphon,
    riseupvpn,
    signal,
    stunreachability,
    tcp_connect,
    telegram,
    tor,
    torsf,
    vanilla_tor,
    web_connectivity,
    whatsapp,
}

/// The test with exactly this name.
pub fn find(test_name: &str) -> Option<&'static Nettest> {
    NETTESTS.iter().find(|nettest| nettest.name == test_name)
}

/// Scores a measurement by the rule of its test; without a rule, it counts as failed (scoring spec §7).
pub(crate) fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let test_name = context.field("test_name");
    let value = test_name.required()?;
    match NETTESTS.iter().find(|nettest| value.is_text(nettest.name)) {
        Some(nettest) => (nettest.score)(context),
        None => {
            context.fired("no rule for a test of this name", "accuracy", &[&test_name]);
            Ok(Scores::failed())
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
