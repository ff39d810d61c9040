//! Load of reads for the server: a [`held`] store of many rows.

pub mod held;
