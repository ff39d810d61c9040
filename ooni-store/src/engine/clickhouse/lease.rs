//! [`Lease`]: the lock on the tables in which rollups and test lists are rebuilt. Only the process that holds it writes to
//! them.
//!
//! To take the lease, a process inserts a row into the table `lease` and then looks for rows of other processes. If two
//! processes do so at the same time, at least one sees the row of the other and withdraws. A row expires after [`LIFETIME`].
//! The holder renews it every few seconds, so the row of a killed process blocks others for a minute at most.

use super::error::ClickhouseError;
use super::http::{Http, random};
use crate::failpoint::interval;
use crate::value::{Type, Value};
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How long a row is valid.
const LIFETIME: Duration = Duration::from_secs(60);

/// How often the holder renews the lease.
const RENEWAL: Duration = Duration::from_secs(5);

/// The age of its newest row at which the holder stops, well before another process can take the lease.
const LAPSE: Duration = Duration::from_secs(30);

/// The exclusive right to rebuild tables.
pub(super) struct Lease {
    http: Http,
    holder: u64,
    taken: Instant,
    /// Holders whose rows have expired and are to be deleted.
    expired: Vec<u64>,
}

impl Lease {
    /// Takes the lease; waits for it at most `wait`.
    pub(super) async fn take(http: &Http, wait: Duration) -> Result<Lease, ClickhouseError> {
        let begun = Instant::now();
        loop {
            let mut lease =
                Lease { http: http.untracked(), holder: random(), taken: Instant::now(), expired: Vec::new() };
            lease.http.execute(&lease.insert(), &[]).await?;
            if lease.is_alone().await? {
                return Ok(lease);
            }
            lease.end().await?;
            if begun.elapsed() >= wait {
                return Err(ClickhouseError::Busy(
                    "another process is refreshing rollups, or was killed while doing so",
                ));
            }
            // The pause is random, so that two processes that withdrew do not collide again.
            sleep(Duration::from_millis(50 + random() % 200)).await;
        }
    }

    /// The statement that inserts a row of this holder.
    fn insert(&self) -> String {
        format!("INSERT INTO lease (holder) SELECT {}", self.holder)
    }

    async fn is_alone(&mut self) -> Result<bool, ClickhouseError> {
        let others = format!(
            "SELECT holder, max(taken) > now64(6) - INTERVAL {} SECOND FROM lease WHERE holder <> {} GROUP BY holder",
            interval(LIFETIME).as_secs(),
            self.holder
        );
        let mut is_alone = true;
        for row in self.http.select(&others, &[], &[Type::OptionalUInt64, Type::UInt32]).await? {
            match row[..] {
                [Value::Int(holder), Value::Int(0)] => self.expired.push(holder),
                [_, Value::Int(_)] => is_alone = false,
                _ => return Err(ClickhouseError::Foreign),
            }
        }
        Ok(is_alone)
    }

    /// Awaits work that needs the lease, and renews the lease meanwhile. If the lease is lost, the work is dropped.
    ///
    /// # Errors
    /// The error of the work, or the lease could not be renewed in time.
    pub(super) async fn hold<T>(
        &mut self,
        work: impl Future<Output = Result<T, ClickhouseError>>,
    ) -> Result<T, ClickhouseError> {
        let mut work = pin!(work);
        loop {
            if self.taken.elapsed() >= interval(RENEWAL) {
                self.renew().await?;
            }
            if let Ok(result) = timeout(interval(RENEWAL), &mut work).await {
                return result;
            }
        }
    }

    async fn renew(&mut self) -> Result<(), ClickhouseError> {
        let lapsed = || ClickhouseError::Busy("the lease could not be renewed in time; another process may hold it");
        let sent = Instant::now();
        timeout(LAPSE.saturating_sub(self.taken.elapsed()), self.http.execute_meanwhile(&self.insert()))
            .await
            .map_err(|_| lapsed())??;
        if self.taken.elapsed() >= LAPSE {
            return Err(lapsed());
        }
        self.taken = sent;
        Ok(())
    }

    /// Gives the lease up.
    pub(super) async fn end(self) -> Result<(), ClickhouseError> {
        let holders = self.expired.iter().chain([&self.holder]).map(|holder| format!("DROP PARTITION {holder}"));
        self.http.execute(&format!("ALTER TABLE lease {}", holders.collect::<Vec<_>>().join(", ")), &[]).await
    }
}
