//! Parameters that only probe services have (API spec §5.3). The others are in [`crate::params`].

use crate::http::{Error, Query};

/// The largest limit.
const MAX_LIMIT: usize = 9999;

/// The country: the first parameter of these names that is not empty, in upper case; `ZZ` without any.
pub(super) fn country(query: &Query, names: &[&str]) -> Result<String, Error> {
    let Some((name, cc)) = names.iter().find_map(|name| Some((name, query.given(name)?))) else {
        return Ok("ZZ".to_owned());
    };
    match cc.len() == 2 && cc.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        true => Ok(cc.to_uppercase()),
        false => Err(Error::bad_request(format!("{name}: two letters are expected"))),
    }
}

/// Categories with commas between them, in upper case.
pub(super) fn categories(query: &Query) -> Vec<String> {
    let codes = query.get("category_codes").unwrap_or_default().split(',');
    let mut codes: Vec<_> = codes.map(|code| code.trim().to_uppercase()).filter(|code| !code.is_empty()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The limit, at most 9999, which is also what -1 and no limit mean.
pub(super) fn limit(query: &Query) -> Result<usize, Error> {
    Ok(unlimited(query)?.map_or(MAX_LIMIT, |limit| limit.min(MAX_LIMIT)))
}

/// The limit; `None` for -1 or no limit.
pub(super) fn unlimited(query: &Query) -> Result<Option<usize>, Error> {
    let refused = || Error::bad_request("limit: a positive number, or -1, is expected");
    match query.get("limit").map(str::parse::<i64>) {
        None | Some(Ok(-1)) => Ok(None),
        Some(Ok(limit @ 1..)) => usize::try_from(limit).map(Some).map_err(|_| refused()),
        Some(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let of = |text: &str| Query::parse(Some(text));
        let cc = |text: &str| country(&of(text), &["country_code", "probe_cc"]).ok();
        assert_eq!(cc("").as_deref(), Some("ZZ"));
        assert_eq!(cc("probe_cc=it").as_deref(), Some("IT"));
        assert_eq!(cc("probe_cc=it&country_code=").as_deref(), Some("IT"));
        assert_eq!(cc("probe_cc=it&country_code=fr").as_deref(), Some("FR"));
        for text in ["probe_cc=ITA", "probe_cc=i", "probe_cc=12", "probe_cc=%C3%A9", "probe_cc=i%00"] {
            assert_eq!(cc(text), None, "{text}");
        }
        assert_eq!(categories(&of("category_codes=news,+HUMR,,news")), ["HUMR", "NEWS"]);
        assert_eq!(categories(&of("")), [""; 0]);
        for (text, expected) in [("", 9999), ("limit=-1", 9999), ("limit=5", 5), ("limit=100000", 9999)] {
            assert_eq!(limit(&of(text)).ok(), Some(expected), "{text}");
        }
        for text in ["limit=0", "limit=-2", "limit=x", "limit=", "limit=1.0", "limit=99999999999999999999"] {
            assert!(limit(&of(text)).is_err(), "{text}");
        }
        assert_eq!(unlimited(&of("limit=100000")).ok(), Some(Some(100_000)));
    }
}
