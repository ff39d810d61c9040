//! How far a reader has come, in a file: `cursor-NAME.json`.
//!
//! A reader commits its cursor after its own work is durable. Its counters are in the same file, so that they are those of
//! the position. The file is replaced as a whole: written under a temporary name, synced, renamed.

use super::error::Error;
use super::reader::Position;
use crate::failpoint::{Failpoint, reach};
use ooni_store::files::sync_folder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;

/// A position in the log and the state that belongs to it, such as counters.
#[derive(Debug)]
pub struct Cursor<T> {
    path: PathBuf,
    saved: Saved<T>,
    /// A commit whose future was dropped.
    running: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved<T> {
    position: Position,
    state: T,
}

impl<T: Default + Serialize + DeserializeOwned> Cursor<T> {
    /// Reads a cursor; a new one is at the beginning of the log. This blocks for a moment.
    ///
    /// # Errors
    /// The file cannot be read, or it is not a cursor.
    pub fn open(directory: &Path, name: &str) -> Result<Cursor<T>, Error> {
        let path = directory.join(format!("cursor-{name}.json"));
        let saved = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| Error::Cursor { path: path.clone(), reason: error.to_string() })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Saved::default(),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        Ok(Cursor { path, saved, running: None })
    }

    /// The position of the last commit.
    pub fn position(&self) -> Position {
        self.saved.position
    }

    /// The state of the last commit.
    pub fn state(&self) -> &T {
        &self.saved.state
    }

    /// Moves the cursor. When this returns, position and state are durable.
    ///
    /// # Errors
    /// The file cannot be written. Either the old or the new cursor is on the disk; `position` and `state` are the old ones.
    pub async fn commit(&mut self, position: Position, state: T) -> Result<(), Error> {
        let saved = Saved { position, state };
        let text = serde_json::to_vec(&saved)
            .map_err(|error| Error::Cursor { path: self.path.clone(), reason: error.to_string() })?;
        if let Some(running) = &mut self.running {
            let _ = running.await;
        }
        let path = self.path.clone();
        let running = self.running.insert(tokio::task::spawn_blocking(move || replace(&path, &text)));
        let written = running.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.running = None;
        written.map_err(|error| Error::io("write", &self.path, error))?;
        self.saved = saved;
        Ok(())
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("json.tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    reach(Failpoint::CursorWritten);
    std::fs::rename(&temporary, path)?;
    reach(Failpoint::CursorRenamed);
    sync_folder(path)
}

/// The last position of all cursors in a directory. Cursors that cannot be read are left to those who open them.
pub(crate) fn last_position(directory: &Path) -> io::Result<Position> {
    #[derive(Deserialize)]
    struct Any {
        position: Position,
    }
    let mut last = Position::default();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_cursor = name.to_str().is_some_and(|name| name.starts_with("cursor-") && name.ends_with(".json"));
        let text = if is_cursor { std::fs::read(entry.path())? } else { continue };
        if let Ok(Any { position }) = serde_json::from_slice(&text) {
            last = last.max(position);
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cursor_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::<Vec<u64>>::open(directory.path(), "score").unwrap();
        assert_eq!((cursor.position(), cursor.state()), (Position::default(), &Vec::new()));
        let position = Position { sequence: 7, received: Timestamp::from_micros(9) };
        cursor.commit(position, vec![3, 4]).await.unwrap();
        assert_eq!((cursor.position(), cursor.state()), (position, &vec![3, 4]));
        let again = Cursor::<Vec<u64>>::open(directory.path(), "score").unwrap();
        assert_eq!((again.position(), again.state()), (position, &vec![3, 4]));
        let other = Cursor::<Vec<u64>>::open(directory.path(), "archive").unwrap();
        assert_eq!(other.position(), Position::default());
        assert_eq!(last_position(directory.path()).unwrap(), position);
    }

    #[tokio::test]
    async fn a_damaged_cursor_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cursor-score.json"), "{\"position\": 7").unwrap();
        let error = Cursor::<u64>::open(directory.path(), "score").unwrap_err();
        assert!(error.to_string().contains("cursor-score.json is not a cursor"), "{error}");
        assert_eq!(last_position(directory.path()).unwrap(), Position::default());
    }

    #[tokio::test]
    async fn a_failed_commit_leaves_the_old_cursor() {
        let directory = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::<u64>::open(directory.path(), "score").unwrap();
        std::fs::create_dir(directory.path().join("cursor-score.json.tmp")).unwrap();
        cursor.commit(Position { sequence: 1, ..Position::default() }, 1).await.unwrap_err();
        assert_eq!((cursor.position().sequence, *cursor.state()), (0, 0));
        std::fs::remove_dir(directory.path().join("cursor-score.json.tmp")).unwrap();
        cursor.commit(Position { sequence: 2, ..Position::default() }, 2).await.unwrap();
        assert_eq!((cursor.position().sequence, *cursor.state()), (2, 2));
    }

    use crate::clock::Timestamp;
}
