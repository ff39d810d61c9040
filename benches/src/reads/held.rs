//! [`Held`]: a store that is filled once and kept, so that many runs can read it.

use crate::rows::{self, Rows};
use anyhow::{Context, Result, bail};
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::app::row::AsnName;
use ooni_store::{OnExisting, Store, StoreOptions};
use ooni_testkit::server::Server;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Days that the rows cover.
const DAYS: u64 = 365;

/// Rows in a transaction.
const BATCH: u64 = 10_000;

/// Every so many rows, one is noted, so that requests can name rows that exist.
const NOTED: usize = 250;

/// A store of generated rows, in a folder.
#[derive(Debug)]
pub struct Held {
    /// The URL of the store.
    pub url: String,
    /// What it contains.
    pub content: Content,
    _postgres: Option<Server>,
}

/// What a store contains.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Content {
    /// Rows.
    pub rows: u64,
    /// Seed of the generator.
    pub seed: u64,
    /// Unix time of the first row.
    pub begin: i64,
    /// Rows per day.
    pub per_day: u64,
    /// Some of the rows.
    pub noted: Vec<Noted>,
}

/// A row that exists.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Noted {
    /// Its uid.
    pub uid: String,
    /// Its report.
    pub report_id: String,
    /// Its input.
    pub input: String,
}

impl Held {
    /// Opens the store of an engine in a folder; fills it if it is not full.
    ///
    /// # Errors
    /// The engine is unknown, or the store cannot be written.
    pub async fn open(engine: &str, folder: &Path, rows: u64, seed: u64) -> Result<Held> {
        let folder = folder.join(engine);
        fs::create_dir_all(&folder)?;
        let (url, postgres) = match engine {
            "sqlite" => (format!("sqlite:{}", folder.join("ooni.db").display()), None),
            "postgres" => {
                let server = Server::postgres_in(&folder)?;
                (server.postgres_url("postgres"), Some(server))
            }
            _ => bail!("unknown engine {engine}: expected sqlite or postgres"),
        };
        Store::migrate(&url, &StoreOptions::default()).await?;
        let file = folder.join("content.json");
        let content = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(_) => fill(&url, engine, &folder.join("begin"), rows, seed).await?,
        };
        fs::write(&file, serde_json::to_vec(&content)?)?;
        name_networks(&url).await?;
        Ok(Held { url, content, _postgres: postgres })
    }
}

/// Writes the names of networks, if there are none.
async fn name_networks(url: &str) -> Result<()> {
    let store = Store::open(url, StoreOptions::default()).await?;
    if store.asn_names(&[1]).await?.is_empty() {
        let name = |asn| AsnName {
            asn,
            org_name: format!("Organisation of network {asn}"),
            cc: "ZZ".to_owned(),
            changed: "2024-01-01".to_owned(),
            aut_name: format!("NETWORK-{asn}"),
            source: "RIPE".to_owned(),
        };
        store.replace_asn_names((1..=rows::NETWORKS as u32).map(name).collect()).await?;
    }
    Ok(())
}

/// Writes the rows that are missing.
async fn fill(url: &str, engine: &str, begin: &PathBuf, rows: u64, seed: u64) -> Result<Content> {
    let store = Store::open(url, StoreOptions::default()).await?;
    store.replace_test_lists(rows::lists()).await?;
    let per_day = rows.div_ceil(DAYS);
    // The first day is kept, so that an interrupted fill goes on with the same rows.
    let begin = match fs::read_to_string(begin) {
        Ok(text) => text.trim().parse()?,
        Err(_) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs() as i64;
            let first = now - now % SECONDS_PER_DAY - DAYS as i64 * SECONDS_PER_DAY;
            fs::write(begin, first.to_string())?;
            first
        }
    };
    let mut made = Rows::from(seed, begin, per_day)?;
    let present = store.count().await?;
    let mut noted = Vec::new();
    let mut number = 0;
    while number < rows {
        let batch = made.batch(BATCH.min(rows - number) as usize);
        let texts = |text: &ooni_core::json::Json| text.as_str().unwrap_or_default().to_owned();
        noted.extend(batch.iter().step_by(NOTED).map(|row| Noted {
            uid: row.row.measurement_uid.clone(),
            report_id: texts(&row.row.report_id),
            input: texts(&row.row.input),
        }));
        number += batch.len() as u64;
        if number > present {
            store.write(Arc::new(batch), OnExisting::Keep).await.context("cannot write rows")?;
        }
        if number.is_multiple_of(BATCH * 10) {
            let _ = writeln!(io::stderr(), "{engine}: {number} of {rows} rows, until {}", day(begin, number / per_day));
        }
    }
    store.refresh_rollups().await?;
    Ok(Content { rows, seed, begin, per_day, noted })
}

/// A day, counted from the first one.
fn day(begin: i64, days: u64) -> String {
    let day = DateTime::from_timestamp(begin).and_then(|first| first.plus_days(days as i64));
    day.map(|day| day.to_string()).unwrap_or_default()
}
