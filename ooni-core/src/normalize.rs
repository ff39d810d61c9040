//! Legacy YAML reports, normalized (formats spec §11).
mod scalar;
pub mod value;
pub mod yaml;
