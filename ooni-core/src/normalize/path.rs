//! Where in an entry an error is.

use super::value::YamlValue;
use crate::error::{Code, Error};
use std::fmt::Write as _;

/// A path in the entry, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryPath<'p> {
    outer: Option<&'p EntryPath<'p>>,
    name: Name<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Name<'p> {
    Member(&'p str),
    Item(usize),
}

impl EntryPath<'static> {
    /// The entry itself.
    pub(super) const ROOT: EntryPath<'static> = EntryPath { outer: None, name: Name::Item(0) };
    pub(super) const TEST_KEYS: EntryPath<'static> =
        EntryPath { outer: Some(&EntryPath::ROOT), name: Name::Member("test_keys") };
}

impl EntryPath<'_> {
    pub(super) fn member<'p>(&'p self, key: &'p str) -> EntryPath<'p> {
        EntryPath { outer: Some(self), name: Name::Member(key) }
    }

    pub(super) fn item(&self, index: usize) -> EntryPath<'_> {
        EntryPath { outer: Some(self), name: Name::Item(index) }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        let mut names = Vec::new();
        let mut place = self;
        while let Some(outer) = place.outer {
            names.push(place.name);
            place = outer;
        }
        for name in names.into_iter().rev() {
            let _ = match name {
                Name::Member(key) => write!(path, "/{}", key.replace('~', "~0").replace('/', "~1")),
                Name::Item(index) => write!(path, "/{index}"),
            };
        }
        path
    }

    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error::new(Code::Can, self.path(), message)
    }

    pub(super) fn wrong(&self, value: &YamlValue<'_>, wanted: &str) -> Error {
        self.error(format!("expected {wanted}, found {}", value.kind_name()))
    }

    pub(super) fn missing(&self) -> Error {
        self.error("a required key is missing")
    }
}
