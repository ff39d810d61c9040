//! Turns nodes into values, by their tags, in the order of the reference's loader.
//!
//! That loader creates empty collections and fills them later, so the members of all collections of one level come before
//! those of the next. If a document has several errors, the first one in this order is reported.

use super::compose::{Content, Nodes, YamlNode};
use super::error::{YamlError, YamlErrorKind};
use super::merge::flatten;
use super::scalar;
use super::tag::YamlTag;
use crate::json::Limits;
use crate::normalize::value::{Mapping, YamlValue};
use std::collections::{BTreeMap, VecDeque};

/// The value of a node. Collections contain the nodes of their members.
#[derive(Clone, Debug)]
enum NodeValue {
    /// Not constructed yet.
    None,
    Scalar(YamlValue<'static>),
    Sequence(Vec<u32>),
    /// `!!omap` or `!!pairs`: pairs of key and value.
    Pairs(Vec<(u32, u32)>),
    /// Unique keys, each with its last value.
    Mapping(Vec<(u32, u32)>),
    Set(Vec<u32>),
}

struct Constructor<'n> {
    nodes: &'n mut Nodes,
    made: Vec<NodeValue>,
    /// Collections that are not filled yet.
    later: VecDeque<u32>,
    /// The number of members that merge keys may still copy.
    room: usize,
}

/// The value of the root node.
pub(super) fn construct(nodes: &mut Nodes, limits: Limits) -> Result<YamlValue<'static>, YamlError> {
    let made = vec![NodeValue::None; nodes.len()];
    let mut constructor = Constructor { nodes, made, later: VecDeque::new(), room: limits.values };
    constructor.object(0)?;
    while let Some(node) = constructor.later.pop_front() {
        constructor.fill(node)?;
    }
    let mut copier = Copier { made: &constructor.made, nodes: constructor.nodes, limits, values: 0, bytes: 0 };
    copier.copy()
}

impl Constructor<'_> {
    fn node(&self, at: u32) -> &YamlNode {
        &self.nodes[at as usize]
    }

    fn error<T>(&self, at: u32, message: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::new(YamlErrorKind::Constructor, self.node(at).mark, message.into()))
    }

    /// Creates a scalar, or a collection that is filled later.
    fn object(&mut self, at: u32) -> Result<(), YamlError> {
        if !matches!(self.made[at as usize], NodeValue::None) {
            return Ok(());
        }
        let made = match &self.node(at).tag {
            YamlTag::Sequence => NodeValue::Sequence(Vec::new()),
            YamlTag::Omap | YamlTag::Pairs => NodeValue::Pairs(Vec::new()),
            YamlTag::Set => NodeValue::Set(Vec::new()),
            YamlTag::Mapping => NodeValue::Mapping(Vec::new()),
            tag @ (YamlTag::Merge | YamlTag::Default | YamlTag::Other(_)) => {
                let message = match tag {
                    YamlTag::Other(uri) => format!("unknown tag {}", String::from_utf8_lossy(uri)),
                    YamlTag::Merge => "<< is only allowed as a key".into(),
                    _ => "= is only allowed as a key".into(),
                };
                return self.error(at, message);
            }
            _ => {
                let value = self.scalar(at)?;
                self.made[at as usize] = NodeValue::Scalar(value);
                return Ok(());
            }
        };
        self.made[at as usize] = made;
        self.later.push_back(at);
        Ok(())
    }

    fn scalar(&self, at: u32) -> Result<YamlValue<'static>, YamlError> {
        let node = self.node(at);
        let source = self.scalar_node(at)?;
        let Content::Scalar(text) = &self.node(source).content else { return Ok(YamlValue::Null) };
        if node.tag == YamlTag::Timestamp && source != at {
            return Err(YamlError::new(YamlErrorKind::Value, node.mark, "expected a date, found a mapping"));
        }
        scalar::construct(&node.tag, text).map_err(|(kind, message)| YamlError::new(kind, node.mark, message))
    }

    /// The scalar of a node: its own, or for a mapping, the value of its key `=`.
    fn scalar_node(&self, from: u32) -> Result<u32, YamlError> {
        let mut at = from;
        for _ in 0..=self.nodes.len() {
            let content = &self.node(at).content;
            match content {
                Content::Scalar(_) => return Ok(at),
                Content::Mapping(pairs) => {
                    match pairs.iter().find(|(key, _)| self.node(*key).tag == YamlTag::Default) {
                        Some((_, value)) => at = *value,
                        None => break,
                    }
                }
                Content::Sequence(_) => break,
            }
        }
        self.error(at, format!("expected a scalar, found {}", self.node(at).content.name()))
    }

    fn fill(&mut self, at: u32) -> Result<(), YamlError> {
        let made = match self.node(at).tag {
            YamlTag::Sequence => match &self.node(at).content {
                Content::Sequence(items) => {
                    let items = items.clone();
                    items.iter().try_for_each(|&item| self.object(item))?;
                    NodeValue::Sequence(items)
                }
                other => return self.error(at, format!("expected a sequence, found {}", other.name())),
            },
            YamlTag::Omap | YamlTag::Pairs => NodeValue::Pairs(self.pairs(at)?),
            YamlTag::Set => NodeValue::Set(self.mapping(at)?.into_iter().map(|(key, _)| key).collect()),
            _ => NodeValue::Mapping(self.mapping(at)?),
        };
        self.made[at as usize] = made;
        Ok(())
    }

    /// A sequence of mappings with one member each.
    fn pairs(&mut self, at: u32) -> Result<Vec<(u32, u32)>, YamlError> {
        let items = match &self.node(at).content {
            Content::Sequence(items) => items.clone(),
            other => return self.error(at, format!("expected a sequence, found {}", other.name())),
        };
        let mut pairs = Vec::with_capacity(items.len());
        for item in items {
            let (key, value) = match &self.node(item).content {
                Content::Mapping(members) if members.len() == 1 => members[0],
                _ => return self.error(item, "expected a mapping with one member"),
            };
            self.object(key)?;
            self.object(value)?;
            pairs.push((key, value));
        }
        Ok(pairs)
    }

    fn mapping(&mut self, at: u32) -> Result<Vec<(u32, u32)>, YamlError> {
        if matches!(self.node(at).content, Content::Mapping(_)) {
            flatten(self.nodes, at, &mut self.room)?;
        }
        let pairs = match &self.node(at).content {
            Content::Mapping(pairs) => pairs.clone(),
            other => return self.error(at, format!("expected a mapping, found {}", other.name())),
        };
        let mut members: Vec<(u32, u32)> = Vec::with_capacity(pairs.len());
        let mut places = BTreeMap::new();
        for (key, value) in pairs {
            self.object(key)?;
            let NodeValue::Scalar(name) = &self.made[key as usize] else {
                return self.error(key, format!("{} cannot be a key", self.node(key).content.name()));
            };
            let identity = name.identity();
            self.object(value)?;
            match places.get(&identity) {
                Some(&place) => {
                    let member: &mut (u32, u32) = &mut members[place];
                    member.1 = value;
                }
                None => {
                    places.insert(identity, members.len());
                    members.push((key, value));
                }
            }
        }
        Ok(members)
    }
}

