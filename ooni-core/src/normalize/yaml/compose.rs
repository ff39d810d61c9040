//! Turns events into nodes: resolves anchors, aliases and the tags of scalars.

use super::error::{Mark, YamlError, YamlErrorKind};
use super::parser::{Event, EventKind, Parser, Properties};
use super::scalar;
use super::tag::YamlTag;
use crate::json::Limits;
use std::collections::BTreeMap;

/// The nodes of a document; the first one is the root. Aliases are indices of existing nodes.
pub(super) type Nodes = Vec<YamlNode>;

#[derive(Clone, Debug)]
pub(super) struct YamlNode {
    pub(super) tag: YamlTag,
    pub(super) content: Content,
    pub(super) mark: Mark,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(Vec<u8>),
    Sequence(Vec<u32>),
    Mapping(Vec<(u32, u32)>),
}

impl Content {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Content::Scalar(_) => "a scalar",
            Content::Sequence(_) => "a sequence",
            Content::Mapping(_) => "a mapping",
        }
    }
}

/// A collection whose end has not been reached.
#[derive(Clone, Copy, Debug)]
struct OpenCollection {
    node: u32,
    key: Option<u32>,
}

struct Composer<'a> {
    parser: Parser<'a>,
    limits: Limits,
    nodes: Nodes,
    anchors: BTreeMap<Vec<u8>, u32>,
    open: Vec<OpenCollection>,
}

/// The nodes of the single document in `text`.
pub(super) fn compose(text: &[u8], limits: Limits) -> Result<Option<Nodes>, YamlError> {
    let parser = Parser::new(text)?;
    let mut composer = Composer { parser, limits, nodes: Vec::new(), anchors: BTreeMap::new(), open: Vec::new() };
    let is_empty = matches!(composer.parser.next()?.kind, EventKind::StreamEnd);
    if is_empty {
        return Ok(None);
    }
    composer.document()?;
    composer.parser.next()?;
    match composer.parser.next()? {
        Event { kind: EventKind::StreamEnd, .. } => Ok(Some(composer.nodes)),
        Event { mark, .. } => Err(YamlError::new(YamlErrorKind::Composer, mark, "unexpected second document")),
    }
}

impl Composer<'_> {
    fn document(&mut self) -> Result<(), YamlError> {
        loop {
            let Event { kind, mark } = self.parser.next()?;
            let node = match kind {
                EventKind::Alias(name) => match self.anchors.get(&name) {
                    Some(&node) => node,
                    None => {
                        let message = format!("undefined alias *{}", String::from_utf8_lossy(&name));
                        return Err(YamlError::new(YamlErrorKind::Composer, mark, message));
                    }
                },
                EventKind::Scalar { properties: Properties { anchor, tag }, text, plain } => {
                    let tag = YamlTag::written(tag);
                    let tag = tag.unwrap_or_else(|| if plain { scalar::resolve(&text) } else { YamlTag::Text });
                    self.add(anchor, YamlNode { tag, content: Content::Scalar(text), mark })?
                }
                EventKind::SequenceStart(Properties { anchor, tag }) => {
                    let tag = YamlTag::written(tag).unwrap_or(YamlTag::Sequence);
                    self.begin(anchor, YamlNode { tag, content: Content::Sequence(Vec::new()), mark })?;
                    continue;
                }
                EventKind::MappingStart(Properties { anchor, tag }) => {
                    let tag = YamlTag::written(tag).unwrap_or(YamlTag::Mapping);
                    self.begin(anchor, YamlNode { tag, content: Content::Mapping(Vec::new()), mark })?;
                    continue;
                }
                EventKind::End => match self.open.pop() {
                    Some(ended) => ended.node,
                    None => return Ok(()),
                },
                EventKind::DocumentStart | EventKind::DocumentEnd | EventKind::StreamEnd => return Ok(()),
            };
            if !self.attach(node) {
                return Ok(());
            }
        }
    }

    fn add(&mut self, anchor: Option<Vec<u8>>, node: YamlNode) -> Result<u32, YamlError> {
        let mark = node.mark;
        if self.nodes.len() >= self.limits.values.min(u32::MAX as usize) {
            let message = format!("more than {} values", self.limits.values);
            return Err(YamlError::new(YamlErrorKind::Limit, mark, message));
        }
        let at = self.nodes.len() as u32;
        if let Some(anchor) = anchor {
            if self.anchors.contains_key(&anchor) {
                let message = format!("duplicate anchor &{}", String::from_utf8_lossy(&anchor));
                return Err(YamlError::new(YamlErrorKind::Composer, mark, message));
            }
            self.anchors.insert(anchor, at);
        }
        self.nodes.push(node);
        Ok(at)
    }

    fn begin(&mut self, anchor: Option<Vec<u8>>, node: YamlNode) -> Result<(), YamlError> {
        let mark = node.mark;
        let node = self.add(anchor, node)?;
        if self.open.len() >= self.limits.depth {
            let message = format!("more than {} levels of nesting", self.limits.depth);
            return Err(YamlError::new(YamlErrorKind::Limit, mark, message));
        }
        self.open.push(OpenCollection { node, key: None });
        Ok(())
    }

    /// Adds a complete node to its collection; false when it is the root.
    fn attach(&mut self, node: u32) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        match self.nodes.get_mut(open.node as usize).map(|node| &mut node.content) {
            Some(Content::Sequence(items)) => items.push(node),
            Some(Content::Mapping(pairs)) => match open.key.take() {
                Some(key) => pairs.push((key, node)),
                None => open.key = Some(node),
            },
            Some(Content::Scalar(_)) | None => {}
        }
        true
    }
}
