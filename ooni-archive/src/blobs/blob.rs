//! [`Blob`] and [`Listing`]: what a place keeps, and how it is listed.

/// Something kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// The key, without the prefix of the place.
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// The version of it that the server has, quotes included.
    pub(crate) etag: Option<String>,
}

/// Which keys are listed.
pub(crate) struct Listing<'l> {
    /// How they begin.
    pub(crate) prefix: &'l str,
    /// Whether to look into a folder, named by its key and a `/`.
    pub(crate) enter: &'l (dyn Fn(&str) -> bool + Sync),
    /// Receives each.
    pub(crate) found: &'l mut (dyn FnMut(Blob) + Send),
}
