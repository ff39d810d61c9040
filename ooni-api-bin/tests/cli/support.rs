//! Runs the program.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Longer than anything takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The program, with no settings in the environment.
pub(crate) fn program<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ooni-api"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OONI_API_") {
            command.env_remove(name);
        }
    }
    command
}

/// Exit code, standard output and standard error.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: &[S]) -> (i32, String, String) {
    ran(program(arguments))
}

pub(crate) fn ran(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A server that is running.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    folder: PathBuf,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server on a free port, with its state in a folder.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Server {
        Server::with_variables(folder, arguments, &[])
    }

    pub(crate) fn with_variables(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        command.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
        // The machine of the tests may have little space.
        command.env("OONI_API_INTAKE_MIN_FREE_BYTES", "0").envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while log.read_line(&mut line).unwrap() > 0 && sender.send(std::mem::take(&mut line)).is_ok() {}
        });
        let mut server =
            Server { child, lines, folder: folder.to_owned(), address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        server.address = server.event("starting")["listen"].as_str().unwrap().parse().unwrap();
        server
    }

    /// Waits for an event of the log whose message starts with this.
    pub(crate) fn event(&self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(LIMIT).unwrap_or_else(|error| panic!("no {message:?}: {error}"));
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if event["message"].as_str().unwrap_or_default().starts_with(message) {
                return event;
            }
        }
    }

    /// The status, headers and body of a page.
    pub(crate) fn get(&self, path: &str) -> (u16, String, String) {
        get(self.address, path, "")
    }

    /// The metrics, by the generated password.
    pub(crate) fn metrics(&self) -> (u16, String, String) {
        let password = std::fs::read_to_string(self.folder.join("ooni-data/secrets/metrics_password")).unwrap();
        get(self.address, "/metrics", &format!("Authorization: Bearer {}\r\n", password.trim_end()))
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).2).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end and returns the exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Stops it as a service manager does, and returns the exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().unwrap();
    assert!(status.success());
}

/// The status, headers and body of a page.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}
