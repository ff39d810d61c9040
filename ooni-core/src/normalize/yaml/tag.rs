//! [`YamlTag`]: the tag of a node.

/// The tags of the safe schema, and others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum YamlTag {
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

impl YamlTag {
    pub(super) fn of(uri: Vec<u8>) -> YamlTag {
        match uri.strip_prefix(b"tag:yaml.org,2002:").unwrap_or_default() {
            b"null" => YamlTag::Null,
            b"bool" => YamlTag::Bool,
            b"int" => YamlTag::Int,
            b"float" => YamlTag::Float,
            b"binary" => YamlTag::Binary,
            b"timestamp" => YamlTag::Timestamp,
            b"omap" => YamlTag::Omap,
            b"pairs" => YamlTag::Pairs,
            b"set" => YamlTag::Set,
            b"str" => YamlTag::Text,
            b"seq" => YamlTag::Sequence,
            b"map" => YamlTag::Mapping,
            b"merge" => YamlTag::Merge,
            b"value" => YamlTag::Default,
            _ => YamlTag::Other(uri),
        }
    }

    /// The explicit tag, unless it is `!`.
    pub(super) fn written(uri: Option<Vec<u8>>) -> Option<YamlTag> {
        uri.filter(|uri| uri != b"!").map(YamlTag::of)
    }
}
