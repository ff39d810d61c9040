//! Rejected and removed measurements, on every engine.

use crate::support::{Engine, Fields, Open, SOUND, new, sound, uids};
use ooni_core::error::{Code, Error};
use ooni_store::{BatchInput, OnExisting, Rejection, Removal, RemoveOutcome, ScoredRow, UidStatus};
use std::sync::Arc;

fn rejection(can: &str, position: i64, uid: Option<&str>) -> Rejection {
    Rejection::new(can, position, uid, &Error::new(Code::Type, "/test_keys", "a list where text is needed"))
}

fn write(store: &Open, input: BatchInput<ScoredRow>, on_existing: OnExisting) {
    store.0.wait(store.0.store.write(Arc::new(input), on_existing)).unwrap();
}

fn kept(store: &Open) -> Vec<Rejection> {
    store.0.rejections(None, None).map(Result::unwrap).collect()
}

/// The cans and positions of the rejections that are kept.
fn keys(store: &Open) -> Vec<(String, i64)> {
    kept(store).iter().map(|rejection| (rejection.can.to_string(), rejection.position)).collect()
}

fn key(can: &str, position: i64) -> (String, i64) {
    (can.to_owned(), position)
}

pub(crate) fn rejections_are_kept_by_can(engine: &dyn Engine) {
    let store = engine.open();
    let odd = Rejection {
        uid: Some("u\0\u{1}'".to_owned()),
        code: "E-CAN".to_owned(),
        path: String::new(),
        message: "a\0b \u{1}\n'é".to_owned(),
        ..rejection("raw/b\\'.tar.gz", -1, None)
    };
    let all = [odd, rejection("raw/b\\'.tar.gz", 0, Some("u1")), rejection("raw/b\\'.tar.gz", 12, None)];
    let mut input = BatchInput::default();
    input.begin_can("raw/b\\'.tar.gz");
    all.iter().rev().for_each(|rejection| input.reject(rejection.clone()));
    input.begin_can("a");
    input.reject(rejection("a", 7, None));
    // Written twice, as after a crash.
    write(&store, input.clone(), OnExisting::Keep);
    write(&store, input, OnExisting::Keep);
    assert_eq!(kept(&store), [&[rejection("a", 7, None)], &all[..]].concat());
    let some = |can: Option<&str>, code: Option<&str>| {
        store
            .0
            .rejections(can.map(str::to_owned), code.map(str::to_owned))
            .map(|rejection| rejection.unwrap().position)
            .collect::<Vec<_>>()
    };
    assert_eq!(some(Some("a"), None), [7]);
    assert_eq!(some(None, Some("E-CAN")), [-1]);
    assert_eq!((some(Some("a"), Some("E-CAN")), some(Some("c"), None)), (vec![], vec![]));
    // The can is read again, in two batches; the first one begins it.
    let mut input = BatchInput::default();
    input.begin_can("raw/b\\'.tar.gz");
    input.reject(rejection("raw/b\\'.tar.gz", 3, None));
    write(&store, input, OnExisting::Keep);
    write(&store, BatchInput::of_rejections(vec![rejection("raw/b\\'.tar.gz", 4, None)]), OnExisting::Keep);
    assert_eq!(keys(&store), [key("a", 7), key("raw/b\\'.tar.gz", 3), key("raw/b\\'.tar.gz", 4)]);
    // The can is read again without rejections.
    let mut input = BatchInput::from(sound([1]));
    input.begin_can("raw/b\\'.tar.gz");
    write(&store, input, OnExisting::Keep);
    assert_eq!(keys(&store), [key("a", 7)]);
    // A copy does not replace a rejection.
    let other = Rejection { message: "another".to_owned(), ..rejection("a", 7, None) };
    write(&store, BatchInput::of_rejections(vec![other]), OnExisting::Keep);
    assert_eq!(kept(&store), [rejection("a", 7, None)]);
}

pub(crate) fn what_is_stored_is_not_rejected(engine: &dyn Engine) {
    let store = engine.open();
    let uid = |number: u32| format!("u{number:06}");
    write(
        &store,
        BatchInput::of_rejections((0..4).map(|number| rejection("a", number.into(), Some(&uid(number)))).collect()),
        OnExisting::Keep,
    );
    // A new measurement, and one that the table refuses.
    let refused = new(&uid(1), &Fields { version: "5", ..SOUND });
    store.write(&[sound([0]), vec![refused]].concat(), OnExisting::Keep).unwrap();
    assert_eq!(keys(&store), [key("a", 1), key("a", 2), key("a", 3)]);
    // A measurement that is rejected before it is stored in the batch, and one after.
    let mut input = BatchInput::default();
    input.reject(rejection("b", 0, Some(&uid(2))));
    input.reject(rejection("b", 2, Some(&uid(3))));
    sound([2, 3]).into_iter().for_each(|row| input.push(row));
    let mut rest = BatchInput::default();
    rest.reject(rejection("b", 5, Some(&uid(3))));
    input.append(&mut rest);
    assert_eq!((input.size(), rest.size()), (5, 0));
    write(&store, input, OnExisting::Replace);
    assert_eq!(keys(&store), [key("a", 1), key("b", 5)]);
    // It is already stored.
    store.write(&sound([3]), OnExisting::Keep).unwrap();
    assert_eq!(keys(&store), [key("a", 1)]);
}

