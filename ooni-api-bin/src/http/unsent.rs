//! [`Unsent`]: what clients have not taken yet of large responses. It is bounded, so that slow clients cannot fill the memory,
//! and it is counted apart from the gate, so that other reads do not wait for them.

use super::limits::Client;
use hyper::body::SizeHint;
use prometheus::IntGauge;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Responses up to this size, in bytes, are not counted: the number of connections bounds them.
const SMALL: u64 = 64 << 10;
/// What a stream counts as, in bytes: a page of a list as rows and as text, and the window of its compression.
const OF_STREAM: u64 = 4 << 20;
/// A client may have one in this many bytes.
const SHARES: u64 = 4;

/// The large responses that are being sent.
pub(super) struct Unsent {
    max: u64,
    used: Mutex<Used>,
    gauge: IntGauge,
}

#[derive(Default)]
struct Used {
    bytes: u64,
    by_client: HashMap<Client, u64>,
}

/// What a response may take until it is sent.
pub(super) struct Space {
    unsent: Arc<Unsent>,
    client: Client,
    bytes: u64,
}

/// What a response of this size counts as, in bytes; `None` if it is small.
pub(super) fn counted(size: &SizeHint) -> Option<u64> {
    match size.exact() {
        Some(..=SMALL) => None,
        Some(bytes) => Some(bytes),
        None => Some(OF_STREAM),
    }
}

impl Unsent {
    pub(super) fn new(max: u64, gauge: IntGauge) -> Unsent {
        Unsent { max, used: Mutex::default(), gauge }
    }

    /// Space for a response; `None` if there is too little, or if its client has its share already. A response that is larger
    /// than a share needs a whole one.
    pub(super) fn reserve(self: &Arc<Self>, client: IpAddr, bytes: u64) -> Option<Space> {
        let client = Client::of(client);
        let share = self.max / SHARES;
        let bytes = bytes.min(share);
        let mut used = self.used();
        let of_client = used.by_client.get(&client).map_or(0, |bytes| *bytes);
        if bytes > self.max - used.bytes || bytes > share - of_client {
            return None;
        }
        used.bytes += bytes;
        used.by_client.insert(client, of_client + bytes);
        self.gauge.add(bytes as i64);
        Some(Space { unsent: Arc::clone(self), client, bytes })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let mut used = self.unsent.used();
        used.bytes -= self.bytes;
        if let Some(of_client) = used.by_client.get_mut(&self.client) {
            *of_client -= self.bytes;
            if *of_client == 0 {
                used.by_client.remove(&self.client);
            }
        }
        self.unsent.gauge.sub(self.bytes as i64);
    }
}

impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent").field("max", &self.max).finish_non_exhaustive() // without addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_share() {
        let unsent = Arc::new(Unsent::new(400, IntGauge::new("unsent", "unsent").unwrap()));
        let reserve = |client: &str, bytes| unsent.reserve(client.parse().unwrap(), bytes);
        let first = reserve("192.0.2.1", 60).unwrap();
        let second = reserve("192.0.2.1", 40).unwrap();
        assert!(reserve("192.0.2.1", 1).is_none());
        drop(first);
        assert!(reserve("192.0.2.1", 61).is_none());
        // A larger one needs a share, which is that of a network.
        let others = ["2001:db8::1", "192.0.2.2", "192.0.2.3"].map(|client| reserve(client, 1 << 40).unwrap());
        assert!(reserve("2001:db8::2", 1).is_none());
        assert_eq!(unsent.gauge.get(), 340);
        assert!(reserve("192.0.2.4", 61).is_none());
        let last = reserve("192.0.2.4", 60).unwrap();
        drop((second, others, last));
        let used = unsent.used();
        assert_eq!((unsent.gauge.get(), used.bytes, used.by_client.len()), (0, 0, 0));
    }

    #[test]
    fn sizes() {
        assert_eq!(counted(&SizeHint::with_exact(SMALL)), None);
        assert_eq!(counted(&SizeHint::with_exact(SMALL + 1)), Some(SMALL + 1));
        assert_eq!(counted(&SizeHint::new()), Some(OF_STREAM));
    }
}
