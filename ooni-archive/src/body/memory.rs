//! [`BodyMemory`]: bounds the memory of large bodies.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this size are not counted, in bytes.
pub const SMALL_BODY: usize = 1 << 20;

/// Memory for all bodies of more than 1 MiB that are read at the same time. Clones share it.
#[derive(Clone, Debug)]
pub struct BodyMemory {
    /// A permit is a byte.
    free: Arc<Semaphore>,
    size: u32,
}

/// Memory of one body, until it is dropped.
#[derive(Debug)]
pub struct BodySpace(Option<OwnedSemaphorePermit>);

impl BodyMemory {
    /// Memory of a size in bytes. A larger body gets all of it.
    pub fn new(size: u32) -> BodyMemory {
        BodyMemory { free: Arc::new(Semaphore::new(size as usize)), size }
    }

    /// Memory for a body of so many bytes; `None` if others use too much. A small one needs none.
    pub fn take(&self, bytes: usize) -> Option<BodySpace> {
        if bytes <= SMALL_BODY {
            return Some(BodySpace(None));
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.size);
        Arc::clone(&self.free).try_acquire_many_owned(bytes).ok().map(|permit| BodySpace(Some(permit)))
    }
}

impl BodySpace {
    /// Returns what a body of so many bytes does not need.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let Some(permit) = &mut self.0 else { return };
        let needed = if bytes <= SMALL_BODY { 0 } else { bytes };
        drop(permit.split(permit.num_permits().saturating_sub(needed)));
    }

    /// The bytes of the body. The memory is returned when the last of their clones is dropped.
    pub fn hold(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Held { bytes, _space: self })
    }
}

struct Held<T> {
    bytes: T,
    _space: BodySpace,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space() {
        let memory = BodyMemory::new(10 << 20);
        let free = || memory.free.available_permits();
        let small = memory.take(SMALL_BODY).unwrap();
        let mut large = memory.take(6 << 20).unwrap();
        assert!(memory.take(5 << 20).is_none());
        large.shrink(4 << 20);
        assert_eq!(free(), 6 << 20);
        let bytes = large.hold(b"text".to_vec());
        let part = bytes.slice(1..);
        drop((bytes, small));
        assert_eq!((&part[..], free()), (&b"ext"[..], 6 << 20));
        drop(part);
        let mut all = memory.take(usize::MAX).unwrap();
        assert_eq!(free(), 0);
        all.shrink(SMALL_BODY);
        assert_eq!(free(), 10 << 20);
    }
}
