//! The site itself: health, version, metrics (API spec §12).

pub mod health;
pub mod metrics;
pub mod pages;
pub mod version;
