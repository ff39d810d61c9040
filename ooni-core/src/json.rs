//! JSON as the reference reads and writes it: a lenient reader, its tree, owned values, and a writer.
//!
//! [`Reader`] turns bytes into a [`Document`], a flat tree that borrows them; [`Value`] is a node of it and [`Field`]
//! a member that may be missing. [`Json`] is an owned value, for rows. Python's semantics of values (truth, equality,
//! conversions) are in `python`.

mod block;
mod document;
mod field;
mod kind;
mod owned;
mod read;
mod scan;
mod serialize;
mod source;
mod surrogate;
mod unescape;
mod value;
mod write;

pub use self::document::Document;
pub(crate) use self::document::SingleText;
pub use self::field::Field;
pub(crate) use self::field::Key;
#[cfg(feature = "legacy-yaml")]
pub(crate) use self::kind::FOREIGN;
pub(crate) use self::kind::FOREIGN_FALSE;
pub use self::kind::Kind;
pub use self::owned::Json;
pub use self::read::{Limits, MAX_DEPTH, ReadError, Reader};
pub use self::scan::Spelling;
pub use self::surrogate::replace_lone_surrogates;
pub(crate) use self::unescape::push_code_point;
pub use self::unescape::unescape;
pub use self::value::{Members, Pairs, Text, Value};
pub(crate) use self::write::{write_int, write_key};
pub use self::write::{write_json, write_text};
