//! `fastpath score` on damaged and hostile input: each error is reported with its location, and other rows are kept.

use crate::support::{Files, GOOD, append, bounded, fastpath, fed, gzip, member, post, score, tar, uid};
use lz4_flex::frame::FrameEncoder;
use ooni_core::json::Json;
use std::io::Write as _;

/// Scores lines with a valid one before and after; returns the outcomes in between, and their messages.
fn between(lines: &[&[u8]]) -> (Vec<String>, Vec<String>) {
    let mut input = Vec::new();
    for line in [&[GOOD.as_bytes()], lines, &[GOOD.as_bytes()]].concat() {
        input.extend_from_slice(line);
        input.push(b'\n');
    }
    let ran = fed(["score", "--format", "jsonl", "-"], &input);
    let outcomes = ran.outcomes();
    assert_eq!(outcomes.len(), lines.len() + 2);
    assert_eq!((&*outcomes[0], &*outcomes[lines.len() + 1]), ("stored", "stored"));
    let rejected = outcomes.iter().filter(|outcome| outcome.starts_with("E-")).count();
    assert_eq!(ran.code, Some(i32::from(rejected > 0)));
    for line in ran.lines() {
        assert_eq!(line.get("source").is_some(), line.get("error").is_some());
    }
    (outcomes[1..=lines.len()].to_vec(), ran.messages())
}

/// The valid measurement with an additional member.
fn with(member: &str) -> Vec<u8> {
    format!("{{{member},{}", &GOOD[1..]).into_bytes()
}

#[test]
fn invalid_lines() {
    let deep = |levels: usize| with(&format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    let digits = |number: usize| with(&format!("\"x\":{}", "7".repeat(number)));
    let cases: [(Vec<u8>, &str, &str); 15] = [
        (GOOD.as_bytes()[..100].to_vec(), "E-PARSE", "the text ends"),
        (b"".to_vec(), "E-PARSE", "the text ends where a value is expected at byte 1"),
        (b"\r".to_vec(), "E-PARSE", "the text ends"),
        (b"[]".to_vec(), "E-TYPE", "an object"),
        (b"null".to_vec(), "E-TYPE", "an object"),
        (with("\"report_id\":null"), "stored", ""),
        (with("\"x\":\"\\ud83d\",\"y\":\"\\udc00\""), "stored", ""),
        (with("\"x\":\"\0\""), "E-PARSE", "a NUL byte at byte 6"),
        (with("\"x\":\"\\u0000\""), "stored", ""),
        (with("\"test_runtime\":NaN"), "stored", ""),
        (deep(1023), "stored", ""),
        (deep(1024), "E-PARSE", "nested deeper than 1024 levels"),
        (vec![b'['; 3_000_000], "E-PARSE", "nested deeper than 1024 levels at byte 1024"),
        (digits(5000), "E-PARSE", "an integer of more than 4300 digits"),
        (b"{\"x\":\"\xff\"}".to_vec(), "E-PARSE", "not UTF-8"),
    ];
    let lines: Vec<_> = cases.iter().map(|(line, ..)| &**line).collect();
    let (outcomes, messages) = between(&lines);
    let mut messages = messages.iter();
    for ((line, wanted, message), outcome) in cases.iter().zip(outcomes) {
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
        assert_eq!(outcome, *wanted, "{shown}");
        if !message.is_empty() {
            let reported = messages.next().unwrap();
            assert!(reported.contains(message), "{shown}: {reported}");
        }
    }
}

#[test]
fn errors_of_a_line() {
    let files = Files::new();
    let path = files.add("a.jsonl", format!("{GOOD}\n\n{GOOD}\n{{\"a\":1"));
    let ran = score(&[&path]);
    let name = path.display();
    let second = GOOD.len() + 1;
    let last = 2 * second + 1;
    assert_eq!(
        ran.err,
        format!(
            "fastpath: {name}, line 2, byte {second}: E-PARSE: the text ends where a value is expected at byte 1\n\
             fastpath: {name}, line 4, byte {last}: E-PARSE: the text ends inside an object or array at byte 6\n\
             fastpath: 4 read: 2 stored, 0 discarded, 2 rejected\n"
        )
    );
    let source = ran.lines()[3].get("source").unwrap().clone();
    assert_eq!(source.get("file").unwrap().as_str(), Some(&*name.to_string()));
    assert_eq!(source.get("line"), Some(&Json::from(4)));
    assert_eq!(source.get("byte"), Some(&Json::from(last as i64)));
    assert_eq!(ran.uids()[1], None);
}

#[test]
fn many_messages_are_not_all_shown() {
    for jobs in ["-j1", "-j4"] {
        let ran = fed(["score", "--format", "csv", jobs, "-"], &b"x\n".repeat(100_000));
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.text().lines().count(), 100_001);
        assert_eq!(ran.err.lines().count(), 22);
        assert!(ran.err.contains("line 20,") && !ran.err.contains("line 21,"));
        assert!(ran.err.contains("fastpath: and 99980 more E-PARSE\n"), "{}", ran.err);
    }
}

