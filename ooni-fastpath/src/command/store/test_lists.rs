//! `fastpath store load-test-lists`: replaces the test lists of a store.

use super::change::change;
use crate::command::result::{CommandResult, eprint_line};
use crate::sink::plain;
use ooni_store::test_lists::{self, ListContent, ListFile};
use std::fmt::Write as _;
use std::path::Path;

/// Maximum number of skipped rows of a file that are reported one by one.
const SHOWN: usize = 20;

/// Replaces the lists of a store with those of a folder; if a file is refused, the store keeps that list.
pub(super) fn load(folder: &Path, url: &str) -> CommandResult {
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
                eprint_line(&plain(&format!("{name} is refused: {why}")));
                refused.push(cc);
            }
        }
    }
    if urls.is_empty() {
        return Err(format!("{}: no test list can be loaded; nothing was changed", folder.display()));
    }
    let loaded = entries(urls.len());
    change(url, |store| {
        if !refused.is_empty() {
            urls.extend(store.wait(store.store.test_lists(&refused))?);
        }
        urls.sort_unstable();
        urls.dedup();
        store.wait(store.store.replace_test_lists(urls))
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
        eprint_line(&format!("{name}, line {line}: {why}; the row is skipped"));
    }
    if let more @ 1.. = content.skipped.len().saturating_sub(SHOWN) {
        eprint_line(&format!("{name}: {more} more rows are skipped"));
    }
}
