//! `riseupvpn` (scoring spec §7.8). The reference used to score it (§15) and does so no more.

use super::{Context, Nettest};
use crate::error::Error;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "riseupvpn",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-026-riseupvpn.md",
    about: "Nothing: the test is not scored any more",
    score,
};

fn score(_: &Context<'_>) -> Result<Scores, Error> {
    Ok(Scores::empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn nothing_is_read() {
        for keys in ["", "null", "5", "[]", r#"{"failure":"x"}"#] {
            check("riseupvpn", keys, "{}");
        }
    }
}