#[test]
fn empty_files() {
    let files = Files::new();
    let paths: Vec<_> =
        ["a.json", "b.post", "c.jsonl", "d.jsonl.gz", "e.tar.gz"].map(|name| files.add(name, b"")).into();
    let ran = score(&paths);
    assert_eq!(ran.outcomes(), ["E-PARSE", "E-PARSE", "E-CAN", "E-CAN"]);
    assert_eq!(ran.code, Some(1));
    // An archive without members is still an archive.
    let ran = score(&[files.add("f.tar.gz", gzip(&[0; 1024])), files.add("g.jsonl.gz", gzip(b""))]);
    assert_eq!((ran.code, ran.out.len(), ran.err.len()), (Some(0), 0, 0));
}

#[test]
fn truncated_gzip() {
    let files = Files::new();
    let lines: String = (0..2000).map(|i| format!("{{\"measurement_uid\":\"{}\",{}\n", uid(i), &GOOD[1..])).collect();
    let whole = gzip(lines.as_bytes());
    let cut = files.add("a.jsonl.gz", &whole[..whole.len() / 2]);
    let good = files.add("b.jsonl", GOOD);
    let ran = score(&[&cut, &good]);
    let outcomes = ran.outcomes();
    let stored = outcomes.iter().filter(|outcome| *outcome == "stored").count();
    assert_eq!(outcomes.len(), stored + 1);
    assert!(stored > 500);
    assert_eq!(outcomes[stored - 1], "E-CAN");
    let (half, read) = (whole.len() / 2, stored - 1);
    assert!(ran.messages()[0].starts_with(&format!("the file ends inside its gzip data; {read} lines were read, ")));
    assert!(ran.err.contains(&format!("a.jsonl.gz, byte {half}: E-CAN: the file ends inside its gzip data")));
    assert_eq!(ran.code, Some(1));
}

#[test]
fn data_after_gzip() {
    let files = Files::new();
    let whole = gzip(format!("{GOOD}\n").as_bytes());
    let garbage = files.add("a.jsonl.gz", [&*whole, b"garbage"].concat());
    let zeros = files.add("b.jsonl.gz", [&*whole, &[0; 1000]].concat());
    // A client that decompressed while it downloaded leaves JSON lines under this name.
    let plain = files.add("c.jsonl.gz", GOOD);
    let ran = score(&[&garbage, &zeros, &plain]);
    assert_eq!(ran.outcomes(), ["stored", "E-CAN", "stored", "stored"]);
    assert_eq!(ran.messages()[0], "unexpected data after the gzip data; 1 line was read");
    assert_eq!(ran.lines()[1].get("source").unwrap().get("byte"), Some(&Json::from(whole.len() as i64)));
}

