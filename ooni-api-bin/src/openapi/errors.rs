//! The errors that routes have in common, by their class (API spec §1.4).

use crate::router::{Class, Route};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// The body of an error. Some routes add more members.
#[derive(Debug, ToSchema)]
pub struct ErrorBody {
    /// What was wrong. It names the parameter or the member that cannot be used.
    #[schema(example = "limit: a number from 1 to 1000000 is expected")]
    pub error: String,
}

/// The body of an error of the routes that have `detail`.
#[derive(Debug, ToSchema)]
pub struct DetailBody {
    /// A sentence, or an object with `error` and `message`.
    #[schema(value_type = Value)]
    pub detail: Value,
}

/// An error that many routes have.
struct Common {
    status: &'static str,
    /// Its name in the document.
    name: &'static str,
    about: &'static str,
    /// A header that it has, and what the header says.
    header: Option<(&'static str, &'static str)>,
}

const COMMON: &[Common] = &[
    Common { status: "400", name: "BadRequest", about: "A parameter or the body cannot be used.", header: None },
    Common {
        status: "405",
        name: "MethodNotAllowed",
        about: "The path does not have this method.",
        header: Some(("Allow", "The methods of the path.")),
    },
    Common { status: "408", name: "RequestTimeout", about: "The body did not arrive in time.", header: None },
    Common { status: "413", name: "TooLarge", about: "The body is too large.", header: None },
    Common {
        status: "429",
        name: "TooManyRequests",
        about: "The client has used its quota.",
        header: Some(("X-RateLimit-Remaining", "What is left of the quota: 0.")),
    },
    Common { status: "431", name: "HeadersTooLarge", about: "The headers or the URL are too large.", header: None },
    Common {
        status: "503",
        name: "Unavailable",
        about: "The server is overloaded, or its database cannot be reached.",
        header: Some(("Retry-After", "Seconds after which to try again.")),
    },
    Common { status: "504", name: "Timeout", about: "The query took too long.", header: None },
];

/// The routes whose errors have `detail`.
const WITH_DETAIL: &[&str] = &[
    "/api/v1/submit_measurement",
    "/api/v1/sign_credential",
    "/api/v1/manifest",
    "/api/v2/ooniprobe/vpn-config/{provider}",
    "/api/v1/observations",
    "/api/v1/analysis",
    "/api/v1/aggregation/observations",
    "/api/v1/aggregation/observations/ctrl",
    "/api/v1/aggregation/analysis",
    "/api/v1/detector/changepoints",
];

/// Whether a common error never reaches the handler, so that its body does not depend on the route.
fn is_before_handler(status: &str) -> bool {
    matches!(status, "405" | "429" | "431")
}

/// The responses that operations refer to.
pub(super) fn components() -> Value {
    COMMON.iter().map(|common| (common.name.to_owned(), response(common, "ErrorBody"))).collect::<Map<_, _>>().into()
}

/// Adds the common errors of a route, and the body to those that its handler describes without one.
pub(super) fn add(operation: &mut Value, route: &Route) {
    let has_body = operation.get("requestBody").is_some();
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let has_query = parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "query"));
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let with_detail = WITH_DETAIL.contains(&route.path);
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        if response.get("content").is_none() && response.get("$ref").is_none() {
            let has_detail = with_detail && !is_before_handler(status);
            let schema = reference("schemas", if has_detail { "DetailBody" } else { "ErrorBody" });
            super::set(response, "content", json!({"application/json": {"schema": schema}}));
        }
    }
    let reads = matches!(route.class, Class::Measurement | Class::Private | Class::Page);
    for common in COMMON {
        let applies = match common.status {
            "400" => has_query || has_body,
            "408" | "413" => has_body,
            "429" => route.class == Class::Measurement,
            "503" => reads || has_body,
            "504" => reads,
            _ => true,
        };
        if applies && !responses.contains_key(common.status) {
            let described = match () {
                () if is_before_handler(common.status) => reference("responses", common.name),
                () if route.class == Class::Page => page(common),
                () if with_detail && route.class != Class::Measurement => response(common, "DetailBody"),
                () => reference("responses", common.name),
            };
            responses.insert(common.status.to_owned(), described);
        }
    }
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

fn response(common: &Common, schema: &str) -> Value {
    let content = json!({"application/json": {"schema": reference("schemas", schema)}});
    let mut response = json!({"description": common.about, "content": content});
    if let (Some((name, about)), Some(response)) = (common.header, response.as_object_mut()) {
        let mut headers = Map::new();
        headers.insert(name.to_owned(), json!({"description": about, "schema": {"type": "string"}}));
        response.insert("headers".to_owned(), headers.into());
    }
    response
}

/// The error of a page, which is a page too, unless the request did not get as far as its handler.
fn page(common: &Common) -> Value {
    let mut response = response(common, "ErrorBody");
    if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
        content.insert("text/html".to_owned(), json!({"schema": {"type": "string"}}));
    }
    response
}
