//! `GET /api/v2/ooniprobe/vpn-config/{provider}`.

use crate::app::App;
use crate::http::{Error, Request, Response, response};
use bytes::Bytes;
use hyper::StatusCode;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

/// The provider that the reference has, and that probes ask for.
const REFERENCE: &str = "riseupvpn";

/// The length of a provider's name.
const LONGEST_NAME: usize = 64;

/// Maximum size of a file, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// The configured file of a VPN provider, unchanged.
///
/// # Errors
/// 404 for an unknown provider, 500 if the provider has no valid file.
#[utoipa::path(
    get,
    path = "/api/v2/ooniprobe/vpn-config/{provider}",
    tag = "Probe services",
    summary = "Credentials and endpoints of a VPN provider",
    description = "What the test openvpn needs to connect to a provider. Each provider is a JSON file in the directory \
        `probe.vpn_config`, which is returned unchanged. Errors have their reason in `detail`.",
    params(("provider" = String, Path, description = "The provider", example = "riseupvpn")),
    responses(
        (status = 200, description = "The provider's file.", body = Object,
            example = json!({
                "provider": "riseupvpn",
                "protocol": "openvpn",
                "config": {
                    "ca": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
                    "cert": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
                    "key": "-----BEGIN RSA PRIVATE KEY-----\n…\n-----END RSA PRIVATE KEY-----\n"
                },
                "date_updated": "2025-07-15T10:30:00.000000Z",
                "endpoints": ["openvpn://riseupvpn.corp/?address=192.0.2.1:1194&transport=tcp"]
            })),
        (status = 404, description = "The provider is unknown.", content_type = "application/json",
            example = json!({"detail": "provider not found"})),
        (status = 500, description = "The provider is known, but no valid file is configured.", content_type = "application/json",
            example = json!({"detail": "could not fetch credentials"}))
    )
)]
pub async fn vpn_config(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let (provider, directory) = (request.param("provider").to_owned(), app.config.probe.vpn_config.clone());
    if !is_name(&provider) {
        return Err(not_found());
    }
    if directory.as_os_str().is_empty() {
        return Err(without_file(&provider));
    }
    let path = directory.join(format!("{provider}.json"));
    let reading = tokio::task::spawn_blocking(move || (read(&path), path));
    match reading.await {
        Ok((Ok(file), _)) => Ok(response::of_bytes(StatusCode::OK, "application/json", file)),
        Ok((Err(error), _)) if error.kind() == io::ErrorKind::NotFound => Err(without_file(&provider)),
        Ok((Err(error), path)) => {
            tracing::warn!(path = %path.display(), %error, "the file of a VPN provider cannot be used");
            Err(no_credentials())
        }
        Err(error) => {
            tracing::error!(%error, "the file of a VPN provider cannot be read");
            Err(no_credentials())
        }
    }
}

/// Whether a text can be the name of a provider. Such a text never leaves the directory.
fn is_name(text: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_valid)
}

/// A regular file with a JSON object.
fn read(path: &Path) -> io::Result<Bytes> {
    // A pipe would block until something is written to it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other(format!("longer than {LONGEST_FILE} bytes")));
    }
    let _: HashMap<String, IgnoredAny> = serde_json::from_slice(&text)?;
    Ok(text.into())
}

/// The error for a provider without a file.
fn without_file(provider: &str) -> Error {
    if provider == REFERENCE { no_credentials() } else { not_found() }
}

fn not_found() -> Error {
    Error::detail(StatusCode::NOT_FOUND, "provider not found")
}

fn no_credentials() -> Error {
    Error::detail(StatusCode::INTERNAL_SERVER_ERROR, "could not fetch credentials")
}