/// Builds the tree; values with aliases are copied for each use.
struct Copier<'m> {
    made: &'m [NodeValue],
    nodes: &'m Nodes,
    limits: Limits,
    values: usize,
    bytes: usize,
}

/// A collection that is being copied.
struct Part {
    node: u32,
    index: usize,
    items: Vec<YamlValue<'static>>,
}

impl Copier<'_> {
    fn copy(&mut self) -> Result<YamlValue<'static>, YamlError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut inside = vec![false; self.made.len()];
        let mut node = 0;
        loop {
            self.count(node, parts.len())?;
            let mut done = match &self.made[node as usize] {
                NodeValue::Scalar(value) => value.clone(),
                _ if std::mem::replace(&mut inside[node as usize], true) => {
                    return self.limit(node, "a value that contains itself");
                }
                _ => {
                    parts.push(Part { node, index: 0, items: Vec::new() });
                    match self.child(parts.last()) {
                        Some(child) => {
                            node = child;
                            continue;
                        }
                        None => YamlValue::Null, // replaced below: the value is complete
                    }
                }
            };
            // Adds the value to its collection, and so on while that completes the collection.
            loop {
                let complete = parts.last().is_some_and(|part| self.child(Some(part)).is_none());
                if complete {
                    let Some(part) = parts.pop() else { break };
                    inside[part.node as usize] = false;
                    done = self.collection(part);
                }
                let Some(part) = parts.last_mut() else { return Ok(done) };
                part.items.push(std::mem::replace(&mut done, YamlValue::Null));
                part.index += 1;
                if let Some(child) = self.child(parts.last()) {
                    node = child;
                    break;
                }
            }
        }
    }

    fn limit<T>(&self, at: u32, message: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::new(YamlErrorKind::Limit, self.nodes[at as usize].mark, message))
    }

    fn count(&mut self, at: u32, depth: usize) -> Result<(), YamlError> {
        self.values += 1;
        self.bytes += match &self.made[at as usize] {
            NodeValue::Scalar(YamlValue::Text(text)) => text.len(),
            NodeValue::Scalar(YamlValue::Bytes(bytes)) => bytes.len(),
            _ => 0,
        };
        let Limits { bytes, depth: levels, values } = self.limits;
        match () {
            () if depth > levels => self.limit(at, format!("more than {levels} levels of nesting")),
            () if self.values > values => self.limit(at, format!("aliases expand to more than {values} values")),
            () if self.bytes > bytes => self.limit(at, format!("aliases expand to more than {bytes} bytes")),
            () => Ok(()),
        }
    }

    /// The next node of a collection. Keys and values alternate.
    fn child(&self, part: Option<&Part>) -> Option<u32> {
        let Part { node, index, .. } = part?;
        match &self.made[*node as usize] {
            NodeValue::Sequence(items) | NodeValue::Set(items) => items.get(*index).copied(),
            NodeValue::Pairs(pairs) | NodeValue::Mapping(pairs) => {
                pairs.get(index / 2).map(|&(key, value)| if index % 2 == 0 { key } else { value })
            }
            NodeValue::None | NodeValue::Scalar(_) => None,
        }
    }

    fn collection(&self, part: Part) -> YamlValue<'static> {
        match &self.made[part.node as usize] {
            NodeValue::Set(_) => YamlValue::Set(part.items),
            NodeValue::Pairs(_) => YamlValue::Sequence(
                pairs(part.items).into_iter().map(|(a, b)| YamlValue::Sequence(vec![a, b])).collect(),
            ),
            NodeValue::Mapping(_) => YamlValue::Mapping(pairs(part.items)),
            NodeValue::None | NodeValue::Scalar(_) | NodeValue::Sequence(_) => YamlValue::Sequence(part.items),
        }
    }
}

fn pairs(items: Vec<YamlValue<'static>>) -> Mapping<'static> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
}
