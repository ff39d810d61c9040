//! A browser for tests of pages: the system's Chromium, driven by a script for Node.js, and axe-core, which is installed from npm
//! into `target/node` on first use.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/node");

/// axe-core, at the version that the tests were written for.
const AXE: &str = "axe-core@4.14.1";

/// Installs a package: `$0` is the folder, `$1` the package with its version.
const INSTALL: &str = r#"
    mkdir -p "$0"
    exec 9> "$0/lock"
    flock 9
    test -e "$0/installed-$1" && exit
    npm install --prefix "$0" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "$1" >&2
    touch "$0/installed-$1""#;

/// What is needed to run checks in a browser.
#[derive(Clone, Debug)]
pub struct Browser {
    chromium: PathBuf,
    axe: PathBuf,
}

impl Browser {
    /// Looks for Chromium and Node.js, and installs axe-core if it is missing.
    ///
    /// # Errors
    /// One of them is missing; the message says which.
    pub fn find() -> Result<Browser> {
        let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path);
        let chromium = chromium.context("chromium not found; install Chromium (on Debian: chromium)")?;
        on_path("node").context("node not found; install Node.js (on Debian: nodejs)")?;
        on_path("npm").context("npm not found; install npm (on Debian: npm)")?;
        let folder = PathBuf::from(FOLDER);
        let install =
            Command::new("sh").args(["-euc", INSTALL]).arg(&folder).arg(AXE).output().context("cannot run sh")?;
        if !install.status.success() {
            let log = String::from_utf8_lossy(&install.stderr);
            let reason = log.lines().find(|line| !line.trim().is_empty()).unwrap_or("npm printed no error");
            bail!("cannot install {AXE} from npm: {}", reason.trim());
        }
        Ok(Browser { chromium, axe: folder.join("node_modules/axe-core/axe.min.js") })
    }

    /// The command of a script for Node.js, with Chromium and axe-core as its first two arguments.
    pub fn script(&self, script: &Path) -> Command {
        let mut command = Command::new("node");
        command.arg(script).arg(&self.chromium).arg(&self.axe);
        command
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