#[test]
fn gzip_bombs() {
    let files = Files::new();
    let good = format!("{GOOD}\n").into_bytes();
    let size = 300 << 20;
    let bomb = gzip(&[&*good, &vec![b' '; size]].concat());
    let paths =
        [files.add("a.jsonl.gz", &bomb), files.add("b.tar.gz", gzip(&vec![0; size])), files.add("c.jsonl", good)];
    let paths = paths.each_ref().map(|path| path.to_str().unwrap());
    let arguments = ["score", "-j1", "--format", "jsonl"];
    let ran = bounded(500, [&arguments[..], &paths].concat());
    assert_eq!(ran.outcomes(), ["stored", "E-LIMIT", "E-LIMIT", "stored"], "{}", ran.err);
    assert!(ran.messages().iter().all(|message| message.starts_with("decompresses to more than 500 times its size")));
    // Without that limit, the one for a measurement holds, and memory stays below what would be skipped.
    let flags = ["--max-ratio", "2000", "--max-measurement-size", "10MiB"];
    let ran = bounded(100, [&arguments[..], &flags, &paths].concat());
    assert_eq!(ran.outcomes(), ["stored", "E-LIMIT", "stored"], "{}", ran.err);
    assert_eq!(ran.messages()[0], format!("a line of {size} bytes, beyond the limit of {}", 10 << 20));
}

#[test]
fn limits_are_configurable() {
    let files = Files::new();
    let long = with(&format!("\"x\":\"{}\"", "a".repeat(100_000)));
    let input = [&*long, b"\n", GOOD.as_bytes(), b"\n"].concat();
    let tar = tar(&[(&member(1), &post(std::str::from_utf8(&long).unwrap())), (&member(2), &post(GOOD))]);
    let paths = [files.add("a.jsonl", &input), files.add("b.tar.gz", gzip(&tar)), files.add("c.json", &long)];
    let paths = paths.each_ref().map(|path| path.to_str().unwrap());
    let run = |flag: &str, value: &str| fastpath([&["score", "--format", "jsonl", flag, value], &paths[..]].concat());
    let ran = run("--max-measurement-size", "50KiB");
    assert_eq!(ran.outcomes(), ["E-LIMIT", "stored", "E-LIMIT", "stored", "E-LIMIT"]);
    assert_eq!(ran.uids()[2], Some(uid(1)));
    assert_eq!(run("--max-depth", "1").outcomes(), ["E-LIMIT"; 5]);
    assert_eq!(run("--max-values", "16").outcomes(), ["E-LIMIT", "stored", "E-LIMIT", "E-LIMIT", "E-LIMIT"]);
}

#[test]
fn names_outside_the_archive() {
    let files = Files::new();
    let body = post(GOOD);
    let tar = tar(&[
        (&format!("/tmp/{}.post", uid(1)), &body),
        (&format!("x/../../{}.post", uid(2)), &body),
        (&format!("x/{}.post", uid(3)), &body),
    ]);
    let ran = score(&[files.add("x.tar.gz", gzip(&tar))]);
    assert_eq!(ran.outcomes(), ["E-CAN", "E-CAN", "stored"]);
    assert_eq!(ran.messages(), ["a member with an absolute name", "a member whose name points outside the archive"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(std::fs::read_dir(files.0.path()).unwrap().count(), 1);
}

#[test]
fn members_that_are_not_files() {
    let files = Files::new();
    let mut builder = tar::Builder::new(Vec::new());
    for kind in [tar::EntryType::Directory, tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char] {
        let mut header = tar::Header::new_gnu();
        header.set_path("x/y.post").unwrap();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    }
    append(&mut builder, &member(1), post(GOOD).as_bytes());
    let ran = score(&[files.add("x.tar.gz", gzip(&builder.into_inner().unwrap()))]);
    assert_eq!(ran.outcomes(), ["E-CAN", "E-CAN", "E-CAN", "E-CAN", "stored"]);
    assert_eq!(ran.messages()[1], "a member that is a symbolic link, not a file");
}

#[test]
fn an_endless_name() {
    let files = Files::new();
    let long = |kind: u8, size: usize| {
        let mut header = tar::Header::new_gnu();
        header.set_path("././@LongLink").unwrap();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size as u64);
        header.set_cksum();
        [header.as_bytes(), &*vec![b'a'; size.next_multiple_of(512)]].concat()
    };
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, &format!("x/{}.post", uid(1)), post(GOOD).as_bytes());
    let good = builder.into_inner().unwrap();
    let member = &good[..good.len() - 1024];
    let size = 100 << 20;
    let tar = [&*long(b'L', size), member, &*long(b'x', size), member, &good].concat();
    let path = files.add("x.tar.gz", gzip(&tar));
    let ran = bounded(100, ["score", "-j1", "--format", "jsonl", "--max-ratio", "2000", path.to_str().unwrap()]);
    assert_eq!(ran.outcomes(), ["E-LIMIT", "E-LIMIT", "stored"], "{}", ran.err);
    assert_eq!(ran.messages()[0], format!("an extended tar header of {size} bytes, beyond the limit of 65536"));
}

