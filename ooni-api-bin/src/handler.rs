//! What each route does: parse the request, ask the parts of [`App`](crate::app::App), shape the response.
//!
//! One file a route, named after it. No SQL and no scoring rules here.

pub mod feed;
pub mod measurement;
pub mod page;
pub mod private;
pub mod probe;
pub mod site;
