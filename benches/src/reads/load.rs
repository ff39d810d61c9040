//! [`Load`]: connections that send requests of a mix.

use super::mix::Mix;
use crate::http::Connection;
use crate::pace::Pace;
use anyhow::Result;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::{LocalSet, spawn_local};

/// What is sent, and how.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// Connections at the same time.
    pub connections: usize,
    /// How long.
    pub duration: Duration,
    /// Requests per second of all connections; `None` for as many as possible. Latencies are then from the time at which a
    /// request was due, so that they include what a stalled server delays.
    pub rate: Option<f64>,
}

/// What was answered, by the name of the request.
#[derive(Debug, Default)]
pub struct Answered {
    /// The answers.
    pub by_name: BTreeMap<&'static str, Answers>,
    /// How long it took.
    pub seconds: f64,
}

/// The answers to requests of a kind.
#[derive(Debug, Default)]
pub struct Answers {
    /// Microseconds of each request that was answered with 200.
    pub latencies: Vec<u32>,
    /// Bytes of these bodies.
    pub bytes: u64,
    /// How often each other status was the answer; 0 for a connection that was closed.
    pub errors: BTreeMap<u16, u64>,
}

impl Load {
    /// Sends requests until the time is over, and waits for the last answers. `mix` makes the requests of a connection.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn run(self, mix: impl Fn(usize) -> Mix) -> Result<Answered> {
        let mut opened = Vec::new();
        for _ in 0..self.connections {
            opened.push(Connection::open(self.address).await?);
        }
        let mixes: Vec<Mix> = (0..self.connections).map(mix).collect();
        let begin = Instant::now();
        let tasks = LocalSet::new();
        let all = tasks.run_until(async move {
            let readers = opened.into_iter().zip(mixes).enumerate().map(|(number, (connection, mix))| {
                let pace = self.rate.map(|rate| Pace::of(number, self.connections, rate, begin));
                spawn_local(reader(self.address, connection, mix, pace, begin + self.duration))
            });
            let readers: Vec<_> = readers.collect();
            let mut all: BTreeMap<&'static str, Answers> = BTreeMap::new();
            for reader in readers {
                for (name, mut one) in reader.await?? {
                    let answers = all.entry(name).or_default();
                    answers.latencies.append(&mut one.latencies);
                    answers.bytes += one.bytes;
                    for (status, times) in one.errors {
                        *answers.errors.entry(status).or_default() += times;
                    }
                }
            }
            Ok::<_, anyhow::Error>(all)
        });
        let by_name = all.await?;
        Ok(Answered { by_name, seconds: begin.elapsed().as_secs_f64() })
    }
}

async fn reader(
    address: SocketAddr,
    mut connection: Connection,
    mut mix: Mix,
    mut pace: Option<Pace>,
    end: Instant,
) -> Result<BTreeMap<&'static str, Answers>> {
    let mut all: BTreeMap<&'static str, Answers> = BTreeMap::new();
    while Instant::now() < end {
        let call = mix.call();
        let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", call.path);
        let begin = match &mut pace {
            None => Instant::now(),
            Some(pace) => pace.wait().await,
        };
        let answered = connection.exchange(request.as_bytes()).await;
        let answers = all.entry(call.name).or_default();
        match answered {
            Ok(answer) if answer.status == 200 => {
                answers.latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
                answers.bytes += answer.body.len() as u64;
            }
            Ok(answer) => *answers.errors.entry(answer.status).or_default() += 1,
            Err(_) => {
                *answers.errors.entry(0).or_default() += 1;
                connection = Connection::open(address).await?;
            }
        }
    }
    Ok(all)
}
