//! `riseupvpn` (scoring spec §7.8). The reference no longer scores it (§15).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "riseupvpn",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-026-riseupvpn.md",
    about: "Nothing: the test is no longer scored",
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
            check("riseupvpn", keys, "{}");
        }
    }
}
