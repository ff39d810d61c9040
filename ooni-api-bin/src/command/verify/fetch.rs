//! Gets what a server publishes about a measurement.

use crate::explanation::Explained;
use crate::explanation::answer::Status;
use crate::fetch::{Fetcher, Source, is_missing};
use anyhow::{Context, bail};
use ooni_archive::blobs::RetryPolicy;
use ooni_archive::fingerprints::{built_in, from_bytes};
use ooni_core::fingerprint::Fingerprints;
use serde_json::{Map, Value};
use std::time::Duration;

/// Maximum bytes of a body, an explanation and the metadata of a measurement.
const LONGEST_BODY: u64 = 256 << 20;
const LONGEST_EXPLANATION: u64 = 64 << 20;
const LONGEST_METADATA: u64 = 256 << 20;
/// Maximum bytes of a list of fingerprints.
const LONGEST_LIST: u64 = 20 << 20;

/// What a server publishes about a measurement.
#[derive(Debug)]
pub(super) struct Published {
    /// The explanation, if the server has explanations.
    pub(super) explained: Option<Explained>,
    /// The columns of the row that the server shows.
    pub(super) row: Map<String, Value>,
    /// The body: the stored one with an explanation, else the measurement in it.
    pub(super) body: Vec<u8>,
    /// The fingerprint lists to score it with.
    pub(super) lists: Lists,
}

/// Fingerprint lists.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) lists: Fingerprints,
    pub(super) origin: Origin,
}

/// Where fingerprint lists come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Given,
    BuiltIn,
    Server,
}

/// Gets the explanation and the stored body of a measurement, or its metadata and its content from a server without
/// explanations.
///
/// # Errors
/// The server cannot be reached, or has no row to check. The error names the URL.
pub(super) async fn fetch(server: &str, uid: &str, given: Option<Fingerprints>) -> anyhow::Result<Published> {
    let retry = RetryPolicy {
        attempts: 3,
        first_wait: Duration::from_millis(200),
        longest_wait: Duration::from_secs(2),
        ..RetryPolicy::default()
    };
    let fetcher = Fetcher::new(retry, std::env::temp_dir());
    let url = format!("{server}/api/v1/measurement/{uid}/explanation");
    let explained = match get(&fetcher, &url, LONGEST_EXPLANATION).await {
        Ok(explained) => Some(explained),
        Err(error) if is_missing(&error) => None,
        Err(error) => return Err(error),
    };
    let raw = format!("{server}/api/v1/raw_measurement?measurement_uid={uid}");
    let Some(explained) = explained else {
        let url = format!("{server}/api/v1/measurement_meta?measurement_uid={uid}");
        let row: Map<String, Value> = parse(&get(&fetcher, &url, LONGEST_METADATA).await?, &url)?;
        if row.is_empty() {
            bail!("{url}: the server has no such measurement");
        }
        let body = get(&fetcher, &raw, LONGEST_BODY).await?;
        let lists = match given {
            Some(lists) => Lists { lists, origin: Origin::Given },
            None => Lists { lists: built_in()?, origin: Origin::BuiltIn },
        };
        return Ok(Published { explained: None, row, body, lists });
    };
    let explained: Explained = parse(&explained, &url)?;
    let Some(row) = &explained.row else {
        let why = explained.reason.as_deref().unwrap_or("no reason is given");
        bail!("{url}: there is no row to check: the measurement is {}: {why}", name(explained.status));
    };
    let Value::Object(row) = serde_json::to_value(row)? else { bail!("{url}: the row is not an object") };
    if explained.body.is_none() {
        bail!("{url}: {}", explained.agrees.sentence);
    }
    let body = get(&fetcher, &format!("{raw}&body=stored"), LONGEST_BODY).await?;
    let lists = lists(&fetcher, server, &explained, given).await?;
    Ok(Published { explained: Some(explained), row, body, lists })
}

/// The lists that were given, or the built-in ones; those of the server if the row was made with them.
async fn lists(
    fetcher: &Fetcher,
    server: &str,
    explained: &Explained,
    given: Option<Fingerprints>,
) -> anyhow::Result<Lists> {
    if let Some(lists) = given {
        return Ok(Lists { lists, origin: Origin::Given });
    }
    let lists = built_in()?;
    let wanted = explained.row.as_ref().map_or("", |row| &*row.fingerprints_sha256);
    if wanted == lists.list_sha256() || wanted != explained.fingerprints_sha256 {
        return Ok(Lists { lists, origin: Origin::BuiltIn });
    }
    let mut texts = Vec::new();
    for name in ["dns", "http"] {
        let url = format!("{server}/api/v1/fingerprints/fingerprints_{name}.csv");
        match get(fetcher, &url, LONGEST_LIST).await {
            Ok(text) => texts.push(text),
            Err(error) if is_missing(&error) => return Ok(Lists { lists, origin: Origin::BuiltIn }),
            Err(error) => return Err(error),
        }
    }
    let [dns, http] = &texts[..] else { bail!("two lists were expected") };
    let lists = from_bytes(dns, http).with_context(|| format!("{server}: the fingerprint lists cannot be used"))?;
    Ok(Lists { lists, origin: Origin::Server })
}

async fn get(fetcher: &Fetcher, url: &str, most: u64) -> anyhow::Result<Vec<u8>> {
    let (bytes, _) = fetcher.fetch_bytes(&Source::parse(url), most, None).await?;
    bytes.with_context(|| format!("{url}: the server sent no content"))
}

fn parse<T: serde::de::DeserializeOwned>(text: &[u8], url: &str) -> anyhow::Result<T> {
    serde_json::from_slice(text).with_context(|| format!("{url}: the response cannot be parsed"))
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Stored => "stored",
        Status::Pending => "pending",
        Status::Discarded => "discarded",
        Status::Rejected => "rejected",
        Status::Refused => "refused",
    }
}
