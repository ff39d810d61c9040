//! `ndt` (scoring spec §7.8).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "ndt",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-022-ndt.md",
    about: "Nothing: a speed test, which is not scored",
    score,
};

fn score(_: &Context<'_>) -> Result<Scores, Error> {
    Ok(Scores::empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn content_is_ignored() {
        for keys in ["", "null", "5", "[]", r#"{"failure":"x"}"#] {
            check("ndt", keys, "{}");
        }
    }
}
