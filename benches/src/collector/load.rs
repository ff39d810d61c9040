//! [`Load`]: connections that submit one measurement after the other.

use crate::bodies::Body;
use crate::http::Connection;
use crate::pace::Pace;
use anyhow::Result;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::{LocalSet, spawn_local};

/// What is submitted, and how.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// Connections at the same time.
    pub connections: usize,
    /// How long.
    pub duration: Duration,
    /// Submissions per second of all connections; `None` for as many as possible. Latencies are then from the time at which
    /// a submission was due, so that they include what a stalled server delays.
    pub rate: Option<f64>,
    /// The number of the first submission. Submissions with the same number and body are repeats.
    pub first: u64,
}

/// What was submitted.
#[derive(Debug, Default)]
pub struct Submitted {
    /// Microseconds of each submission that was accepted.
    pub latencies: Vec<u32>,
    /// Submissions that were not answered with 200.
    pub refused: u64,
    /// How long it took.
    pub seconds: f64,
    /// Bytes of the bodies that were accepted.
    pub bytes: u64,
}

impl Load {
    /// Submits until the time is over, and waits for the last answers.
    ///
    /// # Errors
    /// The server cannot be reached, or closes a connection.
    pub async fn run(self, bodies: &[Body]) -> Result<Submitted> {
        let bodies: Rc<[Body]> = bodies.into();
        let next = Rc::new(Cell::new(self.first));
        let mut opened = Vec::new();
        for _ in 0..self.connections {
            opened.push(Connection::open(self.address).await?);
        }
        let begin = Instant::now();
        let end = begin + self.duration;
        let tasks = LocalSet::new();
        let all = tasks.run_until(async move {
            let probes: Vec<_> = opened
                .into_iter()
                .enumerate()
                .map(|(number, connection)| {
                    let pace = self.rate.map(|rate| Pace::of(number, self.connections, rate, begin));
                    spawn_local(probe(connection, Rc::clone(&bodies), Rc::clone(&next), pace, end))
                })
                .collect();
            let mut all = Submitted::default();
            for probe in probes {
                let mut one = probe.await??;
                all.latencies.append(&mut one.latencies);
                all.refused += one.refused;
                all.bytes += one.bytes;
            }
            Ok::<_, anyhow::Error>(all)
        });
        let all = all.await?;
        Ok(Submitted { seconds: begin.elapsed().as_secs_f64(), ..all })
    }
}

async fn probe(
    mut connection: Connection,
    bodies: Rc<[Body]>,
    next: Rc<Cell<u64>>,
    mut pace: Option<Pace>,
    end: Instant,
) -> Result<Submitted> {
    let mut submitted = Submitted::default();
    let mut request = Vec::new();
    while Instant::now() < end {
        let number = next.get();
        next.set(number + 1);
        let body = &bodies[usize::try_from(number)? % bodies.len()];
        body.request(number, &mut request);
        let begin = match &mut pace {
            None => Instant::now(),
            Some(pace) => pace.wait().await,
        };
        if connection.exchange(&request).await?.status == 200 {
            submitted.latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
            submitted.bytes += body.length(number) as u64;
        } else {
            submitted.refused += 1;
        }
    }
    Ok(submitted)
}
