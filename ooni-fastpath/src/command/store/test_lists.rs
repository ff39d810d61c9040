//! `fastpath store load-test-lists`.

use super::change;
use crate::command::{Said, tell};
use crate::sink::plain;
use ooni_store::test_lists::{self, ListContent, ListFile};
use std::fmt::Write as _;
use std::path::Path;

/// Skipped rows of a file that are shown.
const SHOWN: usize = 20;

/// Replaces the lists of a store by those of a folder; a list whose file is refused stays as it is.
pub(super) fn load(folder: &Path, url: &str) -> Said {
    let (mut urls, mut refused, mut skipped, mut out) = (Vec::new(), Vec::new(), 0, String::new());
    let files = test_lists::read(folder)?;
    let number = files.len();
    for ListFile { name, cc, content } in files {
        match content {
            Ok(content) => {
                skipped += content.skipped.len();
                show_skipped(&name, &content);
                let _ = writeln!(out, "{name}: {}", entries(content.urls.len()));
                urls.extend(content.urls);
            }
            Err(why) => {
                tell(&plain(&format!("{name} is refused: {why}")));
                refused.push(cc);
            }
        }
    }
    if urls.is_empty() {
        return Err(format!("{}: no test list can be loaded; nothing was changed", folder.display()));
    }
    let loaded = entries(urls.len());
    change(url, |waiting| {
        if !refused.is_empty() {
            urls.extend(waiting.wait(waiting.store.test_lists(&refused))?);
        }
        urls.sort_unstable();
        urls.dedup();
        waiting.wait(waiting.store.replace_test_lists(urls))
    })?;
    let _ = writeln!(
        out,
        "{loaded} of {} test lists loaded; {skipped} rows skipped, {} files refused",
        number - refused.len(),
        refused.len()
    );
    Ok((out, refused.is_empty()))
}

fn entries(number: usize) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{number} entries") }
}

fn show_skipped(name: &str, content: &ListContent) {
    for (line, why) in content.skipped.iter().take(SHOWN) {
        tell(&format!("{name}, line {line}: {why}; the row is skipped"));
    }
    if let more @ 1.. = content.skipped.len().saturating_sub(SHOWN) {
        tell(&format!("{name}: {more} more rows are skipped"));
    }
}
