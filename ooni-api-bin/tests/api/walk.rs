//! Hostile parameters on every route.
