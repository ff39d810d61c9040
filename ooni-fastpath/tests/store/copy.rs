//! `fastpath store copy`: copies everything in a store.

use crate::files::{Files, GOOD, ROOT, Ran, fastpath};
use ooni_core::error::{Code, Error};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::process::{Outcome, process};
use ooni_core::rules::Rules;
use ooni_store::value::Value;
use ooni_store::{
    BatchInput, BlockingStore, BodyLocation, GzipMember, Incoming, ListedUrl, OnExisting, Rejection, Removal,
    ScoredRow, StoredMeasurement, StoredRefusal,
};
use std::sync::Arc;

/// Two stores, the first of which is not empty.
struct Pair(Files);

impl Pair {
    fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.0.path(name).display())
    }

    fn open(&self, name: &str) -> BlockingStore {
        BlockingStore::open(&self.url(name)).unwrap()
    }

    fn copy(&self, more: &[&str]) -> Ran {
        let [from, to] = ["from.db", "to.db"].map(|name| self.url(name));
        fastpath([&["store", "copy", &from, &to][..], more].concat())
    }
}

fn new(uid: &str, text: &str) -> ScoredRow {
    let outcome = process(text.as_bytes(), uid, &Fingerprints::empty(), Rules::Fixed);
    let Outcome::Stored { row, openvpn } = outcome else { panic!("{text}: {outcome:?}") };
    let body = BodyLocation {
        s3path: "raw/a.jsonl.gz".into(),
        linenum: 7,
        date: "2024-01-02".into(),
        source: "raw/a.tar.gz".into(),
        member: Some(GzipMember { offset: 1 << 40, length: 5, line: 0 }),
    };
    ScoredRow { row, openvpn, body: Some(body), body_sha256: [0xab; 32] }
}

fn write(store: &BlockingStore, rows: Vec<ScoredRow>) {
    store.wait(store.store.write(Arc::new(rows), OnExisting::Keep)).unwrap();
}

/// Everything that can be copied.
#[derive(Debug, PartialEq)]
struct Content {
    measurements: Vec<StoredMeasurement>,
    refusals: Vec<StoredRefusal>,
    rejections: Vec<Rejection>,
    /// Uids and reasons.
    removals: Vec<(String, String)>,
    lists: Vec<ListedUrl>,
}

fn removals(store: &BlockingStore) -> Vec<(String, String)> {
    let removal = |removal: Result<Removal, _>| removal.map(|Removal { uid, reason, .. }| (uid, reason)).unwrap();
    store.removals().map(removal).collect()
}

fn content(store: &BlockingStore) -> Content {
    let mut measurements: Vec<_> = store.measurements(None).map(Result::unwrap).collect();
    // NaN is not equal to itself.
    for measurement in &mut measurements {
        for cell in measurement.row.iter_mut() {
            if matches!(cell, Value::Float(value) if value.is_nan()) {
                *cell = Value::Null;
            }
        }
    }
    Content {
        measurements,
        refusals: store.refusals().map(Result::unwrap).collect(),
        rejections: store.rejections(None, None).map(Result::unwrap).collect(),
        removals: removals(store),
        lists: store.wait(store.store.test_lists(&[])).unwrap(),
    }
}

