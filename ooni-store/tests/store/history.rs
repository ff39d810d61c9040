//! A store behaves like a map under any history of writes.

use crate::support::{Engine, Fields, SOUND, location, new};
use ooni_store::{OnExisting, ScoredRow};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

/// A write of a measurement: its uid, its content, and its fault.
type Op = (u8, u8, Fault);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Row,
    Openvpn,
}

#[derive(Default)]
struct Model {
    /// By uid: the content of the row, and whether it has a row of `obs_openvpn`.
    rows: BTreeMap<u8, (u8, bool)>,
    refused: BTreeMap<u8, (u8, &'static str)>,
}

impl Model {
    fn write(&mut self, &(uid, content, fault): &Op, replace: bool) {
        let column = match fault {
            Fault::None => None,
            Fault::Row => Some("test_version"),
            Fault::Openvpn => Some("obs_openvpn.bootstrap_time"),
        };
        let openvpn = is_openvpn(content) && fault != Fault::Openvpn;
        match (fault, replace) {
            (Fault::Row, _) => {}
            (_, true) => drop(self.rows.insert(uid, (content, openvpn))),
            (_, false) => drop(self.rows.entry(uid).or_insert((content, openvpn))),
        }
        match (column, replace) {
            (None, true) => drop(self.refused.remove(&uid)),
            (None, false) => {}
            (Some(column), true) => drop(self.refused.insert(uid, (content, column))),
            (Some(column), false) => drop(self.refused.entry(uid).or_insert((content, column))),
        }
    }
}

fn is_openvpn(content: u8) -> bool {
    content.is_multiple_of(2)
}

fn measurement(&(uid, content, fault): &Op) -> ScoredRow {
    let version = if fault == Fault::Row { content.to_string() } else { format!("\"{content}\"") };
    let keys = if fault == Fault::Openvpn { r#"{"bootstrap_time":""}"# } else { "{}" };
    let test = if is_openvpn(content) { "openvpn" } else { "dash" };
    let mut new = new(&format!("u{uid}"), &Fields { test, version: &version, keys, ..SOUND });
    new.body = Some(location(u32::from(content), "2024"));
    new
}

fn op() -> impl Strategy<Value = Op> {
    let fault = prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::Row), 1 => Just(Fault::Openvpn)];
    (0..6_u8, any::<u8>(), fault).prop_map(|(uid, content, fault)| match fault {
        // Only openvpn measurements can have this fault.
        Fault::Openvpn => (uid, content & !1, fault),
        _ => (uid, content, fault),
    })
}

pub(crate) fn any_history(new: fn() -> Box<dyn Engine>, cases: u32) {
    let batches = prop::collection::vec((prop::collection::vec(op(), 0..8), any::<bool>()), 0..8);
    let config = ProptestConfig { cases, ..ProptestConfig::with_source_file(file!()) };
    let result = TestRunner::new(config).run(&batches, |batches| {
        let engine = new();
        let store = engine.open();
        let mut model = Model::default();
        for (ops, replace) in &batches {
            let before = model.rows.len() as u64;
            let rows: Vec<_> = ops.iter().map(measurement).collect();
            let on_existing = if *replace { OnExisting::Replace } else { OnExisting::Keep };
            // A batch that is written twice, as after a crash, has the same effect as once.
            let written = store.write(&rows, on_existing).unwrap();
            store.write(&rows, on_existing).unwrap();
            ops.iter().for_each(|op| model.write(op, *replace));
            ops.iter().for_each(|op| model.write(op, *replace));
            let refused = written.refused.len() as u64;
            prop_assert_eq!(written.inserted, model.rows.len() as u64 - before);
            prop_assert_eq!(written.inserted + written.replaced + written.already + refused, ops.len() as u64);
        }
        let column = |table: &str, key: usize, columns: &[usize]| -> Vec<Vec<String>> {
            let pick = |row: &Vec<String>| [key].iter().chain(columns).map(|&column| row[column].clone()).collect();
            engine.table(table).iter().map(pick).collect()
        };
        let rows: Vec<_> =
            model.rows.iter().map(|(uid, (content, _))| vec![format!("u{uid}"), content.to_string()]).collect();
        let vpn: Vec<_> = model.rows.iter().filter(|(_, row)| row.1).map(|(uid, _)| vec![format!("u{uid}")]).collect();
        let refused = model.refused.iter();
        let refused: Vec<_> = refused
            .map(|(uid, (content, column))| vec![format!("u{uid}"), (*column).to_owned(), content.to_string()])
            .collect();
        prop_assert_eq!(column("fastpath", 0, &[17]), rows.clone());
        prop_assert_eq!(column("jsonl", 4, &[3]), rows);
        prop_assert_eq!(column("obs_openvpn", 7, &[]), vpn);
        prop_assert_eq!(column("refused", 0, &[1, 5]), refused);
        prop_assert_eq!(store.count().unwrap(), model.rows.len() as u64);
        Ok(())
    });
    result.unwrap();
}
