//! placeholder
#![forbid(unsafe_code)]

pub mod base64;
pub mod number;
pub mod python_text;
pub mod text;
pub mod time;
pub mod uid;
pub mod url;
pub mod version;
