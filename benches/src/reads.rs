//! Load of reads: a [`held`] store of many rows, [`archived`] bodies of some of them, the [`mix`] of requests, and [`load`]
//! that sends them, and a [`report`].

pub mod archived;
pub mod held;
pub mod load;
pub mod mix;
pub mod report;
