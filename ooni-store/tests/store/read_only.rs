//! SQLite stores in folders that cannot be written: a read-only disk, or the folder of another user.
//!
//! Root may write everywhere, so a store is read by another process, which is not root.

use crate::support::{Engine, InFile, Open, open, open_to_read, sound, uids};
use ooni_store::OnExisting;
use ooni_store::query::filter::Filter;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The user as whom root reads.
const NOBODY: u32 = 65_534;

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn beside(engine: &InFile, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", engine.path.display()))
}

/// Makes the folder of a store one that can only be read, or one that can be written again.
fn set_writable(engine: &InFile, is_writable: bool) {
    let folder = engine.path.parent().unwrap();
    folder.ancestors().skip(1).take(2).for_each(|above| allow(above, 0o755));
    for file in fs::read_dir(folder).unwrap() {
        allow(&file.unwrap().path(), if is_writable { 0o644 } else { 0o444 });
    }
    allow(folder, if is_writable { 0o755 } else { 0o555 });
}

/// Does what [`reader`] does in another process, which is not root.
struct Reader {
    process: Child,
    said: Box<dyn Iterator<Item = String>>,
}

impl Reader {
    fn start(engine: &InFile) -> Reader {
        // By its path it may be out of reach for another user.
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["--exact", "read_only::reader", "--ignored", "--nocapture", "--test-threads", "1"])
            .env("STORE", engine.url())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = lines.filter_map(|line| Some(line.unwrap().split_once("reader: ")?.1.to_owned()));
        Reader { process, said: Box::new(said) }
    }

    fn says(&mut self) -> String {
        self.said.next().unwrap()
    }

    /// Has it read again.
    fn again(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"again\n").unwrap();
    }

    fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

/// Reads a store, as often as a line says so, and tells what it found.
#[test]
#[ignore = "a process for other tests"]
fn reader() {
    let url = std::env::var("STORE").unwrap();
    match open_to_read(&url) {
        Err(error) => println!("reader: {}", error.message()),
        Ok(store) => {
            println!("reader: {}", everything(&store).unwrap_or_else(|error| error.message().to_owned()));
            for _ in std::io::stdin().lines() {
                println!("reader: {}", everything(&store).unwrap_or_else(|error| error.message().to_owned()));
            }
        }
    }
    if let Err(error) = open(&url) {
        println!("reader: to write: {}", error.message());
    }
}

fn everything(Open(waiting): &Open) -> Result<String, ooni_store::Error> {
    let rows = waiting.rows().collect::<Result<Vec<_>, _>>()?.len();
    let slice = waiting.slice(Filter::default()).collect::<Result<Vec<_>, _>>()?.len();
    let found = waiting.wait(waiting.store.find("u000001"))?.is_some();
    let (_, stored) = waiting.wait(waiting.store.stats())?.tables[0];
    Ok(format!("{rows} {slice} {found} {stored}"))
}

#[test]
fn a_store_is_read_where_nothing_can_be_written() {
    let engine = InFile::new();
    engine.open().write(&sound([1, 2]), OnExisting::Keep).unwrap();
    set_writable(&engine, false);
    let mut reader = Reader::start(&engine);
    assert_eq!(reader.says(), "2 2 true 2");

    // A change by another process, which it cannot follow, is noticed.
    set_writable(&engine, true);
    engine.open().write(&sound([3]), OnExisting::Keep).unwrap();
    set_writable(&engine, false);
    reader.again();
    let said = reader.says();
    assert!(said.ends_with("open it again"), "{said}");
    reader.end();

    let mut reader = Reader::start(&engine);
    assert_eq!(reader.says(), "3 3 true 3");
    drop(reader.process.stdin.take());
    let said = reader.says();
    assert!(said.starts_with("to write: it or its folder is read-only"), "{said}");
    reader.end();
    let folder = fs::read_dir(engine.path.parent().unwrap()).unwrap();
    assert_eq!(folder.count(), 1, "nothing is left behind");
    set_writable(&engine, true);
}

#[test]
fn a_log_that_cannot_be_read_is_an_error_that_says_what_to_do() {
    let engine = InFile::new();
    let writer = engine.open();
    writer.write(&sound([1]), OnExisting::Keep).unwrap();
    // A copy of both files, as a killed process leaves them.
    let copy = InFile::new();
    fs::create_dir_all(copy.path.parent().unwrap()).unwrap();
    fs::copy(&engine.path, &copy.path).unwrap();
    fs::copy(beside(&engine, "-wal"), beside(&copy, "-wal")).unwrap();
    set_writable(&copy, false);
    let mut reader = Reader::start(&copy);
    let said = reader.says();
    assert!(said.contains("open it once where it can be written"), "{said}");
    reader.end();
    set_writable(&copy, true);
    assert_eq!(uids(&open_to_read(&copy.url()).unwrap()), ["u000001"]);
}
