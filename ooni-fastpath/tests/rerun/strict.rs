//! Entries at which the reference stops reading a can (formats spec §7, §7.1): rejected alone, or with the rest of the can.

use crate::bench::{Bench, LINES, POSTCAN, REPORTS, lz4, with};
use crate::support::{GOOD, append, gzip, member, post, tar};

/// Reruns a can with and without `--strict-cans`; returns the outcomes, and the messages of rejections.
fn both(key: &str, can: &[u8]) -> [(Vec<String>, Vec<String>); 2] {
    [&[][..], &["--strict-cans"]].map(|strict| {
        let bench = Bench::new();
        bench.can(key, can);
        let results: Vec<_> = ["1", "3"]
            .iter()
            .map(|jobs| {
                let out = bench.path("rows.jsonl");
                let ran = bench.rerun(&[strict, &["--no-write-to-db", "--out", &out, "--jobs", jobs]].concat());
                assert_eq!(ran.code, Some(1), "{}", ran.err);
                let lines = bench.lines("rows.jsonl");
                let outcomes = lines.iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect();
                let messages = lines.iter().filter_map(|line| line["error"]["message"].as_str().map(str::to_owned));
                (outcomes, messages.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(results[0], results[1], "the number of jobs makes no difference");
        results.into_iter().next().unwrap()
    })
}

const REST_SKIPPED: &str = "; the rest of the can is skipped";

/// One of three entries is invalid. Without `--strict-cans` only that one is rejected.
fn aborts(key: &str, can: &[u8], why: &str) {
    let [(all, messages), (strict, strict_messages)] = both(key, can);
    assert_eq!(all, ["stored", "rejected", "stored"], "{why}");
    assert!(messages[0].contains(why) && !messages[0].contains(REST_SKIPPED), "{messages:?}");
    assert_eq!(strict, ["stored", "rejected"], "{why}");
    assert!(strict_messages[0].ends_with(REST_SKIPPED), "{strict_messages:?}");
}

/// One of three entries is invalid, and the reference skips it.
fn skips(key: &str, can: &[u8]) {
    let [(all, messages), (strict, strict_messages)] = both(key, can);
    assert_eq!(all, ["stored", "rejected", "stored"], "{messages:?}");
    assert_eq!((all, messages), (strict, strict_messages));
}

fn three(line: &str) -> String {
    format!("{GOOD}\n{line}\n{}\n", with("\"report_id\":\"S\""))
}

#[test]
fn lines_that_are_not_objects() {
    for line in ["[]", "5", "null", "\"text\""] {
        aborts(LINES, &lz4(three(line).as_bytes()), "an object");
        aborts(REPORTS, &lz4(&tar(&[("r/a.json", &three(line))])), "an object");
    }
    for line in ["", "{"] {
        skips(LINES, &lz4(three(line).as_bytes()));
        skips(REPORTS, &lz4(&tar(&[("r/a.json", &three(line))])));
    }
    // The reference has no such cans.
    let key = POSTCAN.replace("tar.gz", "jsonl.gz");
    let [(all, _), (strict, _)] = both(&key, &gzip(three("[]").as_bytes()));
    assert_eq!((all.len(), strict.len()), (3, 3));
}

#[test]
fn post_bodies() {
    let can = |body: &str| {
        let names = [0, 1, 2].map(member);
        gzip(&tar(&[(&names[0], &post(GOOD)), (&names[1], body), (&names[2], &post(GOOD))]))
    };
    for body in ["[]", "5", "null"] {
        aborts(POSTCAN, &can(body), "an object");
    }
    for content in ["null", "[]", "\"{}\"", "5"] {
        aborts(POSTCAN, &can(&post(content)), "an object");
    }
    for body in ["", "{"] {
        skips(POSTCAN, &can(body));
    }
}

#[test]
fn a_post_body_without_content_is_a_measurement() {
    let bench = Bench::new();
    bench.can(POSTCAN, &gzip(&tar(&[(&member(0), r#"{"format":"json"}"#)])));
    let ran = bench.rerun(&["--strict-cans", "--report", &bench.path("report.json")]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(bench.json("report.json")["all"]["discarded"]["no_report_id"], 1);
}

#[test]
fn members_of_postcans() {
    let can = |name: &str| {
        let names = [0, 2].map(member);
        gzip(&tar(&[(&names[0], &post(GOOD)), (name, &post(GOOD)), (&names[1], &post(GOOD))]))
    };
    aborts(POSTCAN, &can("x.post"), "a member whose name has no folder");
    skips(POSTCAN, &can("x/README"));
    skips(POSTCAN, &can("README"));
}

#[test]
fn a_folder_in_an_archive_of_reports() {
    for (kind, what) in [(tar::EntryType::Directory, "a directory"), (tar::EntryType::Symlink, "a symbolic link")] {
        let mut builder = tar::Builder::new(Vec::new());
        append(&mut builder, "r/a.json", format!("{GOOD}\n").as_bytes());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path("r/folder").unwrap();
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
        append(&mut builder, "r/README", b"passed over");
        append(&mut builder, "r/b.json", format!("{}\n", with("\"report_id\":\"S\"")).as_bytes());
        aborts(REPORTS, &lz4(&builder.into_inner().unwrap()), what);
    }
}

/// Entries after the invalid one do not count, whichever thread read them.
#[test]
fn a_large_can_is_skipped_from_the_same_entry_with_any_number_of_threads() {
    let padded = with(&format!("\"padding\":\"{}\"", "x".repeat(5000)));
    let mut lines = format!("{padded}\n").repeat(3000);
    let place = 1500 * (padded.len() + 1);
    lines.insert_str(place, "[]\n");
    let [(all, _), (strict, messages)] = both(LINES, &lz4(lines.as_bytes()));
    assert_eq!((all.len(), strict.len()), (3001, 1501));
    assert!(messages[0].ends_with(REST_SKIPPED));
}
