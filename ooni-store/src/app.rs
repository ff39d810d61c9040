//! Tables of the application that are not measurements: test lists and what a server keeps beside them (API spec §14).

pub(crate) mod lists;
pub mod row;
