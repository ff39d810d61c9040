//! [`Query`]: the parameters after `?`. The first of several with the same name counts (API spec §3).

/// The parameters of a request's query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query: percent-encoded pairs, with `+` for a space. Bytes that are not UTF-8 become U+FFFD.
    pub fn parse(query: Option<&str>) -> Query {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Query(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// A query with these pairs.
    pub fn of(pairs: Vec<(String, String)>) -> Query {
        Query(pairs)
    }

    /// The same query with the first value of these parameters, and no others.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Query {
        let pair = |name: &&str| Some(((*name).to_owned(), self.get(name)?.to_owned()));
        Query(names.iter().filter_map(pair).collect())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The same, if it is not empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// All pairs, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let query = Query::parse(Some("a=1&a=2&b=x+y%20z&c&=d&%D0%B0=%ff&e=f=g"));
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some("x y z"));
        assert_eq!((query.get("c"), query.given("c")), (Some(""), None));
        assert_eq!(query.get("а"), Some("\u{fffd}"));
        assert_eq!(query.get("e"), Some("f=g"));
        assert_eq!(query.get("z"), None);
        assert_eq!(Query::parse(None), Query::default());
        assert_eq!(query.only(&["b", "z", "a"]).pairs(), [("b".into(), "x y z".into()), ("a".into(), "1".into())]);
    }
}
