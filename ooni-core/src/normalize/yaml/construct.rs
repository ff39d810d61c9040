//! From nodes to values: what tags make of them, in the order in which the reference's loader does it.
//!
//! That loader makes a collection empty and fills it later, so the members of all collections of one level are made
//! before those of the next. Of two troubles in a document the one that comes first in this order is the one it has.

use super::compose::{Content, Node, Nodes};
use super::error::{Trouble, TroubleKind};
use super::merge::flatten;
use super::scalar;
use super::tag::Tag;
use crate::json::Limits;
use crate::normalize::value::{Mapping, Value};
use std::collections::{BTreeMap, VecDeque};

/// What has been made of a node. Collections name the nodes of their members.
#[derive(Clone, Debug)]
enum Made {
    Not,
    Scalar(Value),
    Sequence(Vec<u32>),
    /// Of `!!omap` and `!!pairs`: pairs of key and value.
    Pairs(Vec<(u32, u32)>),
    /// Keys without repetition, each with its last value.
    Mapping(Vec<(u32, u32)>),
    Set(Vec<u32>),
}

struct Constructor<'n> {
    nodes: &'n mut Nodes,
    made: Vec<Made>,
    /// Collections that are still to be filled.
    later: VecDeque<u32>,
    /// Members that merge keys may copy.
    room: usize,
}

/// The value of the outermost node.
pub(super) fn construct(nodes: &mut Nodes, limits: Limits) -> Result<Value, Trouble> {
    let made = vec![Made::Not; nodes.len()];
    let mut constructor = Constructor { nodes, made, later: VecDeque::new(), room: limits.values };
    constructor.object(0)?;
    while let Some(node) = constructor.later.pop_front() {
        constructor.fill(node)?;
    }
    let mut copier = Copier { made: &constructor.made, nodes: constructor.nodes, limits, values: 0, bytes: 0 };
    copier.copy()
}

