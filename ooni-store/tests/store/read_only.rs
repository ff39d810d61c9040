//! SQLite stores in read-only folders, as on a read-only disk or in the folder of another user.
//!
//! Root can write everywhere, so a child process that is not root reads the store.

use crate::support::{Engine, InFile, Open, open, open_to_read, sound, uids};
use ooni_store::OnExisting;
use ooni_store::query::filter::Filter;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The user of the child process if the test runs as root.
const NOBODY: u32 = 65_534;

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn beside(engine: &InFile, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", engine.path.display()))
}

/// Makes the folder of a store read-only or writable.
fn set_writable(engine: &InFile, is_writable: bool) {
    let folder = engine.path.parent().unwrap();
    folder.ancestors().skip(1).take(2).for_each(|above| allow(above, 0o755));
    for file in fs::read_dir(folder).unwrap() {
        allow(&file.unwrap().path(), if is_writable { 0o644 } else { 0o444 });
    }
    allow(folder, if is_writable { 0o755 } else { 0o555 });
}

/// A child process that runs [`reader`] and is not root.
struct Reader {
    process: Child,
    output: Box<dyn Iterator<Item = String>>,
}

impl Reader {
    fn start(engine: &InFile) -> Reader {
        // The path of the program may not be accessible to another user.
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
        let output = lines.filter_map(|line| Some(line.unwrap().split_once("reader: ")?.1.to_owned()));
        Reader { process, output: Box::new(output) }
    }

    /// The next line of its output.
    fn line(&mut self) -> String {
        self.output.next().unwrap()
    }

    /// Makes it read the store again.
    fn again(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"again\n").unwrap();
    }

    fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

/// The child process: reads a store once, and again for each line of input, and prints what it found.
#[test]
#[ignore = "a child process of other tests"]
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
fn a_store_in_a_read_only_folder_is_read() {
    let engine = InFile::new();
    engine.open().write(&sound([1, 2]), OnExisting::Keep).unwrap();
    set_writable(&engine, false);
    let mut reader = Reader::start(&engine);
    assert_eq!(reader.line(), "2 2 true 2");

    // It detects a change by another process, which it does not support.
    set_writable(&engine, true);
    engine.open().write(&sound([3]), OnExisting::Keep).unwrap();
    set_writable(&engine, false);
    reader.again();
    let said = reader.line();
    assert!(said.ends_with("open it again"), "{said}");
    reader.end();

    let mut reader = Reader::start(&engine);
    assert_eq!(reader.line(), "3 3 true 3");
    drop(reader.process.stdin.take());
    let said = reader.line();
    assert!(said.starts_with("to write: it or its folder is read-only"), "{said}");
    reader.end();
    let folder = fs::read_dir(engine.path.parent().unwrap()).unwrap();
    assert_eq!(folder.count(), 1, "no other file was created");
    set_writable(&engine, true);
}

#[test]
fn an_unreadable_log_is_an_error_with_advice() {
    let engine = InFile::new();
    let writer = engine.open();
    writer.write(&sound([1]), OnExisting::Keep).unwrap();
    // A copy of both files, as a killed process would leave them.
    let copy = InFile::new();
    fs::create_dir_all(copy.path.parent().unwrap()).unwrap();
    fs::copy(&engine.path, &copy.path).unwrap();
    fs::copy(beside(&engine, "-wal"), beside(&copy, "-wal")).unwrap();
    set_writable(&copy, false);
    let mut reader = Reader::start(&copy);
    let said = reader.line();
    assert!(said.contains("open it once where it can be written"), "{said}");
    reader.end();
    set_writable(&copy, true);
    assert_eq!(uids(&open_to_read(&copy.url()).unwrap()), ["u000001"]);
}
