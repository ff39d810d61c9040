//! The site itself: health, version, metrics (API spec §12).

pub mod docs;
pub mod health;
pub mod legacy;
pub mod metrics;
pub mod pages;
pub mod version;
