//! Files whose names do not match their content, two files of a stem, and links: every measurement is scored once.

use crate::support::{Files, GOOD, Ran, fastpath, fed, gzip, member, post, score, tar, uid};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const DAY: [&str; 4] = ["--start-day", "2021-06-14", "--end-day", "2021-06-15"];
const STEM: &str = "2021061400_JO_signal.n1.0";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)
}

fn rerun(source: &Path, out: &Path) -> Ran {
    let paths = ["--source", source.to_str().unwrap(), "--out", out.to_str().unwrap()];
    fastpath([&["rerun", "--no-write-to-db"][..], &DAY, &paths].concat())
}

#[test]
fn the_content_decides_not_the_name() {
    for (name, stored) in [
        ("plain-tar.tar.gz", 3), // as OONI's postcans before August 2022
        ("plain-lines.jsonl.gz", 2),
        ("gzip-lines.jsonl", 2),
        ("legacy-frame.json.lz4", 3),
        ("legacy-frames.json.lz4", 6),
    ] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for ran in [score(&[fixture(name)]), fed(["score", "--format", "jsonl", "-"], &bytes)] {
            assert_eq!(ran.outcomes(), vec!["stored"; stored], "{name}: {}", ran.err);
            assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{name}");
        }
    }
}

#[test]
fn an_explicit_format() {
    let files = Files::new();
    let path = files.add("a.jsonl", format!("{GOOD}\n{GOOD}\n"));
    let run = |format| fastpath(["score", "--format", "jsonl", "--input-format", format, path.to_str().unwrap()]);
    assert_eq!(run("auto").outcomes(), ["stored"; 2]);
    assert_eq!(run("jsonl").outcomes(), ["stored"; 2]);
    assert_eq!(run("json").outcomes(), ["E-PARSE"]);
    assert_eq!(run("postcan").outcomes(), ["E-CAN"]);
    assert_eq!(run("maybe").code, Some(2));
}

fn postcan() -> Vec<u8> {
    tar(&[(&member(1), &post(GOOD)), (&member(2), &post(GOOD))])
}

#[test]
fn of_two_files_of_a_stem_one_is_read() {
    let files = Files::new();
    let lines = format!("{GOOD}\n{GOOD}\n");
    let [postcan_path, lines_path] =
        [files.add("a/x.tar.gz", postcan()), files.add("a/x.jsonl.gz", gzip(lines.as_bytes()))];
    files.add("a/y.jsonl.gz", gzip(GOOD.as_bytes()));
    let ran = score(&[files.path("a")]);
    assert_eq!(ran.uids()[..2], [Some(uid(1)), Some(uid(2))]);
    assert_eq!(ran.outcomes(), ["stored"; 3]);
    assert_eq!(
        ran.err,
        "fastpath: 3 read: 3 stored, 0 discarded, 0 rejected; 1 JSONL file skipped because its postcan was read\n"
    );
    assert_eq!(ran.code, Some(0));
    // In the order of shell expansion.
    assert_eq!(score(&[&lines_path, &postcan_path]).outcomes(), ["stored"; 2]);
    assert_eq!(score(&[&lines_path]).outcomes(), ["stored"; 2]);
    let compared = fastpath(["compare", "--rules", "compat,fixed", files.path("a").to_str().unwrap()]);
    let skipped = "1 JSONL file skipped because its postcan was read";
    assert_eq!(compared.text(), format!("3 measurements by compat and fixed: 0 differ; {skipped}\n"));
    files.add("a/z.tar.gz", postcan());
    files.add("a/z.jsonl.gz", gzip(lines.as_bytes()));
    files.add("a/notes.txt", "");
    let compare = |more: &[&str]| {
        let folder = files.path("a");
        let arguments = [&["compare", "--rules", "compat,fixed", folder.to_str().unwrap()], more].concat();
        fastpath(arguments).text().to_owned()
    };
    let skipped = "1 file with an unknown suffix skipped; 2 JSONL files skipped because their postcans were read";
    assert_eq!(compare(&[]), format!("5 measurements by compat and fixed: 0 differ; {skipped}\n"));
    let json: serde_json::Value = serde_json::from_str(&compare(&["--format", "json"])).unwrap();
    assert_eq!((&json["passed_over"], &json["twins"], &json["files"]), (&1.into(), &2.into(), &3.into()));
}

#[test]
fn the_twin_of_a_file_without_entries_is_read() {
    let files = Files::new();
    let lines = gzip(format!("{GOOD}\n{GOOD}\n").as_bytes());
    for (name, bytes, why) in [
        ("empty", vec![], "cannot be read"),
        ("none", gzip(&[0; 1024]), "has no measurements"),
        ("page", b"<html>".to_vec(), "cannot be read"),
        ("damaged", b"\x1f\x8b\x08\0damaged".to_vec(), "cannot be read"),
    ] {
        let path = files.add(&format!("{name}.tar.gz"), bytes);
        assert_ne!(score(&[&path]).outcomes(), ["stored"; 2], "{name}: there is no twin yet");
        let twin = files.add(&format!("{name}.jsonl.gz"), &lines);
        let ran = score(&[&path]);
        assert_eq!((ran.outcomes(), ran.code), (vec!["stored".to_owned(); 2], Some(0)), "{name}: {}", ran.err);
        let message = format!("fastpath: {}: read instead of {}, which {why}\n", twin.display(), path.display());
        assert_eq!(ran.err, message);
        // A file that is damaged later is read up to there.
        let whole = gzip(&postcan());
        let path = files.add(&format!("{name}.tar.gz"), &whole[..whole.len() - 9]);
        assert!(score(&[&path]).outcomes().contains(&"E-CAN".to_owned()));
        // A twin that is not recognized either is not read.
        files.add(&format!("{name}.tar.gz"), b"<html>");
        files.add(&format!("{name}.jsonl.gz"), b"<html>");
        assert_eq!(score(&[&path]).outcomes(), ["E-CAN"]);
    }
}

