//! The program as a process, with a state directory that survives it.

use super::load::request;
use ooni_testkit::process::signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// How many times as fast as time the program's clock runs: an hour takes two seconds.
const RATE: u64 = 1800;

/// How long the program may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What survives the program.
pub struct Setup {
    root: TempDir,
    config: PathBuf,
    state: PathBuf,
    archive: PathBuf,
    store: String,
    variables: Vec<(String, String)>,
    /// A script that runs the program, which is its `$0`; empty to run it directly.
    shell: String,
    /// When the fast clock starts, and what it shows then.
    from: u64,
    shows: u64,
}

impl Setup {
    pub fn new() -> Setup {
        let root = TempDir::new().unwrap();
        let config = root.path().join("ooni-api.toml");
        let text = "[intake]\nmin_free_bytes = 0\n[archive]\ndelay = 0\n[scoring]\nbatch_delay = 20\n\
                    [jobs]\nschedule = false\n[limits]\nexempt = [\"127.0.0.1\"]\n[log]\nformat = \"json\"\n";
        fs::write(&config, text).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let from = u64::try_from(now.as_micros()).unwrap();
        let state = root.path().join("state");
        let (archive, store) = (state.join("archive"), format!("sqlite:{}", state.join("ooni.db").display()));
        Setup { root, config, state, archive, store, variables: Vec::new(), shell: String::new(), from, shows: from }
    }

    /// Sets a variable of the environment: a setting, such as `OONI_API_INTAKE_MIN_FREE_BYTES`, or another one.
    pub fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.variables.retain(|(name, _)| name != variable);
        self.variables.push((variable.to_owned(), value.into()));
    }

    /// Uses a store other than that in the state directory.
    pub fn use_store(&mut self, url: &str) {
        self.set("OONI_API_STORE_URI", url);
        url.clone_into(&mut self.store);
    }

    /// Uses an archive on an S3 server, which is a folder for this process.
    pub fn use_s3(&mut self, url: &str, bucket: &str, folder: PathBuf) {
        self.set("OONI_API_ARCHIVE_LOCATION", format!("s3://{bucket}"));
        self.set("OONI_API_ARCHIVE_ENDPOINT", url);
        self.archive = folder;
    }

    /// Uses another state directory.
    pub fn use_state(&mut self, state: PathBuf) {
        self.archive = state.join("archive");
        self.store = format!("sqlite:{}", state.join("ooni.db").display());
        self.state = state;
    }

    /// Runs the program by a script of the shell, as `ulimit -f 100; exec "$0" "$@"`.
    pub fn use_shell(&mut self, script: &str) {
        script.clone_into(&mut self.shell);
    }

    /// Lets the fast clock start at a time, in microseconds since 1970.
    pub fn start_at(&mut self, micros: u64) {
        self.shows = micros;
    }

    /// A folder that is removed with the setup.
    pub fn folder(&self) -> &Path {
        self.root.path()
    }

    pub fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// The folder of the archive.
    pub fn archive(&self) -> PathBuf {
        self.archive.clone()
    }

    /// The URL of the store.
    pub fn store(&self) -> String {
        self.store.clone()
    }

    /// A command of the program with these settings.
    pub fn command(&self, arguments: &[&str], shift: i64) -> Command {
        let program = env!("CARGO_BIN_EXE_ooni-api");
        let mut command = match &*self.shell {
            "" => Command::new(program),
            script => {
                let mut command = Command::new("sh");
                command.args(["-c", script, program]);
                command
            }
        };
        let to = self.shows.checked_add_signed(shift).unwrap();
        command.args(arguments).arg("--config").arg(&self.config).arg("--state-dir").arg(self.state());
        command.env("OONI_TEST_CLOCK", format!("{}:{to}:{RATE}", self.from));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command of the program to its end.
    pub fn complete(&self, arguments: &[&str]) {
        let done = self.command(arguments, 0).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {}: {said}", done.status);
    }
}

/// The running program.
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts it, to be killed at a failpoint if one is named.
    pub fn start(setup: &Setup, failpoint: Option<&str>) -> Server {
        let mut command = setup.command(&["serve", "--listen", "127.0.0.1:0"], 0);
        if let Some(failpoint) = failpoint {
            command.env("OONI_API_FAILPOINT", failpoint);
        }
        Server::spawn(command, setup)
    }

    /// Starts it with a clock that is ahead by so many microseconds.
    pub fn start_shifted(setup: &Setup, shift: i64) -> Server {
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

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `GET /health` returns.
    pub fn health(&self) -> serde_json::Value {
        serde_json::from_slice(&self.get("/health")).unwrap()
    }

    /// Waits until the health is as wanted.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let begin = Instant::now();
        loop {
            let health = self.health();
            match is_so(&health) {
                true => return health,
                false if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                false => panic!("{what}: {health}: {}", self.log()),
            }
        }
    }

    /// Waits until everything is scored. The counters have to add up at any time.
    pub fn wait_until_scored(&self) -> serde_json::Value {
        self.wait_for("not scored", |health| {
            let of = |key: &str| health["scoring"][key].as_u64().unwrap();
            let done = of("stored") + of("discarded") + of("rejected") + of("refused") + of("damaged");
            assert_eq!(health["intake"]["accepted"], done + of("pending"), "{health}");
            of("pending") == 0
        })
    }

    /// Waits until everything is archived, as all hours that have measurements are over. Failed attempts may take their time.
    pub fn wait_until_archived(&self) {
        let begin = Instant::now();
        while self.health()["archive"]["pending"] != 0 {
            assert!(begin.elapsed() < 10 * PATIENCE, "not archived: {}: {}", self.health(), self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The measurement of a uid, as `raw_measurement` returns it.
    pub fn raw(&self, uid: &str) -> Vec<u8> {
        self.get(&format!("/api/v1/raw_measurement?measurement_uid={uid}"))
    }

    /// The body of a response.
    fn get(&self, path: &str) -> Vec<u8> {
        let text = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = request(self.address, text.as_bytes());
        answer.unwrap_or_else(|error| panic!("{error}: {}", self.log())).1
    }

    /// The end of what it has logged, without a line for each request.
    fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains("ooni_api::access")).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it was killed at its failpoint.
    pub fn wait_until_killed(mut self, point: &str) {
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
    pub fn stop(mut self) {
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
