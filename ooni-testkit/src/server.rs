//! Database servers for tests and benches, in temporary directories. They end with the process that started them.

use crate::python;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

/// Starts the server of Debian's package. `$0` is its port, the rest are settings.
const POSTGRES: &str = r#"
    PATH=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | sort -V | tail -n 1):$PATH
    folder=$(mktemp -d)
    initdb -D "$folder" -U test -A trust -N --no-instructions -E UTF8 --locale=C.UTF-8 > /dev/null
    postgres -D "$folder" -h 127.0.0.1 -p "$0" -c unix_socket_directories= -c max_connections=200 "$@" &
    trap "kill -INT $!" TERM INT
    wait $! || wait $! || true
    rm -rf "$folder""#;

/// What it says when it can be used.
const POSTGRES_IS_READY: &str = "database system is ready to accept connections";

/// Starts ClickHouse's engine. `$0` is the port, the others are a Python that has it, and the program.
const CLICKHOUSE: &str = r#"
    folder=$(mktemp -d)
    cd "$folder"
    HOME=$folder "$1" "$2" "$0" "$folder" &
    trap "kill $!" TERM INT
    wait $! || true
    rm -rf "$folder""#;

/// What it says when it can be used.
const CLICKHOUSE_IS_READY: &str = "ready for connections";

/// The program, which speaks its protocol.
const CLICKHOUSE_SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clickhouse_server.py");

/// Its engine, which `OONI_CHDB_PYTHON` may name a Python that has.
const CHDB: &str = "chdb==4.4.0";

/// A server.
#[derive(Debug)]
pub struct Server {
    /// On 127.0.0.1.
    pub port: u16,
}

impl Server {
    /// Starts PostgreSQL. If it `is_durable`, it syncs what it commits, as it does where nothing else is said.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn postgres(is_durable: bool) -> Result<Server> {
        let settings: &[&str] = match is_durable {
            true => &["-c", "shared_buffers=2GB", "-c", "max_wal_size=8GB"],
            false => &["-F", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"],
        };
        Server::start(POSTGRES, settings, POSTGRES_IS_READY)
            .context("PostgreSQL does not start: are the packages postgresql and util-linux installed?")
    }

    /// The URL of a database on PostgreSQL.
    pub fn postgres_url(&self, database: &str) -> String {
        format!("postgres://test@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts the engine of ClickHouse, behind its protocol.
    ///
    /// # Errors
    /// It cannot be installed, or does not start.
    pub fn clickhouse() -> Result<Server> {
        Server::start(CLICKHOUSE, &[&chdb()?, CLICKHOUSE_SERVER], CLICKHOUSE_IS_READY)
            .context("the engine of ClickHouse does not start: are python3-venv and util-linux installed?")
    }

    /// The URL of a database on ClickHouse.
    pub fn clickhouse_url(&self, database: &str) -> String {
        format!("clickhouse://test@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs a script, which gets a port and settings, until it says that it `is_ready`.
    fn start(script: &str, settings: &[&str], is_ready: &'static str) -> Result<Server> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("setpriv");
        // PostgreSQL runs as a user without rights alone; who owns a venv may be the only one to read it.
        if script == POSTGRES && Command::new("id").arg("-u").output().context("id")?.stdout == b"0\n" {
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
        }
        command.args(["--pdeathsig", "TERM", "sh", "-euc", script]).arg(port.to_string()).args(settings);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (said, says) = channel();
        // The signal comes when the thread ends that started the server, so this one lasts as long as the process.
        thread::spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(said.send(error.to_string())),
            };
            // What it says later has to be read too, or it would wait.
            for line in child.stderr.take().into_iter().flat_map(|log| BufReader::new(log).lines()) {
                let _ = said.send(line.unwrap_or_default());
            }
            let _ = child.wait();
        });
        let mut log = Vec::new();
        while let Ok(line) = says.recv() {
            if line.contains(is_ready) {
                return Ok(Server { port });
            }
            log.push(line);
        }
        bail!("{}", log.join("\n"))
    }
}

/// A Python that has ClickHouse's engine.
fn chdb() -> Result<String> {
    match std::env::var("OONI_CHDB_PYTHON") {
        Ok(python) => Ok(python),
        Err(_) => Ok(python::python(CHDB)?.display().to_string()),
    }
}
