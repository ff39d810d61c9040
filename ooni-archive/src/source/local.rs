//! [`FileList`]: files of the local disk, in the order of the given paths and of names in folders.
//!
//! Links are followed; a folder that is reachable several times is read once. Of a postcan and the JSONL file of the same
//! stem, which have the same measurements, only the postcan is read, as in a rerun; the JSONL file is its [`Twin`].

use super::input_file::{InputFile, Origin, Source, Twin};
use crate::can::{CanName, Expected, Format};
use ooni_core::error::{Code, Error};
use ooni_core::uid;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The files to read.
#[derive(Debug, Default)]
pub struct FileList {
    /// The files, in order.
    pub files: Vec<InputFile>,
    /// Files in folders that are skipped because of their names.
    pub skipped: u64,
    /// JSONL files that are skipped because the postcan of the same stem is read.
    pub twins: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Paths that do not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound(pub Vec<MissingPath>);

/// A path that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPath {
    /// The path as given.
    pub path: PathBuf,
    /// A similar name in the same folder.
    pub nearest: Option<String>,
}

impl FileList {
    /// Finds the files of these paths; `-` is standard input. `format` overrides what names and bytes say.
    ///
    /// # Errors
    /// The paths that do not exist.
    pub fn find(paths: &[PathBuf], format: Option<Format>) -> Result<FileList, NotFound> {
        let mut finder = Finder { list: FileList::default(), format, folders: HashSet::new() };
        let mut missing = Vec::new();
        for path in paths {
            if path.as_os_str() == "-" {
                finder.list.files.push(stdin(format.map_or(Expected::STDIN, Expected::Exactly)));
                continue;
            }
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => finder.walk(path, &metadata),
                Ok(metadata) => finder.file(path, Some(&metadata)),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    missing.push(MissingPath::new(path));
                }
                // Reported when the file is opened.
                Err(_) => finder.file(path, None),
            }
        }
        if missing.is_empty() { Ok(finder.list.without_twins()) } else { Err(NotFound(missing)) }
    }

    /// One file of cases; `-` is standard input.
    ///
    /// # Errors
    /// The path does not exist.
    pub fn cases(path: &Path) -> Result<FileList, NotFound> {
        FileList::find(&[path.to_owned()], Some(Format::Cases))
    }

    /// Removes JSONL files whose postcan is read.
    fn without_twins(mut self) -> FileList {
        let path = |file: &InputFile| match &file.origin {
            Origin::File(path) => Some(path.clone()),
            Origin::Stdin | Origin::Kept(..) => None,
        };
        let postcans: HashSet<PathBuf> = self.files.iter().filter_map(path).filter(|path| is_postcan(path)).collect();
        let (mut twins, mut bytes) = (0, 0);
        if !postcans.is_empty() {
            self.files.retain(|file| match path(file) {
                Some(lines) if !is_postcan(&lines) && twins_of(&lines).iter().any(|twin| postcans.contains(twin)) => {
                    twins += 1;
                    bytes += fs::metadata(lines).map_or(0, |metadata| metadata.len());
                    false
                }
                _ => true,
            });
        }
        self.twins += twins;
        self.bytes = self.bytes.saturating_sub(bytes);
        self
    }
}

impl MissingPath {
    fn new(path: &Path) -> MissingPath {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let names = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_NAMES);
        let names: Vec<_> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let most = (name.chars().count() / 4).max(1);
        let distances = names.into_iter().map(|other| (strsim::damerau_levenshtein(&name, &other), other));
        // A link whose target does not exist has its own name as the nearest.
        let nearest = distances.min().filter(|(distance, _)| (1..=most).contains(distance)).map(|(_, name)| name);
        MissingPath { path: path.to_owned(), nearest }
    }
}

impl fmt::Display for MissingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: does not exist", self.path.display())?;
        self.nearest.as_ref().map_or(Ok(()), |name| write!(f, "; did you mean {name}?"))
    }
}

