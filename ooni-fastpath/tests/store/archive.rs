//! An archive for commands that write to stores, and the initial content of the stores.

use crate::commands::{content, done};
use crate::files::{GOOD, ROOT, gzip, member, post, tar};
use crate::support::{Engine, InFile};
use ooni_testkit::corpus::Options;
use ooni_testkit::corpus::archive::{Archive, write};
use ooni_testkit::corpus::containers::Packing;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

const OPENVPN: &str = "ooni-core/tests/fixtures/measurements/openvpn--fastpath--openvpn.json";

/// The archive, and stores with initial content.
pub(crate) struct Bench {
    /// A store with only test lists.
    pub(crate) empty: InFile,
    /// A store that also has rows by other rules.
    pub(crate) rows: InFile,
    folder: TempDir,
}

pub(crate) static BENCH: LazyLock<Bench> = LazyLock::new(Bench::new);

impl Bench {
    fn new() -> Bench {
        let bench = Bench { empty: InFile::new(), rows: InFile::new(), folder: TempDir::new().unwrap() };
        let options = Options { n: 120, seed: 5, malformed: 0.05, odd: 0.08, per_hour: 30, ..Options::default() };
        let packing = Packing { per_file: 40, level: 1, ..Packing::default() };
        write(&options, &Archive { per_day: 30, duplicates: 0.1 }, &packing, &bench.path("archive")).unwrap();
        // A row of obs_openvpn, which the corpus lacks, and a refused row.
        let vpn = fs::read_to_string(format!("{ROOT}/{OPENVPN}")).unwrap();
        let can = bench.path("archive/raw/20201015/03/RO/openvpn/2020101503_RO_openvpn.n1.0.tar.gz");
        fs::create_dir_all(can.parent().unwrap()).unwrap();
        let refused = GOOD.replacen('{', "{\"test_version\":5,", 1);
        fs::write(can, gzip(&tar(&[(&member(1), &post(&vpn)), (&member(2), &post(&refused))]))).unwrap();
        bench.done(&bench.rows, &["rerun", "--rules", "compat"]);
        let inputs = "SELECT DISTINCT input FROM fastpath WHERE input LIKE 'http%' ORDER BY input";
        let inputs = bench.rows.query(inputs).concat();
        assert!(inputs.len() > 20);
        bench.list("lists/global.csv", &inputs[..15], "NEWS");
        bench.list("lists/it.csv", &inputs[10..20], "HUMR");
        bench.list("others/global.csv", &inputs[5..], "NEWS");
        for store in [&bench.rows, &bench.empty] {
            done(&["migrate", "--db-uri", &store.url()]);
            bench.done(store, &["store", "load-test-lists", bench.path("lists").to_str().unwrap()]);
        }
        for (table, least) in [("fastpath", 80), ("jsonl", 80), ("obs_openvpn", 1), ("refused", 1), ("rejected", 1)] {
            let rows = bench.rows.table(table).len();
            assert!(rows >= least, "{rows} rows in {table}");
        }
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn list(&self, name: &str, inputs: &[String], category: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lines = inputs.iter().map(|input| format!("\"{}\",{category}\n", input.replace('"', "\"\"")));
        fs::write(path, format!("url,category_code\n{}", lines.collect::<String>())).unwrap();
    }

    /// Runs a command on a store.
    pub(crate) fn run(&self, store: &dyn Engine, arguments: &[&str], failpoint: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
        // The folder for journals of reruns into stores on servers.
        command.current_dir(self.folder.path()).args(arguments);
        // The store that a copy writes to is its last argument.
        if !arguments.starts_with(&["store", "copy"]) {
            command.arg("--db-uri");
        }
        command.arg(store.url());
        if arguments[0] == "rerun" {
            command.arg("--source").arg(self.path("archive"));
            command.args(["--start-day", "2010-01-01", "--end-day", "2021-01-01", "--jobs", "1"]);
            // A killed rerun is started again; otherwise there is nothing to discard.
            command.arg("--restart");
        }
        command.env("FASTPATH_CHECKPOINTS", "1");
        match failpoint {
            Some(point) => command.env("FASTPATH_FAILPOINT", point),
            None => command.env_remove("FASTPATH_FAILPOINT"),
        };
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command to its end. A part of the archive is damaged on purpose.
    pub(crate) fn done(&self, store: &dyn Engine, arguments: &[&str]) {
        let output = self.run(store, arguments, None);
        let expected: &[i32] = match arguments {
            ["rerun", ..] => &[1],
            // If it was killed after its commit and repeated, nothing is left to remove.
            ["store", "restore", ..] => &[0, 1],
            _ => &[0],
        };
        let (code, stderr) = (output.status.code(), String::from_utf8_lossy(&output.stderr));
        assert!(code.is_some_and(|code| expected.contains(&code)), "{arguments:?}: {code:?}: {stderr}");
    }
}

/// A store of an engine with the content of another store.
pub(crate) fn filled(new: fn() -> Box<dyn Engine>, from: &InFile) -> Box<dyn Engine> {
    let store = new();
    done(&["migrate", "--db-uri", &store.url()]);
    done(&["store", "copy", &from.url(), &store.url()]);
    store
}

/// The result of a rerun does not depend on the engine of the store.
pub(crate) fn a_rerun_fills(new: fn() -> Box<dyn Engine>) {
    let (store, in_file) = (filled(new, &BENCH.empty), InFile::new());
    fs::create_dir_all(in_file.path.parent().unwrap()).unwrap();
    fs::copy(&BENCH.empty.path, &in_file.path).unwrap();
    // The rules `fixed` also give rows to POST bodies that the reference's rerun skips.
    let compat = &["rerun", "--rules", "compat"][..];
    for (number, arguments) in [compat, compat, &["rerun", "--update"]].into_iter().enumerate() {
        let before = content(&store.open());
        BENCH.done(&*store, arguments);
        BENCH.done(&in_file, arguments);
        let after = content(&store.open());
        // The same rerun changes nothing.
        assert_eq!(before == after, number == 1, "{arguments:?}");
        assert!(after == content(&in_file.open()), "{arguments:?}: the stores differ");
        done(&["compare", &store.url(), &in_file.url()]);
        done(&["rollup", "check", "--db-uri", &store.url()]);
    }
    assert!(store.open().count().unwrap() > 80);
}

/// Two runs of different days fill a store at once, as on two machines. The result is that of one run.
pub(crate) fn two_runs_fill(new: fn() -> Box<dyn Engine>) {
    let whole = InFile::new();
    done(&["migrate", "--db-uri", &whole.url()]);
    BENCH.done(&whole, &["rerun"]);
    for more in [&[][..], &["--bulk"]] {
        let store = new();
        done(&["migrate", "--db-uri", &store.url()]);
        let folder = TempDir::new().unwrap();
        let days = [["2010-01-01", "2020-10-21"], ["2020-10-21", "2021-01-01"]];
        let runs = days.map(|[start, end]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
            command.args(["rerun", "--start-day", start, "--end-day", end, "--db-uri", &store.url()]).args(more);
            command.arg("--source").arg(BENCH.path("archive"));
            command.arg("--journal").arg(folder.path().join(start)).stdin(Stdio::null()).stderr(Stdio::piped());
            command.spawn().unwrap()
        });
        for (run, [start, _]) in runs.into_iter().zip(days) {
            let ran = run.wait_with_output().unwrap();
            // A part of the archive is damaged on purpose.
            assert_eq!(ran.status.code(), Some(1), "{more:?} {start}: {}", String::from_utf8_lossy(&ran.stderr));
            assert!(folder.path().join(start).exists(), "the journal of {start}");
        }
        assert!(content(&store.open()) == content(&whole.open()), "{more:?}: the stores differ");
        done(&["compare", &store.url(), &whole.url()]);
        done(&["rollup", "check", "--db-uri", &store.url()]);
    }
}
