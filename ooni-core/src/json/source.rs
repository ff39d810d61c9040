//! [`Value::source`]: the text of a value as it is in the document.

use super::document::Tag;
use super::value::Value;

impl<'a> Value<'a> {
    /// The bytes of the value as written, from its first to its last, without white space around them. Empty for the default
    /// of a missing value.
    pub fn source(self) -> &'a [u8] {
        let node = self.node();
        let (start, end) = match node.tag {
            // The quotes are outside of the node; the default text has none.
            Tag::Text if node.start == 0 => return b"",
            Tag::Text => (node.start as usize - 1, node.start as usize + node.len as usize + 1),
            Tag::Array | Tag::Object => (node.start as usize, self.end_of_container()),
            _ => (node.start as usize, node.start as usize + node.len as usize),
        };
        self.document.text.get(start..end).unwrap_or_default()
    }

    /// The offset after the closing bracket of an array or object.
    fn end_of_container(self) -> usize {
        // Down to the last value inside, and back out over one bracket for each level.
        let mut container = self;
        let mut levels = 1;
        let mut end = loop {
            match container.last_inside() {
                None => break container.node().start as usize + 1,
                Some(last) if matches!(last.node().tag, Tag::Array | Tag::Object) => {
                    container = last;
                    levels += 1;
                }
                Some(last) => {
                    let node = last.node();
                    break node.start as usize + node.len as usize + usize::from(node.tag == Tag::Text);
                }
            }
        };
        for _ in 0..levels {
            let rest = self.document.text.get(end..).unwrap_or_default();
            let spaces = rest.iter().take_while(|byte| **byte <= b' ').count();
            end += spaces + 1;
        }
        end
    }

    /// The last element of an array, or the value of the last member of an object.
    fn last_inside(self) -> Option<Value<'a>> {
        let end = self.node().next;
        let mut at = self.at + 1;
        let mut last = None;
        while at < end {
            last = Some(Value { at, ..self });
            at = self.document.nodes[at as usize].next;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;
    use proptest::prelude::*;

    fn sources(text: &str) -> Vec<String> {
        let mut reader = Reader::new();
        let document = reader.read(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        let mut open = vec![document.root()];
        while let Some(value) = open.pop() {
            out.push(String::from_utf8(value.source().to_vec()).unwrap());
            let inside: Vec<_> = value.elements().chain(value.pairs().map(|(_, value)| value)).collect();
            open.extend(inside.into_iter().rev());
        }
        out
    }

    #[test]
    fn of_every_value() {
        let text = r#" { "a" : [ 1 , -2.5e3, [ ] , { } , [ [ null ] ] ] , "b\"": "x\\" , "c":{"d":true} } "#;
        let expected = [
            text.trim(),
            "[ 1 , -2.5e3, [ ] , { } , [ [ null ] ] ]",
            "1",
            "-2.5e3",
            "[ ]",
            "{ }",
            "[ [ null ] ]",
            "[ null ]",
            "null",
            r#""x\\""#,
            r#"{"d":true}"#,
            "true",
        ];
        assert_eq!(sources(text), expected);
        assert_eq!((Value::EMPTY_OBJECT.source(), Value::EMPTY_TEXT.source()), (&b""[..], &b""[..]));
    }

    proptest! {
        /// The source of a value, read again, is that value.
        #[test]
        fn reads_back(depth in 0_usize..40, width in 1_usize..4, space in "[ \t\n]{0,2}") {
            let mut text = format!("{space}7{space}");
            for level in 0..depth {
                text = match level % 2 {
                    0 => format!("[{}]", vec![text; if level < 6 { width } else { 1 }].join(",")),
                    _ => format!("{space}{{{space}\"k\"{space}:{space}{text}{space}}}{space}"),
                };
            }
            let mut reader = Reader::new();
            let document = reader.read(text.as_bytes()).unwrap();
            let whole = document.root();
            prop_assert_eq!(whole.source(), text.trim().as_bytes());
            for source in sources(&text) {
                let mut again = Reader::new();
                let read = again.read(source.as_bytes());
                let document = read.map_err(|error| TestCaseError::fail(format!("{source}: {error:?}")))?;
                prop_assert_eq!(document.root().source(), source.as_bytes());
            }
        }
    }
}