impl fmt::Display for NotFound {
    /// A line per path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, path) in self.0.iter().enumerate() {
            write!(f, "{}{path}", if number > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for NotFound {}

/// Maximum number of names in a folder that a mistyped one is compared with.
const MOST_NAMES: usize = 10_000;

struct Finder {
    list: FileList,
    format: Option<Format>,
    /// Folders that have been entered.
    folders: HashSet<FolderId>,
}

impl Finder {
    fn file(&mut self, path: &Path, metadata: Option<&Metadata>) {
        self.list.bytes = self.list.bytes.saturating_add(metadata.map_or(0, Metadata::len));
        let expected = self.format.map_or_else(|| expected(path), Expected::Exactly);
        let file = found(path, expected, None);
        self.list.files.push(InputFile { twin: self.format.is_none().then(|| twin(path)).flatten(), ..file });
    }

    fn walk(&mut self, root: &Path, metadata: &Metadata) {
        let mut open = vec![self.enter(root, metadata)];
        while let Some(entries) = open.last_mut() {
            let Some(path) = entries.pop() else {
                open.pop();
                continue;
            };
            let expected = expected(&path);
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => open.push(self.enter(&path, &metadata)),
                _ if expected.format() == Some(Format::Index) => {}
                // Other kinds of files, such as pipes, could block forever.
                Ok(metadata) if !metadata.is_file() => self.list.skipped += 1,
                Ok(metadata) if expected != Expected::Unknown => self.file(&path, Some(&metadata)),
                Ok(_) => self.list.skipped += 1,
                Err(_) if expected != Expected::Unknown => self.file(&path, None),
                // For example, a link to a disk that is not mounted.
                Err(error) if fs::symlink_metadata(&path).is_ok() => {
                    self.unreadable(&path, &format!("the link cannot be followed: {error}"));
                }
                Err(_) => {} // removed meanwhile
            }
        }
    }

    /// The paths in a folder in reverse order; none if it was entered before.
    fn enter(&mut self, folder: &Path, metadata: &Metadata) -> Vec<PathBuf> {
        if !self.folders.insert(folder_id(folder, metadata)) {
            return Vec::new();
        }
        let paths: io::Result<Vec<_>> =
            fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut paths = paths.unwrap_or_else(|error| {
            self.unreadable(folder, &format!("the folder cannot be listed: {error}"));
            Vec::new()
        });
        paths.sort_unstable_by(|a, b| b.cmp(a));
        paths
    }

    fn unreadable(&mut self, path: &Path, why: &str) {
        self.list.files.push(found(path, Expected::Unknown, Some(Error::new(Code::Can, "", why))));
    }
}

/// Identifies a folder independently of its path.
#[cfg(unix)]
type FolderId = (u64, u64);

#[cfg(unix)]
fn folder_id(_: &Path, metadata: &Metadata) -> FolderId {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
type FolderId = PathBuf;

#[cfg(not(unix))]
fn folder_id(folder: &Path, _: &Metadata) -> FolderId {
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

fn expected(path: &Path) -> Expected {
    path.file_name().map_or(Expected::Unknown, |name| Expected::of_name(&name.to_string_lossy()))
}

const POSTCANS: [&str; 2] = [".tar.gz", ".tar"];
const LINES: [&str; 2] = [".jsonl.gz", ".jsonl"];

fn is_postcan(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| POSTCANS.iter().any(|suffix| name.ends_with(suffix)))
}

/// The paths that a file with the same measurements may have.
fn twins_of(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return Vec::new() };
    let with = |own: [&str; 2], others: [&str; 2]| {
        let stem = own.into_iter().find_map(|suffix| name.strip_suffix(suffix));
        stem.into_iter()
            .flat_map(move |stem| others.map(|suffix| path.with_file_name(format!("{stem}{suffix}"))))
            .collect::<Vec<_>>()
    };
    [with(POSTCANS, LINES), with(LINES, POSTCANS)].concat()
}

fn twin(path: &Path) -> Option<Twin> {
    let twins = twins_of(path);
    (!twins.is_empty()).then(|| {
        Box::new(move || {
            let path = twins.into_iter().find(|path| path.is_file())?;
            Some((path.display().to_string(), Origin::File(path)))
        }) as Twin
    })
}

fn stdin(expected: Expected) -> InputFile {
    let source = Source { name: "-".to_owned(), ..Source::default() };
    InputFile { source, origin: Origin::Stdin, expected, can_name: CanName::default(), error: None, twin: None }
}

fn found(path: &Path, expected: Expected, error: Option<Error>) -> InputFile {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let stem =
        [".gz", ".json", ".post"].into_iter().fold(name, |name, suffix| name.strip_suffix(suffix).unwrap_or(name));
    let stem = Some(stem).filter(|_| expected.format() == Some(Format::Document));
    let uid = stem.filter(|stem| uid::is_current(stem) || uid::is_trivial(stem)).map(str::to_owned);
    let source = Source { name: path.display().to_string(), uid, ..Source::default() };
    let can_name = CanName::of_path(path);
    InputFile { source, origin: Origin::File(path.to_owned()), expected, can_name, error, twin: None }
}
