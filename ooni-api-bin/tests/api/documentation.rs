//! The description of the routes.
