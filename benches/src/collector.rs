//! Load for the collector: [`load`] submits bodies, and [`syncs`] measures what the disk alone takes.

pub mod load;
pub mod syncs;
