//! Ids of measurements that come without one (formats spec §1.1).

pub use ooni_core::uid::trivial;