#[test]
fn truncated_and_damaged_archives() {
    let files = Files::new();
    let body = post(GOOD);
    let whole = tar(&[(&member(1), &body), (&member(2), &body)]);
    let start = |name: &str| {
        let at = whole.windows(name.len()).rposition(|part| part == name.as_bytes()).unwrap();
        at / 512 * 512
    };
    let second = start(&member(2)[..90]);
    let cut = |length: usize| files.add(&format!("{length}.tar.gz"), gzip(&whole[..length]));
    // In the second body, in its header, without the end of the archive, in the last padding.
    let ran = score(&[cut(second + 512 + 20), cut(second + 100), cut(whole.len() - 1024), cut(whole.len() - 1025)]);
    assert_eq!(ran.outcomes(), ["stored", "E-CAN", "stored", "E-CAN", "stored", "stored", "stored", "stored"]);
    assert_eq!(ran.uids()[1], Some(uid(2)));
    let mut damaged = whole.clone();
    damaged[second] ^= 1;
    let trailing = [&*whole, b"more"].concat();
    let ran = score(&[
        files.add("a.tar.gz", gzip(&damaged)),
        files.add("b.tar.gz", gzip(&trailing)),
        files.add("c.tar.gz", gzip(b"short")),
    ]);
    assert_eq!(ran.outcomes(), ["stored", "E-CAN", "stored", "stored", "E-CAN", "E-CAN"]);
    let messages = ran.messages();
    assert_eq!(messages[0], "not a tar header, or a damaged one, where a member should begin");
    assert_eq!(messages[1], "unexpected data after the end of the archive");
    assert_eq!(messages[2], "the archive ends inside a header");
}

#[test]
fn folders_and_names() {
    let files = Files::new();
    files.add("x.tar.gz/b.jsonl", GOOD);
    files.add("x.tar.gz/a.json", GOOD);
    files.add("x.tar.gz/notes.txt", b"hello");
    files.add("x.tar.gz/index.json.gz", b"");
    files.add("x.tar.gz/old/ndt.0.tar.lz4", b"");
    std::os::unix::fs::symlink("/nonexistent/x", files.path("x.tar.gz/c.json")).unwrap();
    let ran = score(&[files.0.path()]);
    assert_eq!(ran.outcomes(), ["stored", "stored", "E-CAN", "E-CAN"]);
    let messages = ran.messages();
    assert!(messages[0].starts_with("cannot be opened: "), "{}", messages[0]);
    assert_eq!(messages[1], "the file is empty; expected LZ4 data; 0 measurements were read");
    assert!(ran.err.ends_with("4 read: 2 stored, 0 discarded, 2 rejected; 1 file with an unknown suffix skipped\n"));
    // A file with an unknown suffix is read if it is given directly and its format is recognized.
    let lines = files.add("lines", format!("{GOOD}\n{GOOD}\n"));
    let ran = score(&[files.path("x.tar.gz/notes.txt"), files.path("x.tar.gz/a.json"), lines]);
    assert_eq!(ran.outcomes(), ["E-CAN", "stored", "stored", "stored"]);
    assert!(ran.messages()[0].ends_with("the file begins with \"hello\""), "{:?}", ran.messages());
    assert_eq!(ran.code, Some(1));
}

