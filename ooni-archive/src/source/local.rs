//! Files of the local disk: paths as given, folders walked in name order.
//!
//! A folder is walked whatever its name; links to files are followed, links to folders only when given directly.

use super::{InputFile, Origin, Source};
use crate::can::{Format, Report};
use ooni_core::error::{Code, Error};
use ooni_core::uid;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What there is to read.
#[derive(Debug, Default)]
pub struct Walked {
    /// The files, in order.
    pub files: Vec<InputFile>,
    /// Files in folders that are passed over because of their names.
    pub passed_over: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Walked {
    /// Finds the files of these paths; `-` is standard input.
    pub fn paths(paths: &[PathBuf]) -> Walked {
        let mut walked = Walked::default();
        for path in paths {
            if path.as_os_str() == "-" {
                walked.files.push(stdin(Format::Sniffed));
            } else if path.is_dir() {
                walked.folder(path);
            } else {
                walked.file(path, format_of(path));
            }
        }
        walked
    }

    /// One file of cases; `-` is standard input.
    pub fn cases(path: &Path) -> Walked {
        let mut walked = Walked::default();
        if path.as_os_str() == "-" {
            walked.files.push(stdin(Format::Cases));
        } else {
            walked.file(path, Some(Format::Cases));
        }
        walked
    }

    fn file(&mut self, path: &Path, format: Option<Format>) {
        self.bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.files.push(found(path, format, None));
    }

    fn folder(&mut self, root: &Path) {
        let mut open = vec![self.list(root)];
        while let Some(entries) = open.last_mut() {
            let Some((path, is_folder)) = entries.pop() else {
                open.pop();
                continue;
            };
            if is_folder {
                open.push(self.list(&path));
                continue;
            }
            match format_of(&path) {
                // Something that is no file, such as a pipe, could block for ever.
                Some(_) if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) => self.passed_over += 1,
                Some(Format::Index) => {}
                format @ Some(_) => self.file(&path, format),
                None => self.passed_over += 1,
            }
        }
    }

    /// The entries of a folder, the last name first, and whether they are folders themselves.
    fn list(&mut self, folder: &Path) -> Vec<(PathBuf, bool)> {
        let entries = fs::read_dir(folder).and_then(|entries| {
            entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir())))).collect()
        });
        let mut entries: Vec<_> = entries.unwrap_or_else(|error: io::Error| {
            let trouble = Error::new(Code::Can, "", format!("the folder cannot be listed: {error}"));
            self.files.push(found(folder, None, Some(trouble)));
            Vec::new()
        });
        entries.sort_unstable_by(|a, b| b.cmp(a));
        entries
    }
}

fn format_of(path: &Path) -> Option<Format> {
    Format::of_name(&path.file_name()?.to_string_lossy())
}

fn stdin(format: Format) -> InputFile {
    let source = Arc::new(Source { name: "-".to_owned(), ..Source::default() });
    InputFile { source, origin: Origin::Stdin, format: Some(format), report: Report::default(), trouble: None }
}

fn found(path: &Path, format: Option<Format>, trouble: Option<Error>) -> InputFile {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| format == Some(Format::Single));
    let uid = stem.filter(|stem| uid::is_current(stem) || uid::is_trivial(stem)).map(str::to_owned);
    let source = Arc::new(Source { name: path.display().to_string(), uid, ..Source::default() });
    InputFile { source, origin: Origin::File(path.to_owned()), format, report: Report::of_path(path), trouble }
}
