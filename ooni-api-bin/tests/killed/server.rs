//! The program as a process, with a state directory that survives it.

use crate::load::request;
use ooni_testkit::process::signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// How many times as fast as time the program's clock runs: an hour takes two seconds.
const RATE: u64 = 1800;

/// How long the program may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What survives the program.
pub(crate) struct Setup {
    root: TempDir,
    config: PathBuf,
    /// When the fast clock starts.
    from: u64,
}

impl Setup {
    pub(crate) fn new() -> Setup {
        Setup::with("")
    }

    /// With more settings.
    pub(crate) fn with(settings: &str) -> Setup {
        let root = TempDir::new().unwrap();
        let config = root.path().join("ooni-api.toml");
        let text = format!(
            "[intake]\nmin_free_bytes = 0\n[archive]\ndelay = 0\n[scoring]\nbatch_delay = 20\n\
             [jobs]\nschedule = false\n[log]\nformat = \"json\"\n{settings}"
        );
        fs::write(&config, text).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Setup { root, config, from: u64::try_from(now.as_micros()).unwrap() }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// A command of the program with these settings.
    pub(crate) fn command(&self, arguments: &[&str], shift: i64) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ooni-api"));
        let to = self.from.checked_add_signed(shift).unwrap();
        command.args(arguments).arg("--config").arg(&self.config).arg("--state-dir").arg(self.state());
        command.env("OONI_TEST_CLOCK", format!("{}:{to}:{RATE}", self.from));
        command
    }

    /// Runs a command of the program to its end.
    pub(crate) fn complete(&self, arguments: &[&str]) {
        let done = self.command(arguments, 0).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {}: {said}", done.status);
    }
}

/// The running program.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts it, to be killed at a failpoint if one is named.
    pub(crate) fn start(setup: &Setup, failpoint: Option<&str>) -> Server {
        let mut command = setup.command(&["serve", "--listen", "127.0.0.1:0"], 0);
        if let Some(failpoint) = failpoint {
            command.env("OONI_API_FAILPOINT", failpoint);
        }
        Server::spawn(command, setup)
    }

    /// Starts it with a clock that is ahead by so many microseconds.
    pub(crate) fn start_shifted(setup: &Setup, shift: i64) -> Server {
        Server::spawn(setup.command(&["serve", "--listen", "127.0.0.1:0"], shift), setup)
    }

    fn spawn(mut command: Command, setup: &Setup) -> Server {
        let log = setup.root.path().join(format!("log-{}", fs::read_dir(setup.root.path()).unwrap().count()));
        let file = fs::File::create(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let mut server = Server { child, address: SocketAddr::from(([0, 0, 0, 0], 0)), log };
        server.address = server.wait_for_address();
        server
    }

    fn wait_for_address(&mut self) -> SocketAddr {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            for line in BufReader::new(fs::File::open(&self.log).unwrap()).lines().map_while(Result::ok) {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if line["message"] == "starting" {
                    return line["listen"].as_str().unwrap().parse().unwrap();
                }
            }
            // A failpoint can be reached before the server listens.
            if let Ok(Some(_)) = self.child.try_wait() {
                return SocketAddr::from(([127, 0, 0, 1], 1));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the server did not start: {}", self.log());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `GET /health` returns.
    pub(crate) fn health(&self) -> serde_json::Value {
        let answer = request(self.address, b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = answer.unwrap_or_else(|error| panic!("{error}: {}", self.log()));
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it was killed at its failpoint.
    pub(crate) fn wait_until_killed(mut self, point: &str) {
        let begin = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return assert!(!status.success(), "{point}: {}", self.log()),
                None if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
                None => panic!("{point} was not reached: {}", self.log()),
            }
        }
    }

    /// Stops it, and waits for its end.
    pub(crate) fn stop(mut self) {
        signal(self.child.id(), "TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
