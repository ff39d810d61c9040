//! Measured by hand.

use crate::support::{Engine, Fields, InFile, Open, SOUND, new, open};
use ooni_benches::server::Server;
use ooni_fastpath::store::{OnExisting, migrate};

/// Durable rows a second, 10,000 a batch: `cargo test --release --test store -- --ignored --nocapture inserts`.
#[test]
#[ignore = "a measurement"]
fn inserts_per_second() {
    println!("SQLite");
    inserts(&InFile::new().open());
    println!("PostgreSQL");
    let server = Server::postgres(true).unwrap();
    let url = server.postgres_url("postgres");
    tokio::runtime::Runtime::new().unwrap().block_on(migrate(&url)).unwrap();
    inserts(&open(&url).unwrap());
}

fn inserts(store: &Open) {
    let keys = r#"{"blocking":"dns","accessible":false}"#;
    let rest = r#""test_runtime":0.3,"software_name":"ooniprobe-android","software_version":"3.8.1",
        "annotations":{"platform":"android","engine_name":"ooniprobe-engine","engine_version":"3.17.0","architecture":"arm64"},"#;
    let fields = Fields { test: "web_connectivity", rest, keys, ..SOUND };
    let report = "20240102T030400Z_webconnectivity_IT_30722_n1_Wx3jQh1Zl5uhXyHq";
    for batch in 0..15_u64 {
        let rows: Vec<_> = (0..10_000_u64)
            .map(|number| {
                let number = batch * 10_000 + number;
                // Nearly in the order of time, as cans are.
                let uid = format!(
                    "20240102{:06}.{:06}_IT_webconnectivity_{:016x}",
                    number / 50,
                    number * 7919 % 1_000_000,
                    number * number
                );
                let mut new = new(&uid, &fields);
                new.row.report_id = report.into();
                new
            })
            .collect();
        let begun = std::time::Instant::now();
        store.write(&rows, OnExisting::Keep).unwrap();
        println!("{:7.0} rows/s", rows.len() as f64 / begun.elapsed().as_secs_f64());
    }
}
