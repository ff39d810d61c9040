//! [`Server`]: the program `ooni-api` as a process.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the program may take to start.
const START: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    state: PathBuf,
}

/// What `/health` and `/metrics` say.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Measurements accepted.
    pub accepted: u64,
    /// Syncs of the intake log.
    pub syncs: u64,
    /// Bytes of bodies.
    pub bytes: u64,
}

impl Server {
    /// Starts the program with a state directory in this folder. The other settings are the usual ones, except those given as
    /// variables of the environment.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, folder: &Path, db_uri: Option<&str>, settings: &[(&str, &str)]) -> Result<Server> {
        let log = folder.join("log");
        let state = folder.join("state");
        let mut command =
            command(program, &["serve", "--listen", "127.0.0.1:0", "--log-format", "json"], &state, db_uri);
        command.envs(settings.iter().copied());
        command.stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Server { child, address: SocketAddr::from(([0, 0, 0, 0], 0)), state };
        server.address = server.wait_for_address(&log)?;
        Ok(server)
    }

    fn wait_for_address(&mut self, log: &PathBuf) -> Result<SocketAddr> {
        let begin = Instant::now();
        while begin.elapsed() < START && self.child.try_wait()?.is_none() {
            for line in fs::read_to_string(log)?.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                if line["message"] == "starting" {
                    return Ok(line["listen"].as_str().unwrap_or_default().parse()?);
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the server did not start: {}", fs::read_to_string(log)?)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until every accepted measurement is scored.
    ///
    /// # Errors
    /// It takes longer than that, or the server does not answer.
    pub fn wait_until_scored(&self, patience: Duration) -> Result<Counters> {
        let begin = Instant::now();
        loop {
            let metrics = self.metrics()?;
            if metric(&metrics, "ooniapi_scoring_pending")? == 0 {
                return Ok(Counters {
                    accepted: metric(&metrics, "ooniapi_intake_accepted_total")?,
                    syncs: metric(&metrics, "ooniapi_intake_syncs_total")?,
                    bytes: metric(&metrics, "ooniapi_intake_bytes_total")?,
                });
            }
            if begin.elapsed() > patience {
                bail!("measurements were not scored in time");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn metrics(&self) -> Result<String> {
        let password = fs::read_to_string(self.state.join("secrets/metrics_password"))?;
        let authorization = format!("authorization: Bearer {}", password.trim_end());
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: x\r\n{authorization}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// The most resident memory that it had, in bytes.
    ///
    /// # Errors
    /// The system does not say.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
    }

    /// Its processor time so far, in seconds.
    ///
    /// # Errors
    /// The system does not say.
    pub fn processor_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<u64>().ok()).context("no times");
        // In hundredths of a second on every Linux.
        Ok((ticks(11)? + ticks(12)?) as f64 / 100.0)
    }

    /// Stops it.
    ///
    /// # Errors
    /// It does not stop by itself.
    pub fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { bail!("the server ended with {status}") }
    }
}

/// Processor time of everything on the machine since its start, in seconds.
///
/// # Errors
/// The system does not say.
pub fn all_processor_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    // user, nice, system, idle, iowait, irq, softirq
    let all = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).map(str::parse::<u64>);
    let [user, nice, system, _, _, irq, softirq] = all.take(7).collect::<Result<Vec<_>, _>>()?[..] else {
        bail!("no times of processors");
    };
    Ok((user + nice + system + irq + softirq) as f64 / 100.0)
}

/// The program: that one, or the one beside this program.
///
/// # Errors
/// The system does not say where this program is.
pub fn program(given: Option<&Path>) -> Result<PathBuf> {
    Ok(match given {
        Some(program) => program.to_owned(),
        None => std::env::current_exe()?.with_file_name("ooni-api"),
    })
}

/// Archives everything that a stopped server has accepted.
///
/// # Errors
/// It cannot be archived.
pub fn archive(program: &Path, folder: &Path, db_uri: &str, settings: &[(&str, &str)]) -> Result<()> {
    let mut command = command(program, &["job", "archive", "--current"], &folder.join("state"), Some(db_uri));
    let status = command.envs(settings.iter().copied()).status()?;
    if status.success() { Ok(()) } else { bail!("the archiver ended with {status}") }
}

fn command(program: &Path, arguments: &[&str], state: &Path, db_uri: Option<&str>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg("--state-dir").arg(state);
    if let Some(db_uri) = db_uri {
        command.args(["--db-uri", db_uri]);
    }
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn metric(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value: f64 = line.with_context(|| format!("no metric {name}"))?.trim().parse()?;
    Ok(value as u64)
}