#[test]
fn paths_without_files() {
    let files = Files::new();
    let good = files.add("a.json", GOOD);
    std::os::unix::fs::symlink("nowhere", files.path("link.json")).unwrap();
    for missing in ["none.json", "link.json", "none"].map(|name| files.path(name)) {
        let expected = format!("fastpath: {}: does not exist\n", missing.display());
        let ran = score(&[&good, &missing]);
        assert_eq!((ran.code, &*ran.err, ran.out.len()), (Some(2), &*expected, 0));
        let missing = missing.to_str().unwrap();
        for arguments in [&["score", "--cases", missing][..], &["compare", "--rules", "compat,fixed", missing]] {
            let ran = fastpath(arguments);
            assert_eq!((ran.code, &*ran.err), (Some(2), &*expected));
        }
    }
    // A folder without files, or without files of measurements.
    files.add("empty/notes.txt", "hello");
    std::fs::create_dir(files.path("empty/more")).unwrap();
    let empty = files.path("empty").display().to_string();
    let ran = fastpath(["score", "--format", "jsonl", &empty]);
    assert_eq!((ran.code, ran.out.len()), (Some(1), 0));
    assert!(ran.err.contains(&format!("fastpath: nothing found in {empty}: no files named *.json, ")), "{}", ran.err);
    let ran = fastpath(["compare", "--rules", "compat,fixed", &empty]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.ends_with(&format!("nothing found in {empty}: no files of measurements\n")), "{}", ran.err);
}

#[test]
fn a_file_without_read_permission() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new();
    let path = files.add("a.json", GOOD);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    let may_read = std::fs::File::open(&path).is_ok(); // root may
    let ran = score(&[&path]);
    assert_eq!(ran.outcomes(), [if may_read { "stored" } else { "E-CAN" }]);
}

/// Text that does not compress well.
fn noise(length: usize) -> String {
    let mut x = 1_u64;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (x >> 33) as u8 % 90)
    };
    (0..length).map(|_| next()).filter(|c| !matches!(c, '"' | '\\')).collect()
}

/// A can of `OONI_CAN_MEGABYTES` is read in bounded memory, whatever its compression.
#[test]
fn a_large_can_needs_little_memory() {
    let megabytes: usize = std::env::var("OONI_CAN_MEGABYTES").map_or(128, |text| text.parse().unwrap());
    // Of address space, which is larger than memory use; threads reserve much of it.
    let bounds: &[(&str, u32)] = if megabytes < 500 { &[("1", 100)] } else { &[("1", 500), ("2", 500)] };
    let line = format!("{{\"n\":\"{}\",{}\n", noise(200_000), &GOOD[1..]);
    let number = (megabytes << 20) / line.len();
    let files = Files::new();
    for name in ["a.jsonl.gz", "a.tar.gz", "a.json.lz4", "a.tar.lz4"] {
        let path = files.path(name);
        let file = std::fs::File::create(&path).unwrap();
        let mut packed: Box<dyn std::io::Write> = match name.ends_with(".gz") {
            true => Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast())),
            false => Box::new(FrameEncoder::new(file).auto_finish()),
        };
        let post = post(&line);
        match name {
            "a.tar.gz" => (0..number as u32).for_each(|n| {
                let member = tar(&[(&format!("d/{}.post", uid(n)), &post)]);
                packed.write_all(&member[..512 + post.len().next_multiple_of(512)]).unwrap();
            }),
            "a.tar.lz4" => {
                let mut header = tar::Header::new_gnu();
                header.set_path("d/a.json").unwrap();
                header.set_size((number * line.len()) as u64);
                header.set_cksum();
                packed.write_all(header.as_bytes()).unwrap();
                (0..number).for_each(|_| packed.write_all(line.as_bytes()).unwrap());
                packed
                    .write_all(&vec![0; (number * line.len()).next_multiple_of(512) - number * line.len() + 1024])
                    .unwrap();
            }
            _ => (0..number).for_each(|_| packed.write_all(line.as_bytes()).unwrap()),
        }
        drop(packed);
        for (jobs, most) in bounds {
            let ran = bounded(*most, ["score", "--format", "csv", "--jobs", jobs, path.to_str().unwrap()]);
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.err);
            assert_eq!(ran.text().lines().count(), number + 1, "{name}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