impl Constructor<'_> {
    fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    fn trouble<T>(&self, at: u32, message: impl Into<String>) -> Result<T, Trouble> {
        Err(Trouble::new(TroubleKind::Constructor, self.node(at).mark, message.into()))
    }

    /// Makes a scalar, or a collection that will be filled.
    fn object(&mut self, at: u32) -> Result<(), Trouble> {
        if !matches!(self.made[at as usize], Made::Not) {
            return Ok(());
        }
        let made = match &self.node(at).tag {
            Tag::Sequence => Made::Sequence(Vec::new()),
            Tag::Omap | Tag::Pairs => Made::Pairs(Vec::new()),
            Tag::Set => Made::Set(Vec::new()),
            Tag::Mapping => Made::Mapping(Vec::new()),
            tag @ (Tag::Merge | Tag::Default | Tag::Other(_)) => {
                let message = match tag {
                    Tag::Other(uri) => format!("the unknown tag {}", String::from_utf8_lossy(uri)),
                    Tag::Merge => "<< that is no key".into(),
                    _ => "= that is no key".into(),
                };
                return self.trouble(at, message);
            }
            _ => {
                let value = self.scalar(at)?;
                self.made[at as usize] = Made::Scalar(value);
                return Ok(());
            }
        };
        self.made[at as usize] = made;
        self.later.push_back(at);
        Ok(())
    }

    fn scalar(&self, at: u32) -> Result<Value, Trouble> {
        let node = self.node(at);
        let source = self.scalar_node(at)?;
        let Content::Scalar(text) = &self.node(source).content else { return Ok(Value::Null) };
        if node.tag == Tag::Timestamp && source != at {
            return Err(Trouble::new(TroubleKind::Value, node.mark, "a mapping that is no date"));
        }
        scalar::construct(&node.tag, text).map_err(|(kind, message)| Trouble::new(kind, node.mark, message))
    }

    /// The scalar of a node: itself, or of a mapping what is at its key `=`.
    fn scalar_node(&self, from: u32) -> Result<u32, Trouble> {
        let mut at = from;
        for _ in 0..=self.nodes.len() {
            let content = &self.node(at).content;
            match content {
                Content::Scalar(_) => return Ok(at),
                Content::Mapping(pairs) => match pairs.iter().find(|(key, _)| self.node(*key).tag == Tag::Default) {
                    Some((_, value)) => at = *value,
                    None => break,
                },
                Content::Sequence(_) => break,
            }
        }
        self.trouble(at, format!("{} where a scalar is needed", self.node(at).content.name()))
    }

    fn fill(&mut self, at: u32) -> Result<(), Trouble> {
        let made = match self.node(at).tag {
            Tag::Sequence => match &self.node(at).content {
                Content::Sequence(items) => {
                    let items = items.clone();
                    items.iter().try_for_each(|&item| self.object(item))?;
                    Made::Sequence(items)
                }
                other => return self.trouble(at, format!("{} where a sequence is needed", other.name())),
            },
            Tag::Omap | Tag::Pairs => Made::Pairs(self.pairs(at)?),
            Tag::Set => Made::Set(self.mapping(at)?.into_iter().map(|(key, _)| key).collect()),
            _ => Made::Mapping(self.mapping(at)?),
        };
        self.made[at as usize] = made;
        Ok(())
    }

    /// A sequence of mappings with one member each.
    fn pairs(&mut self, at: u32) -> Result<Vec<(u32, u32)>, Trouble> {
        let items = match &self.node(at).content {
            Content::Sequence(items) => items.clone(),
            other => return self.trouble(at, format!("{} where a sequence is needed", other.name())),
        };
        let mut pairs = Vec::with_capacity(items.len());
        for item in items {
            let (key, value) = match &self.node(item).content {
                Content::Mapping(members) if members.len() == 1 => members[0],
                _ => return self.trouble(item, "no mapping of one member where one is needed"),
            };
            self.object(key)?;
            self.object(value)?;
            pairs.push((key, value));
        }
        Ok(pairs)
    }

    fn mapping(&mut self, at: u32) -> Result<Vec<(u32, u32)>, Trouble> {
        if matches!(self.node(at).content, Content::Mapping(_)) {
            flatten(self.nodes, at, &mut self.room)?;
        }
        let pairs = match &self.node(at).content {
            Content::Mapping(pairs) => pairs.clone(),
            other => return self.trouble(at, format!("{} where a mapping is needed", other.name())),
        };
        let mut members: Vec<(u32, u32)> = Vec::with_capacity(pairs.len());
        let mut places = BTreeMap::new();
        for (key, value) in pairs {
            self.object(key)?;
            let Made::Scalar(name) = &self.made[key as usize] else {
                return self.trouble(key, format!("{} as a key", self.node(key).content.name()));
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

/// Makes one tree of what has been made, with what has aliases in it as often as it is named.
struct Copier<'m> {
    made: &'m [Made],
    nodes: &'m Nodes,
    limits: Limits,
    values: usize,
    bytes: usize,
}

/// A collection that is being copied.
struct Part {
    node: u32,
    index: usize,
    items: Vec<Value>,
}

impl Copier<'_> {
    fn copy(&mut self) -> Result<Value, Trouble> {
        let mut parts: Vec<Part> = Vec::new();
        let mut inside = vec![false; self.made.len()];
        let mut node = 0;
        loop {
            self.count(node, parts.len())?;
            let mut done = match &self.made[node as usize] {
                Made::Scalar(value) => value.clone(),
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
                        None => Value::Null, // replaced below: the part is complete as it is
                    }
                }
            };
            // Hands the value to what it is in, as long as that is complete by it.
            loop {
                let complete = parts.last().is_some_and(|part| self.child(Some(part)).is_none());
                if complete {
                    let Some(part) = parts.pop() else { break };
                    inside[part.node as usize] = false;
                    done = self.collection(part);
                }
                let Some(part) = parts.last_mut() else { return Ok(done) };
                part.items.push(std::mem::replace(&mut done, Value::Null));
                part.index += 1;
                if let Some(child) = self.child(parts.last()) {
                    node = child;
                    break;
                }
            }
        }
    }

    fn limit<T>(&self, at: u32, message: impl Into<String>) -> Result<T, Trouble> {
        Err(Trouble::new(TroubleKind::Limit, self.nodes[at as usize].mark, message))
    }

    fn count(&mut self, at: u32, depth: usize) -> Result<(), Trouble> {
        self.values += 1;
        if let Made::Scalar(Value::Text(text) | Value::Bytes(text)) = &self.made[at as usize] {
            self.bytes += text.len();
        }
        let Limits { bytes, depth: levels, values } = self.limits;
        match () {
            () if depth > levels => self.limit(at, format!("more than {levels} levels of nesting")),
            () if self.values > values => self.limit(at, format!("aliases stand for more than {values} values")),
            () if self.bytes > bytes => self.limit(at, format!("aliases stand for more than {bytes} bytes")),
            () => Ok(()),
        }
    }

    /// The node that a collection goes on with. Keys and values take turns.
    fn child(&self, part: Option<&Part>) -> Option<u32> {
        let Part { node, index, .. } = part?;
        match &self.made[*node as usize] {
            Made::Sequence(items) | Made::Set(items) => items.get(*index).copied(),
            Made::Pairs(pairs) | Made::Mapping(pairs) => {
                pairs.get(index / 2).map(|&(key, value)| if index % 2 == 0 { key } else { value })
            }
            Made::Not | Made::Scalar(_) => None,
        }
    }

    fn collection(&self, part: Part) -> Value {
        match &self.made[part.node as usize] {
            Made::Set(_) => Value::Set(part.items),
            Made::Pairs(_) => {
                Value::Sequence(pairs(part.items).into_iter().map(|(a, b)| Value::Sequence(vec![a, b])).collect())
            }
            Made::Mapping(_) => Value::Mapping(pairs(part.items)),
            Made::Not | Made::Scalar(_) | Made::Sequence(_) => Value::Sequence(part.items),
        }
    }
}

fn pairs(items: Vec<Value>) -> Mapping {
    let mut items = items.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
}
