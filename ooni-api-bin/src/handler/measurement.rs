//! Bodies of measurements (API spec §4.3, §4.4).

pub mod by_uid;
pub mod lookup;
pub mod raw;
