//! stub until the branch with the real one is merged
#[derive(Debug, Default)]
pub struct Fingerprints;
#[derive(Debug, Default)]
pub struct Scratch;
impl Fingerprints {
    pub fn empty() -> Self {
        Fingerprints
    }
}