#[test]
fn everything_is_copied() {
    let pair = Pair(Files::new());
    let from = pair.open("from.db");
    let with = |fields: &str| format!("{{{fields}{}", &GOOD[1..]);
    let openvpn = format!("{ROOT}/ooni-core/tests/fixtures/measurements/openvpn--fastpath--openvpn.json");
    let openvpn = std::fs::read_to_string(openvpn).unwrap();
    let refused = with(r#""test_version":5,"#);
    let odd =
        r#""test_runtime":NaN,"input":"http://x.org/\u0000é","annotations":{"ooni_run_link_id":18446744073709551615},"#;
    let rows = vec![
        new("u1", GOOD),
        new("u2", &openvpn),
        new("u3", &refused),
        new("u4", &with(odd)),
        new("u5", GOOD),
        new("u6", &with(r#""input":"http://x.org/","#)),
    ];
    write(&from, rows);
    from.wait(from.store.remove("u5", "a name is in it", false)).unwrap();
    let rejected = |position: i64, uid: Option<&str>| {
        Rejection::new("raw/a.tar.gz", position, uid, &Error::new(Code::Type, "/a", "a list where text is needed"))
    };
    // The second had a row before; the fourth has one only in the target.
    let rejections = vec![rejected(-1, None), rejected(0, Some("u2")), rejected(3, Some("u7"))];
    let outdated = rejected(4, Some("u0"));
    let input = BatchInput::<ScoredRow>::of_rejections([&rejections[..], &[outdated]].concat());
    from.wait(from.store.write(Arc::new(input), OnExisting::Keep)).unwrap();
    let entry = |cc: &str| ListedUrl {
        url: "http://x.org/".to_owned(),
        domain: "x.org".to_owned(),
        cc: cc.to_owned(),
        category_code: "NEWS".to_owned(),
    };
    from.wait(from.store.replace_test_lists(vec![entry("ZZ"), entry("it")])).unwrap();
    let expected = content(&from);
    let uids: Vec<_> = expected.measurements.iter().map(Incoming::uid).collect();
    assert_eq!(uids, ["u1", "u2", "u4", "u6"]);
    let has_openvpn = |measurement: &StoredMeasurement| measurement.openvpn.is_some();
    assert_eq!(expected.measurements.iter().map(has_openvpn).collect::<Vec<_>>(), [false, true, false, false]);
    assert!(expected.measurements.iter().all(|measurement| measurement.body.is_some()));
    assert_eq!(expected.measurements[0].provenance.body_sha256, "ab".repeat(32));
    assert_eq!((expected.refusals.len(), expected.removals.len(), expected.lists.len()), (1, 1, 2));
    assert!(expected.refusals[0].refused.column == "test_version" && expected.refusals[0].json.contains("\"dash\""));

    // The target has a measurement that was removed in the source, and one that the source rejected.
    let mut expected = expected;
    expected.rejections = rejections;
    let before = pair.open("to.db");
    write(&before, vec![new("u5", GOOD), new("u1", GOOD), new("u0", GOOD)]);
    let ran = pair.copy(&[]);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    let text = "4 measurements: 3 copied, 1 already there, 0 refused\n1 refused before, 3 rejected, 1 removed, 2 entries of test lists\n";
    assert_eq!(ran.text(), text);
    let to = pair.open("to.db");
    to.wait(to.store.remove("u0", "not in the other", false)).unwrap();
    to.wait(to.store.restore("u0")).unwrap();
    assert_eq!(content(&to), expected);
    let checked = fastpath(["rollup", "check", "--db-uri", &pair.url("to.db")]);
    assert_eq!(checked.code, Some(0), "{}", checked.text());
    let compared = fastpath(["compare", &pair.url("from.db"), &pair.url("to.db")]);
    assert_eq!(compared.code, Some(0), "{}", compared.text());
    assert!(pair.copy(&[]).text().starts_with("4 measurements: 0 copied, 4 already there, 0 refused\n"));
    let mut after = content(&to);
    // Now the target has no reason to refuse it.
    assert_eq!(after.rejections.pop(), Some(rejected(4, Some("u0"))));
    assert_eq!(after, expected);

    // A measurement removed in the target is not stored again, and its reason is kept.
    to.wait(to.store.remove("u1", "asked for", false)).unwrap();
    let ran = pair.copy(&[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.text().starts_with("4 measurements: 0 copied, 3 already there, 1 refused\n"), "{}", ran.text());
    assert_eq!(removals(&to)[0], ("u1".to_owned(), "asked for".to_owned()));
}

#[test]
fn a_copy_is_resumed() {
    let pair = Pair(Files::new());
    let template = new("u", GOOD);
    let row = |number: u32| {
        let mut new = template.clone();
        new.row.measurement_uid = format!("u{number:06}");
        new
    };
    write(&pair.open("from.db"), (0..10_500).map(row).collect());
    let ran = pair.copy(&[]);
    let messages = "fastpath: 10000 measurements, up to u009999\nfastpath: 2024-01: finished, 10500 rows\n";
    assert_eq!((ran.code, &*ran.err), (Some(0), messages));
    assert!(ran.text().starts_with("10500 measurements: 10500 copied, 0 already there"), "{}", ran.text());
    let ran = pair.copy(&["--after", "u009999"]);
    assert!(ran.text().starts_with("500 measurements: 0 copied, 500 already there"), "{}", ran.text());
    let rows = |name: &str| pair.open(name).rows().map(Result::unwrap).collect::<Vec<_>>();
    assert!(rows("from.db") == rows("to.db"));
}

#[test]
fn invalid_arguments() {
    let pair = Pair(Files::new());
    let ran = pair.copy(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("from.db: does not exist"), "{}", ran.err);
    assert!(!pair.0.path("to.db").exists());
    let ran = fastpath(["store", "copy", "sqlite:a.db", "sqlite:a.db"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("FROM and TO are the same store"), "{}", ran.err);
    assert_eq!(fastpath(["store", "copy", "sqlite:a.db"]).code, Some(2));
}

#[test]
#[cfg(unix)]
fn a_store_is_not_copied_onto_itself() {
    let pair = Pair(Files::new());
    write(&pair.open("from.db"), vec![new("u1", GOOD)]);
    let folder = pair.0.0.path();
    std::os::unix::fs::symlink(folder.join("from.db"), folder.join("link.db")).unwrap();
    std::os::unix::fs::symlink(folder, folder.join("folder")).unwrap();
    for same in ["./from.db", "link.db", "folder/from.db", "folder/./link.db"] {
        for (from, to) in [("from.db", same), (same, "from.db")] {
            let ran = fastpath(["store", "copy", &pair.url(from), &pair.url(to)]);
            assert_eq!((ran.code, &*ran.err), (Some(2), "fastpath: FROM and TO are the same store\n"), "{from} {to}");
        }
    }
    // A copy of the file is another store.
    std::fs::copy(folder.join("from.db"), folder.join("other.db")).unwrap();
    assert_eq!(fastpath(["store", "copy", &pair.url("from.db"), &pair.url("other.db")]).code, Some(0));
}
