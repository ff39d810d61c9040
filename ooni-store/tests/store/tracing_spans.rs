//! `tracing` spans: each call of a store opens a span with the name of its query.

use crate::support::{Engine, InFile, of_day, sound};
use ooni_store::OnExisting;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::list::List;
use ooni_store::rollup::ROLLUPS;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Records the fields of all spans, each as `name=value`.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

impl Visit for Spans {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.lock().unwrap().push(format!("{}={value:?}", field.name()));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ooni_store")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Spans {
    /// What was recorded since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The names of the methods of a store, from its source. All but those that open or configure a store are queries.
fn methods() -> BTreeSet<&'static str> {
    let source = [
        include_str!("../../src/store.rs"),
        include_str!("../../src/store/app.rs"),
        include_str!("../../src/store/charts.rs"),
        include_str!("../../src/store/counts.rs"),
        include_str!("../../src/store/rows.rs"),
        include_str!("../../src/store/state.rs"),
    ];
    let name = |line: &'static str| {
        let line = line.trim_start();
        let declared = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "))?;
        declared.split(['(', '<']).next()
    };
    let all = source.iter().flat_map(|text| text.lines()).filter_map(name);
    all.filter(|name| !["open", "open_to_read", "migrate", "with_deadline"].contains(name)).collect()
}

#[test]
fn every_call_opens_a_span_with_the_name_of_its_query() {
    let spans = Spans::default();
    let engine = InFile::new();
    let waiting = engine.open().0;
    let store = &waiting.store;
    let mut called = BTreeSet::new();
    // Calls a method, and checks the name of its span if it differs.
    macro_rules! call {
        ($name:ident($($argument:expr),*)) => { call!($name($($argument),*), stringify!($name)) };
        ($name:ident($($argument:expr),*), $query:expr) => {{
            waiting.wait(store.$name($($argument),*)).unwrap();
            called.insert(stringify!($name));
            let seen = spans.take();
            assert_eq!(seen.first(), Some(&format!("query={:?}", $query)), "{}: {seen:?}", stringify!($name));
            assert_eq!(seen.get(1), Some(&format!("store={:?}", engine.path.display().to_string())));
        }};
    }
    // Reads the first page of a stream.
    macro_rules! stream {
        ($name:ident($($argument:expr),*), $query:expr) => {{
            waiting.wait(async { store.$name($($argument),*).next().await.transpose().unwrap() });
            called.insert(stringify!($name));
            assert_eq!(spans.take().first(), Some(&format!("query={:?}", $query)), "{}", stringify!($name));
        }};
    }
    tracing::subscriber::with_default(spans.clone(), || {
        let (all, count) = (Filter::default(), Aggregation::default());
        call!(ping());
        call!(write(Arc::new(sound([1, 2])), OnExisting::Keep));
        call!(set_body_locations(Vec::new()));
        call!(remove("u000002", "test", false));
        call!(restore("u000002"));
        call!(identity());
        call!(replace_test_lists(Vec::new()));
        call!(rebuild(&ROLLUPS[0]));
        call!(refresh_rollups());
        call!(write_application(Vec::new()));
        call!(replace_asn_names(Vec::new()));
        call!(seed_url_priorities());
        call!(try_lock("jobs"));
        call!(asn_names(&[]));
        call!(url_priorities(&[]));
        call!(feedback("u000001"));
        call!(feedback_of("u000001", "a"));
        call!(faulty_measurements(1));
        call!(listed_domains(&[]));
        call!(explain_application(), "explain");
        call!(aggregate(&count));
        call!(distinct(&count, Axis::ProbeAsn));
        call!(explain_distinct(&count, Axis::ProbeAsn), "explain");
        call!(aggregate_with_days(&count));
        call!(explain_with_days(&count), "explain");
        call!(ranked(&count, 0, 1));
        call!(explain_ranked(&count), "explain");
        call!(domain_counts());
        call!(explain_domain_counts(), "explain");
        call!(runtimes(&all));
        call!(input_counts("IT", None, &[of_day(6)]));
        call!(listed_counts(Window::default()));
        call!(unarchived(Window::default()));
        call!(count(), "aggregate");
        call!(explain_input_counts("IT", 5, of_day(6)), "explain");
        call!(explain_aggregate(&count), "explain");
        call!(find("u000001"));
        call!(find_in_report("R-u000001", "http://x.org/u000001"));
        call!(body_location("u000001"));
        call!(list(&List::default()));
        call!(test_lists(&[]));
        call!(page(None, 1));
        stream!(rows(), "page");
        stream!(slice(all.clone()), "slice");
        stream!(measurements(None), "measurements");
        stream!(refusals(), "refusals");
        stream!(removals(), "removals");
        stream!(archived(), "archived");
        stream!(rejections(None, None), "rejections");
        call!(uid_status("u000001"));
        call!(explain_list(&List::default()), "explain");
        call!(explain_find("u000001"), "explain");
        call!(explain_body_location("u000001"), "explain");
        call!(explain_find_in_report("R-u000001", ""), "explain");
        call!(check(&ROLLUPS[0]));
        call!(is_rollup_current(&ROLLUPS[0], Window::default()));
        call!(stats());
        call!(drop_month(of_day(0)));
    });
    assert_eq!(called, methods());
}

#[test]
fn a_span_has_the_kind_of_the_error() {
    let spans = Spans::default();
    let engine = InFile::new();
    drop(engine.open());
    let waiting = crate::support::open_to_read(&engine.url()).unwrap().0;
    tracing::subscriber::with_default(spans.clone(), || {
        waiting.wait(waiting.store.remove("u", "test", false)).unwrap_err();
    });
    assert!(spans.take().contains(&"error=\"invalid\"".to_owned()));
}
