//! [`Blob`] and [`Listing`]: what a place keeps, and how it is listed.

/// An object or file, identified by a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// The key, without the prefix of the place.
    pub(crate) key: String,
    /// Size in bytes.
    pub(crate) size: u64,
    /// The ETag of the current version, including quotes.
    pub(crate) etag: Option<String>,
}

/// Which keys are listed.
pub(crate) struct Listing<'l> {
    /// The prefix of the keys.
    pub(crate) prefix: &'l str,
    /// Whether to enter a folder, given by its key with a `/` at the end.
    pub(crate) enter: &'l (dyn Fn(&str) -> bool + Sync),
    /// Receives each blob.
    pub(crate) found: &'l mut (dyn FnMut(Blob) + Send),
}
