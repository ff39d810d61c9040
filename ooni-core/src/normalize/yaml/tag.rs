//! [`Tag`]: the tag of a node.

/// The tags of the safe schema, and others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Binary,
    Timestamp,
    Omap,
    Pairs,
    Set,
    Text,
    Sequence,
    Mapping,
    /// `<<`
    Merge,
    /// `=`
    Default,
    Other(Vec<u8>),
}

impl Tag {
    pub(super) fn of(uri: Vec<u8>) -> Tag {
        match uri.strip_prefix(b"tag:yaml.org,2002:").unwrap_or_default() {
            b"null" => Tag::Null,
            b"bool" => Tag::Bool,
            b"int" => Tag::Int,
            b"float" => Tag::Float,
            b"binary" => Tag::Binary,
            b"timestamp" => Tag::Timestamp,
            b"omap" => Tag::Omap,
            b"pairs" => Tag::Pairs,
            b"set" => Tag::Set,
            b"str" => Tag::Text,
            b"seq" => Tag::Sequence,
            b"map" => Tag::Mapping,
            b"merge" => Tag::Merge,
            b"value" => Tag::Default,
            _ => Tag::Other(uri),
        }
    }

    /// The explicit tag, unless it is `!`.
    pub(super) fn written(uri: Option<Vec<u8>>) -> Option<Tag> {
        uri.filter(|uri| uri != b"!").map(Tag::of)
    }
}
