//! `POST /api/v1/geolookup`.

use super::schema::{GeolookupRequest, GeolookupResponse};
use super::{body, fresh};
use crate::app::App;
use crate::http::{Error, Request, Response};
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// Addresses in a request at most.
const MAX_ADDRESSES: usize = 1000;

/// Country and network of addresses.
///
/// # Errors
/// 400 for a body that cannot be used.
#[utoipa::path(
    post,
    path = "/api/v1/geolookup",
    tag = "Probe services",
    summary = "Country and network of addresses",
    description = "Looks up addresses in the geolocation files of the server.",
    request_body(content = GeolookupRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"addresses": ["89.160.20.112", "2001:db8::1"]})),
    responses((status = 200, description = "Where the addresses are.", body = GeolookupResponse))
)]
pub async fn geolookup(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let body = body(request).await?;
    let addresses = body.list("addresses")?.unwrap_or_default();
    if addresses.len() > MAX_ADDRESSES {
        return Err(Error::bad_request(format!("addresses: at most {MAX_ADDRESSES} are allowed")));
    }
    let mut found = Map::new();
    for address in addresses {
        let address = address.as_str().and_then(|text| text.parse::<IpAddr>().ok());
        let address = address.ok_or_else(|| Error::bad_request("addresses: IPv4 and IPv6 addresses are expected"))?;
        let place = app.geo.look_up(address);
        let value: Value = json!({"cc": place.cc_or_zz(), "asn": place.asn, "as_name": place.network_name});
        found.insert(address.to_string(), value);
    }
    Ok(fresh(&json!({"v": 1, "geolocation": found})))
}
