//! Files of the local disk: paths as given, folders walked in name order.
//!
//! A folder is walked whatever its name; links to files are followed, links to folders only when given directly.

use super::{Found, Origin, Source};
use crate::can::{Form, Report};
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
    pub files: Vec<Found>,
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
                walked.files.push(stdin(Form::Sniffed));
            } else if path.is_dir() {
                walked.folder(path);
            } else {
                walked.file(path, form_of(path));
            }
        }
        walked
    }

    /// One file of cases; `-` is standard input.
    pub fn cases(path: &Path) -> Walked {
        let mut walked = Walked::default();
        if path.as_os_str() == "-" {
            walked.files.push(stdin(Form::Cases));
        } else {
            walked.file(path, Some(Form::Cases));
        }
        walked
    }

    fn file(&mut self, path: &Path, form: Option<Form>) {
        self.bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.files.push(found(path, form, None));
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
            match form_of(&path) {
                // Something that is no file, such as a pipe, could block for ever.
                Some(_) if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) => self.passed_over += 1,
                Some(Form::Index) => {}
                form @ Some(_) => self.file(&path, form),
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

fn form_of(path: &Path) -> Option<Form> {
    Form::of_name(&path.file_name()?.to_string_lossy())
}

fn stdin(form: Form) -> Found {
    let source = Arc::new(Source { name: "-".to_owned(), ..Source::default() });
    Found { source, origin: Origin::Stdin, form: Some(form), report: Report::default(), trouble: None }
}

fn found(path: &Path, form: Option<Form>, trouble: Option<Error>) -> Found {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| form == Some(Form::Single));
    let uid = stem.filter(|stem| uid::is_current(stem) || uid::is_trivial(stem)).map(str::to_owned);
    let source = Arc::new(Source { name: path.display().to_string(), uid, ..Source::default() });
    Found { source, origin: Origin::File(path.to_owned()), form, report: Report::of_path(path), trouble }
}
