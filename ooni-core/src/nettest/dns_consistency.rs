//! `dns_consistency` (scoring spec §7.15).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "dns_consistency",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-002-dns-consistency.md",
    about: "Nothing: measurements are stored and never anomalous",
    score,
};

fn score(_: &Context<'_>) -> Result<Scores, Error> {
    Ok(Scores::initial())
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn content_is_ignored() {
        for keys in ["", "null", "5", "[]", r#"{"failure":"x"}"#] {
            check("dns_consistency", keys, "0.0}");
        }
    }
}
