//! The cache of responses.
