//! [`Lease`]: only who holds it touches the tables in which rollups and test lists are made anew.
//!
//! Whoever wants it notes that in a table and then looks who else did: of two at once at least one sees the other, and gives
//! way. What a process noted that was killed counts until it is as old as the lease; one that holds it longer notes it again.

use super::error::ClickhouseError;
use super::http::{Http, random};
use crate::failpoint::interval;
use crate::value::{Type, Value};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long what is noted counts.
const LENGTH: Duration = Duration::from_secs(600);

/// The right to make tables anew.
pub(super) struct Lease<'s> {
    http: &'s Http,
    holder: u64,
    taken: Instant,
    /// Those that noted it long ago and never gave it back.
    gone: Vec<u64>,
}

/// How old in seconds something that is noted has to be, so that nobody is at it any more.
pub(super) fn seconds() -> u64 {
    interval(LENGTH).as_secs()
}

impl<'s> Lease<'s> {
    /// Waits so long for it.
    pub(super) async fn take(http: &'s Http, patience: Duration) -> Result<Lease<'s>, ClickhouseError> {
        let begun = Instant::now();
        loop {
            let mut lease = Lease { http, holder: random(), taken: Instant::now(), gone: Vec::new() };
            lease.note().await?;
            if lease.is_alone().await? {
                return Ok(lease);
            }
            lease.end().await?;
            if begun.elapsed() >= patience {
                return Err(ClickhouseError::Busy("another process makes rollups, or was killed at it a moment ago"));
            }
            // Those that gave way to each other do not meet again.
            sleep(Duration::from_millis(50 + random() % 200)).await;
        }
    }

    async fn note(&self) -> Result<(), ClickhouseError> {
        self.http.execute(&format!("INSERT INTO lease (holder) SELECT {}", self.holder), &[]).await
    }

    async fn is_alone(&mut self) -> Result<bool, ClickhouseError> {
        let others = format!(
            "SELECT holder, max(taken) > now64(6) - INTERVAL {} SECOND FROM lease WHERE holder <> {} GROUP BY holder",
            seconds(),
            self.holder
        );
        let mut is_alone = true;
        for row in self.http.select(&others, &[], &[Type::OptionalUInt64, Type::UInt32], Duration::MAX).await? {
            match row[..] {
                [Value::Int(holder), Value::Int(0)] => self.gone.push(holder),
                [_, Value::Int(_)] => is_alone = false,
                _ => return Err(ClickhouseError::Foreign),
            }
        }
        Ok(is_alone)
    }

    /// Makes sure that it is still ours for a while.
    pub(super) async fn renew(&mut self) -> Result<(), ClickhouseError> {
        let held = self.taken.elapsed();
        if held >= LENGTH / 2 {
            return Err(ClickhouseError::Busy("another process may make rollups, this one was too slow"));
        }
        if held >= LENGTH / 8 {
            self.note().await?;
            self.taken = Instant::now();
        }
        Ok(())
    }

    /// Gives it back.
    pub(super) async fn end(self) -> Result<(), ClickhouseError> {
        let holders = self.gone.iter().chain([&self.holder]).map(|holder| format!("DROP PARTITION {holder}"));
        self.http.execute(&format!("ALTER TABLE lease {}", holders.collect::<Vec<_>>().join(", ")), &[]).await
    }
}