#[test]
fn a_rerun_reads_twins_as_score_does() {
    let files = Files::new();
    let folder = "archive/raw/20210614/00/JO/signal";
    let postcan_path =
        files.add(&format!("{folder}/{STEM}.tar.gz"), std::fs::read(fixture("plain-tar.tar.gz")).unwrap());
    let lines = std::fs::read(fixture("gzip-lines.jsonl")).unwrap();
    files.add(&format!("{folder}/{STEM}.jsonl.gz"), lines);
    let [archive, out] = ["archive", "o.jsonl"].map(|name| files.path(name));
    let journal = |out: &Path| {
        let name = format!(".{}.journal", out.file_name().unwrap().to_str().unwrap());
        let beside = [out.with_file_name(name), PathBuf::from(format!("{}.journal", out.display()))];
        let found = beside.iter().find_map(|path| std::fs::read_to_string(path).ok());
        found.unwrap()
    };
    let ran = rerun(&archive, &out);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 3);
    assert!(!journal(&out).contains("instead"), "{}", journal(&out));
    std::fs::write(postcan_path, b"<html>").unwrap();
    let out = files.path("p.jsonl");
    let ran = rerun(&archive, &out);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 2);
    let key = format!("raw/20210614/00/JO/signal/{STEM}");
    let message = format!("fastpath: {key}.jsonl.gz: read instead of {key}.tar.gz, which cannot be read\n");
    assert!(ran.err.contains(&message), "{}", ran.err);
    let instead = format!(r#""key":"{key}.tar.gz","instead":"{key}.jsonl.gz""#);
    assert!(journal(&out).contains(&instead), "{}", journal(&out));
}

#[test]
fn links_to_folders_are_followed() {
    let files = Files::new();
    let hour = files.path("disk/00");
    let can = std::fs::read(fixture("gzip-tar.tar.gz")).unwrap();
    files.add(&format!("disk/00/JO/signal/{STEM}.tar.gz"), can);
    std::fs::create_dir_all(files.path("archive/raw/20210614")).unwrap();
    symlink(&hour, files.path("archive/raw/20210614/00")).unwrap();
    // A cycle of links, and another link to the same folder.
    symlink(files.path("archive"), files.path("disk/00/JO/signal/up")).unwrap();
    symlink(&hour, files.path("archive/raw/again")).unwrap();
    let [archive, out] = ["archive", "o.jsonl"].map(|name| files.path(name));
    assert_eq!(score(&[&archive]).outcomes(), ["stored"; 3]);
    assert_eq!(score(&[&archive, &hour]).outcomes(), ["stored"; 3], "given twice, read once");
    // A link to a disk that is not mounted is reported.
    symlink(files.path("nowhere"), files.path("archive/raw/lost")).unwrap();
    let ran = score(&[&archive]);
    assert_eq!(
        (ran.outcomes(), ran.code),
        (["stored", "stored", "stored", "E-CAN"].map(str::to_owned).to_vec(), Some(1))
    );
    assert!(ran.messages()[0].starts_with("the link cannot be followed: "), "{:?}", ran.messages());
    std::fs::remove_file(files.path("archive/raw/lost")).unwrap();
    let ran = rerun(&archive, &out);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 3);
    // An hour and a can on a disk that is not mounted: an error that affects nothing else.
    symlink(files.path("nowhere"), files.path("archive/raw/20210614/01")).unwrap();
    let ran = rerun(&archive, &files.path("p.jsonl"));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("raw/20210614/01: cannot be listed: "), "{}", ran.err);
    assert!(ran.err.contains("stored"), "{}", ran.err);
    std::fs::remove_file(files.path("archive/raw/20210614/01")).unwrap();
    symlink(files.path("nowhere"), hour.join("JO/signal/2021061400_JO_signal.n1.1.tar.gz")).unwrap();
    let ran = rerun(&archive, &files.path("q.jsonl"));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("2021061400_JO_signal.n1.1.tar.gz: E-CAN: cannot be opened: "), "{}", ran.err);
}

#[test]
fn what_was_found_instead_is_reported() {
    let files = Files::new();
    let can = std::fs::read(fixture("gzip-tar.tar.gz")).unwrap();
    files.add(&format!("archive/raw/20210614/00/JO/signal/{STEM}.tar.gz"), can);
    let archive = files.path("archive");
    let source = ["--source", archive.to_str().unwrap(), "--no-write-to-db"];
    for (selection, instead) in
        [(["--ccs", "IT"], "; countries there: JO\n"), (["--testnames", "ndt"], "; tests there: signal\n")]
    {
        let ran = fastpath([&["rerun"][..], &DAY, &source, &selection].concat());
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.ends_with(instead), "{}", ran.err);
    }
}

#[test]
fn paths_that_do_not_exist() {
    let files = Files::new();
    files.add("measurements.jsonl", GOOD);
    symlink("/nonexistent/x", files.path("link.jsonl")).unwrap();
    let ran = score(&["measurments.jsonl", "link.jsonl", "measurements.jsonl/x", "none"].map(|name| files.path(name)));
    assert_eq!((ran.code, &*ran.out), (Some(2), &b""[..]));
    let folder = files.0.path().display();
    assert_eq!(
        ran.err,
        format!(
            "fastpath: {folder}/measurments.jsonl: does not exist; did you mean measurements.jsonl?\n\
             fastpath: {folder}/link.jsonl: does not exist\n\
             fastpath: {folder}/measurements.jsonl/x: does not exist\n\
             fastpath: {folder}/none: does not exist\n"
        )
    );
}
