//! Python packages for tests, in virtual environments in `target/venv`, where they are installed once.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv");

/// Installs a package; other processes wait meanwhile. `$0` is the folder, `$1` what pip is asked for.
const INSTALL: &str = r#"
    mkdir -p "$0"
    exec 9> "$0/lock"
    flock 9
    test -e "$0/installed" || {
        python3 -m venv --clear "$0/python"
        "$0/python/bin/python" -m pip install -q "$1"
        touch "$0/installed"
    }"#;

/// A Python that has a package, `NAME==VERSION`.
///
/// # Errors
/// It cannot be installed.
pub fn python(package: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(FOLDER).join(package);
    let output = Command::new("sh").args(["-euc", INSTALL]).arg(&folder).arg(package).output().context("sh")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{package} cannot be installed with pip, is python3-venv there? {said}");
    Ok(folder.join("python/bin/python"))
}
