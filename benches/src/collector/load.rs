//! [`Load`]: connections that submit one measurement after the other.

use super::bodies::Body;
use anyhow::{Context, Result};
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
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
        let next = Rc::new(Cell::new(0));
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.address).await.context("cannot connect")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let begin = Instant::now();
        let end = begin + self.duration;
        let tasks = LocalSet::new();
        let all = tasks.run_until(async move {
            let probes: Vec<_> = streams
                .into_iter()
                .enumerate()
                .map(|(number, stream)| {
                    let pace = self.pace(number, begin);
                    spawn_local(probe(stream, Rc::clone(&bodies), Rc::clone(&next), pace, end))
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

    /// Connections take turns.
    fn pace(&self, number: usize, begin: Instant) -> Option<Pace> {
        let interval = Duration::from_secs_f64(self.connections as f64 / self.rate?);
        Some(Pace { due: begin + interval.mul_f64(number as f64 / self.connections as f64), interval })
    }
}

/// When a connection submits.
#[derive(Clone, Copy, Debug)]
struct Pace {
    due: Instant,
    interval: Duration,
}

async fn probe(
    mut stream: TcpStream,
    bodies: Rc<[Body]>,
    next: Rc<Cell<u64>>,
    mut pace: Option<Pace>,
    end: Instant,
) -> Result<Submitted> {
    let mut submitted = Submitted::default();
    let mut answer = Vec::with_capacity(1024);
    let mut request = Vec::new();
    while Instant::now() < end {
        let number = next.get();
        next.set(number + 1);
        let body = &bodies[usize::try_from(number)? % bodies.len()];
        let last = format!(",\"number\":{number}}}");
        let length = body.start.len() + last.len();
        request.clear();
        request.extend_from_slice(
            format!("POST /report/{} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n", body.report_id)
                .as_bytes(),
        );
        request.extend_from_slice(&body.start);
        request.extend_from_slice(last.as_bytes());
        let begin = match &mut pace {
            None => Instant::now(),
            Some(pace) => {
                let due = pace.due;
                tokio::time::sleep_until(due.into()).await;
                pace.due += pace.interval;
                due
            }
        };
        stream.write_all(&request).await?;
        if read_answer(&mut stream, &mut answer).await? {
            submitted.latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
            submitted.bytes += length as u64;
        } else {
            submitted.refused += 1;
        }
    }
    Ok(submitted)
}

/// Reads an answer; whether its status is 200.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<bool> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let headers = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        let length = headers.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if answer.len() >= head + 4 + length.unwrap_or(0_usize) {
            return Ok(answer.starts_with(b"HTTP/1.1 200"));
        }
    }
}
