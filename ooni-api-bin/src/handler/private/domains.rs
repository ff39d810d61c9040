//! `GET /api/_/domains`, `GET /api/_/domain_metadata`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use ooni_store::query::aggregate::DomainCounts;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long the answers may be cached, in seconds.
const MAX_AGE: u32 = 7200;

/// The category of a domain that is in no test list.
const MISCELLANEOUS: &str = "MISC";

/// Domains of test lists.
#[derive(Serialize, ToSchema)]
struct Domains {
    results: Vec<DomainCount>,
    /// Always 0.
    v: u8,
}

/// A domain of test lists, and its measurements.
#[derive(Serialize, ToSchema)]
struct DomainCount {
    /// Its category in the global list, or in another list if that does not have it.
    category_code: String,
    /// The domain.
    domain_name: String,
    /// Measurements with web_connectivity.
    measurement_count: u64,
}

/// The category of a domain.
#[derive(Serialize, ToSchema)]
struct DomainMetadata {
    /// The domain as test lists spell it, with or without `www.`.
    canonical_domain: String,
    /// Its category; `MISC` if no test list has it.
    category_code: String,
}

/// Domains of test lists, and their measurements.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/domains",
    tag = "Private",
    summary = "Measurements by domain",
    description = "The domains of the test lists, each with one category and the number of its measurements with web_connectivity, \
        over all time.",
    responses(
        (status = 200, description = "Domains, ordered by name.", body = Domains,
            example = json!({"results": [
                {"category_code": "GRP", "domain_name": "twitter.com", "measurement_count": 5_210_334},
                {"category_code": "GRP", "domain_name": "www.facebook.com", "measurement_count": 6_004_158}
            ], "v": 0}))
    )
)]
pub async fn domains(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let counts = all(&app).await.map_err(|error| error.with("v", 0))?.into_iter();
    let result = |DomainCounts { domain, category_code, measurements }| DomainCount {
        category_code,
        domain_name: domain,
        measurement_count: measurements,
    };
    let domains = Domains { results: counts.map(result).collect(), v: 0 };
    Ok(response::cached(response::json(&domains), Cache::MaxAge(MAX_AGE)))
}

async fn all(app: &App) -> Result<Vec<DomainCounts>, Error> {
    Ok(app.stores.reads()?.domain_counts().await?)
}

/// The category of a domain.
///
/// # Errors
/// 400 without a domain, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/domain_metadata",
    tag = "Private",
    summary = "The category of a domain",
    description = "Looks up a domain in the test lists, with and without `www.`: first in the global list, then in the others. The \
        entry with the shortest URL is used.",
    params(("domain" = String, Query, description = "The domain", example = "www.twitter.com")),
    responses(
        (status = 200, description = "The category.", body = DomainMetadata,
            example = json!({"canonical_domain": "twitter.com", "category_code": "GRP"}))
    )
)]
pub async fn domain_metadata(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let domain = request.query().given("domain").ok_or_else(|| Error::bad_request("missing domain"))?;
    let bare = domain.strip_prefix("www.").unwrap_or(domain);
    let listed = app.stores.reads()?.listed_domains(&[bare.to_owned(), format!("www.{bare}")]).await?;
    let metadata = match listed.into_iter().next() {
        Some(entry) => DomainMetadata { canonical_domain: entry.domain, category_code: entry.category_code },
        None => DomainMetadata { canonical_domain: bare.to_owned(), category_code: MISCELLANEOUS.to_owned() },
    };
    Ok(response::cached(response::json(&metadata), Cache::MaxAge(MAX_AGE)))
}
