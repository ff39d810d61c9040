//! The pages of this server, rendered to HTML.

pub mod assets;
pub mod home;
pub mod measurement;
pub mod search;
