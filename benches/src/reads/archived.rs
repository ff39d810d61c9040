//! Measurements whose bodies are in the archive, so that they can be read.

use crate::bodies;
use crate::http::Connection;
use crate::server::{self, Server};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The uids of measurements that are archived in the state directory of a folder. So many are submitted the first time.
///
/// # Errors
/// They cannot be submitted or archived.
pub fn uids(program: &Path, folder: &Path, url: &str, number: u64) -> Result<Vec<String>> {
    let file = folder.join("archived.json");
    if let Ok(text) = fs::read(&file) {
        return Ok(serde_json::from_slice(&text)?);
    }
    // Bodies leave the log when they are archived.
    let settings = [("OONI_API_INTAKE_REPEAT_WINDOW", "0")];
    let server = Server::start(program, folder, Some(url), &settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let uids = runtime.block_on(submit(&server, number))?;
    server.wait_until_scored(Duration::from_secs(60))?;
    server.stop()?;
    server::archive(program, folder, url, &settings)?;
    fs::write(&file, serde_json::to_vec(&uids)?)?;
    Ok(uids)
}

async fn submit(server: &Server, number: u64) -> Result<Vec<String>> {
    let mut connection = Connection::open(server.address()).await?;
    let (mut uids, mut request) = (Vec::new(), Vec::new());
    for (number, body) in bodies::of_hour(number, now()?.as_secs())?.iter().enumerate() {
        body.request(number as u64, &mut request);
        let answer = connection.exchange(&request).await?;
        ensure!(answer.status == 200, "a submission was answered with {}", answer.status);
        let answer: serde_json::Value = serde_json::from_slice(answer.body)?;
        uids.push(answer["measurement_uid"].as_str().context("no uid")?.to_owned());
    }
    Ok(uids)
}

/// The time since 1970.
///
/// # Errors
/// The clock is before it.
pub fn now() -> Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}
