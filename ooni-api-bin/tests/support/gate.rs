//! [`Gate`]: handlers of tests wait there.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::sync::Semaphore;

/// Where handlers wait for a test. Each test uses names of its own.
#[derive(Clone)]
pub struct Gate {
    arrived: Arc<Semaphore>,
    opened: Arc<Semaphore>,
}

impl Gate {
    pub fn named(name: &str) -> Gate {
        static GATES: LazyLock<Mutex<HashMap<String, Gate>>> = LazyLock::new(Mutex::default);
        let new = || Gate { arrived: Arc::new(Semaphore::new(0)), opened: Arc::new(Semaphore::new(0)) };
        GATES.lock().unwrap().entry(name.to_owned()).or_insert_with(new).clone()
    }

    /// Waits until the gate is open.
    pub async fn pass(&self) {
        self.arrived.add_permits(1);
        drop(self.opened.acquire().await);
    }

    /// Waits until this many handlers have arrived.
    pub fn wait_for(&self, count: u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { self.arrived.acquire_many(count).await.unwrap().forget() });
    }

    /// Lets all handlers pass.
    pub fn open(&self) {
        self.opened.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}
