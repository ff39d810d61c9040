//! Load for the collector: [`bodies`] to submit, [`load`] that submits them, the [`server`] as a process, and [`syncs`], what
//! the disk alone takes.

pub mod bodies;
pub mod load;
pub mod server;
pub mod syncs;
