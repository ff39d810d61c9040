//! Tables of the application other than measurements: test lists and the tables of a server (API spec §14).

pub(crate) mod lists;
pub(crate) mod priorities;
pub mod row;