pub(crate) fn removed_measurements_are_not_stored_until_restored(engine: &dyn Engine) {
    let store = engine.open();
    let waiting = &store.0;
    let remove = |uid: &str, reason: &str, ban| waiting.wait(waiting.store.remove(uid, reason, ban)).unwrap();
    let status = |uid: &str| waiting.wait(waiting.store.uid_status(uid)).unwrap();
    let restore = |uid: &str| waiting.wait(waiting.store.restore(uid)).unwrap();
    let reasons = || {
        let removal = |removal: Result<Removal, _>| removal.map(|Removal { uid, reason, .. }| (uid, reason)).unwrap();
        waiting.removals().map(removal).collect::<Vec<_>>()
    };
    let [first, banned, only_rejected] = ["u000000", "u\0'\\", "odd"];
    store.write(&sound([0, 1]), OnExisting::Keep).unwrap();
    write(&store, BatchInput::of_rejections(vec![rejection("a", 1, Some(only_rejected))]), OnExisting::Keep);
    assert_eq!(status(first), UidStatus { is_stored: true, ..UidStatus::default() });
    assert_eq!(status(only_rejected), UidStatus { is_rejected: true, ..UidStatus::default() });

    assert_eq!(
        (status(banned).outcome(false), remove(banned, "why", false)),
        (RemoveOutcome::Unknown, RemoveOutcome::Unknown)
    );
    assert_eq!(reasons(), []);
    for (uid, ban, outcome) in [
        (first, false, RemoveOutcome::Removed),
        (only_rejected, false, RemoveOutcome::Removed),
        (banned, true, RemoveOutcome::Banned),
        (first, true, RemoveOutcome::Already),
        (banned, false, RemoveOutcome::Already),
    ] {
        assert_eq!(status(uid).outcome(ban), outcome);
        assert_eq!(remove(uid, &format!("{outcome:?} é'\0"), ban), outcome);
        assert_eq!(status(uid), UidStatus { is_removed: true, ..UidStatus::default() });
    }
    let expected = [(only_rejected, "Removed é'\0"), (first, "Removed é'\0"), (banned, "Banned é'\0")];
    let mut expected = expected.map(|(uid, reason)| (uid.to_owned(), reason.to_owned()));
    expected.sort();
    assert_eq!(reasons(), expected);
    let times: Vec<_> = waiting.removals().map(|removal| removal.unwrap().time).collect();
    assert!(times.iter().all(|time| time.len() == 19 && time.starts_with("20") && &time[10..11] == " "), "{times:?}");
    assert_eq!((uids(&store), keys(&store)), (vec!["u000001".to_owned()], vec![]));

    // Neither a row nor a rejection of a removed measurement is stored.
    let mut input = BatchInput::from(sound([0, 2]));
    input.reject(rejection("a", 1, Some(first)));
    input.reject(rejection("a", 2, None));
    write(&store, input, OnExisting::Keep);
    assert_eq!((uids(&store).len(), keys(&store)), (2, vec![key("a", 2)]));

    assert!(restore(first) && !restore(first) && !restore("never seen"));
    assert_eq!((status(first), reasons().len()), (UidStatus::default(), 2));
    assert_eq!(store.write(&sound([0]), OnExisting::Keep).unwrap().inserted, 1);
}

pub(crate) fn identities_distinguish_stores(engine: &dyn Engine, other: &dyn Engine) {
    let identity = |engine: &dyn Engine| {
        let store = engine.open();
        store.0.wait(store.0.store.identity()).unwrap()
    };
    assert_eq!(identity(engine), identity(engine));
    assert_ne!(identity(engine), identity(other));
}

#[test]
fn long_texts_are_truncated() {
    let long = "é".repeat(5000);
    let error = Error::new(Code::Value, long.clone(), long.clone());
    let kept = Rejection::new(&long, 1, Some(&long), &error);
    assert_eq!((kept.can.len(), kept.uid, kept.path.len(), kept.message.len()), (600, None, 1000, 1000));
    assert_eq!(Rejection::new("a", 1, Some(""), &error).uid, None);
}
