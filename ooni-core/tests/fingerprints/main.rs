//! Fingerprints: the public lists and the search of bodies.

#![allow(clippy::unwrap_used)] // a test fails if it cannot read its list

mod lists;
mod rarity;
mod search;
