//! Resolves merge keys (`<<`): inserts the members of other mappings before a mapping's own.

use super::compose::{Content, Nodes};
use super::error::{YamlError, YamlErrorKind};
use super::tag::YamlTag;

/// Replaces a resolved merge key until its mapping is complete.
const REMOVED: (u32, u32) = (u32::MAX, u32::MAX);

/// A mapping whose merge keys are being resolved.
struct Frame {
    node: u32,
    index: usize,
    /// The members found so far, in the order in which they precede the mapping's own.
    merged: Vec<(u32, u32)>,
    /// The mappings of the current merge key, the last one first: each precedes those that follow it.
    sources: Vec<u32>,
    /// The members of these that were found.
    found: Vec<Vec<(u32, u32)>>,
}

impl Frame {
    fn new(node: u32) -> Frame {
        Frame { node, index: 0, merged: Vec::new(), sources: Vec::new(), found: Vec::new() }
    }
}

/// Resolves the merge keys of a mapping, and of the mappings they refer to. `room` is the number of members that may be
/// copied.
pub(super) fn flatten(nodes: &mut Nodes, node: u32, room: &mut usize) -> Result<(), YamlError> {
    let mut frames = vec![Frame::new(node)];
    while let Some(frame) = frames.last_mut() {
        if let Some(source) = frame.sources.last() {
            let source = *source;
            frames.push(Frame::new(source));
            continue;
        }
        for mut found in frame.found.drain(..).rev() {
            frame.merged.append(&mut found);
        }
        if step(nodes, frame)? {
            continue;
        }
        // Complete: insert the members that were found, and pass all members to the mapping that refers to this one.
        let merged = std::mem::take(&mut frame.merged);
        let node = frame.node;
        frames.pop();
        let mut all = Vec::new();
        if let Some(Content::Mapping(pairs)) = nodes.get_mut(node as usize).map(|node| &mut node.content) {
            pairs.retain(|pair| *pair != REMOVED);
            if !merged.is_empty() {
                pairs.splice(..0, merged);
            }
            if !frames.is_empty() {
                all.clone_from(pairs);
            }
        }
        if let Some(referrer) = frames.last_mut() {
            referrer.sources.pop();
            let mark = nodes[referrer.node as usize].mark;
            *room = room
                .checked_sub(all.len())
                .ok_or_else(|| YamlError::new(YamlErrorKind::Limit, mark, "merge keys expand to too many members"))?;
            referrer.found.push(all);
        }
    }
    Ok(())
}

/// Finds the next merge key and removes it; false when there is none.
fn step(nodes: &mut Nodes, frame: &mut Frame) -> Result<bool, YamlError> {
    loop {
        let pair = match &nodes[frame.node as usize].content {
            Content::Mapping(pairs) => pairs.get(frame.index).copied(),
            Content::Scalar(_) | Content::Sequence(_) => None,
        };
        let Some((key, value)) = pair else { return Ok(false) };
        if (key, value) == REMOVED {
            frame.index += 1;
            continue;
        }
        match nodes[key as usize].tag {
            YamlTag::Merge => {}
            YamlTag::Default => {
                // `=` as a key is text.
                nodes[key as usize].tag = YamlTag::Text;
                frame.index += 1;
                continue;
            }
            _ => {
                frame.index += 1;
                continue;
            }
        }
        if let Content::Mapping(pairs) = &mut nodes[frame.node as usize].content {
            pairs[frame.index] = REMOVED;
        }
        frame.index += 1;
        let wrong = |at: u32| {
            let node = &nodes[at as usize];
            let message = format!("expected a mapping to merge, found {}", node.content.name());
            Err(YamlError::new(YamlErrorKind::Constructor, node.mark, message))
        };
        match &nodes[value as usize].content {
            Content::Mapping(_) => frame.sources.push(value),
            // Each is checked in turn, after those before it have been merged.
            Content::Sequence(items) => {
                if let Some(&at) = items.iter().find(|&&at| !matches!(nodes[at as usize].content, Content::Mapping(_)))
                {
                    return wrong(at);
                }
                frame.sources.extend(items.iter().rev());
            }
            Content::Scalar(_) => return wrong(value),
        }
        return Ok(true);
    }
}
