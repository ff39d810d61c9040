//! The description of all routes, OpenAPI 3.1, and the page that shows it.
//!
//! What only one route has is in the attributes of its handler; what all routes of a class have in common is added here.

mod errors;
mod examples;
mod page;

use crate::config::Config;
use crate::router::{Class, Handlers, ROUTES, Route};
use crate::version;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::OnceLock;
use utoipa::OpenApi;

pub use errors::{DetailBody, ErrorBody};

/// The name of the API.
const TITLE: &str = "OONI API";

/// What holds for all routes.
const ABOUT: &str = "\
Measurements of internet censorship by OONI Probe: search, counts, single measurements, and the services that probes use.

Times are in UTC. An empty parameter counts as missing, only the first value of a repeated parameter is used, and unknown parameters are \
ignored. `HEAD` works wherever `GET` does, and `OPTIONS` returns the methods of a path.

An error is a JSON object. Its member `error` is a sentence that names the parameter or the member that cannot be used; a few routes have \
`detail` instead, as documented there. On every route, 405 means that the path does not have the method, 431 that the headers are too large, \
and 500 that the server failed.

A client can send the `ETag` of a response in `If-None-Match`, and gets 304 if nothing has changed. Text is compressed (gzip, zstd) if the \
client accepts it. Web pages of any origin may call the API, without credentials.";

/// The sections, and what is in them.
const TAGS: &[(&str, &str)] = &[
    ("Measurements", "Search measurements, count them, and get single ones with the reasons for their scores."),
    ("Private", "What the pages of OONI Explorer show. These routes may change at any time."),
    ("Probe services", "What OONI Probe calls: where it is, what to measure, and where to submit measurements."),
    ("Pages", "Web pages."),
    ("Site", "Health, version, metrics and this documentation."),
    ("Redirects", "Addresses of the former API, which redirect to OONI Explorer."),
];

/// The description, as JSON and as a page. Both are made when they are first needed.
#[derive(Debug)]
pub struct Documentation {
    base_url: String,
    json: OnceLock<Bytes>,
    page: OnceLock<String>,
}

impl Documentation {
    /// The description of a server with these settings.
    pub fn new(config: &Config) -> Documentation {
        Documentation { base_url: config.server.base_url.clone(), json: OnceLock::new(), page: OnceLock::new() }
    }

    /// The document.
    pub fn json(&self) -> Bytes {
        self.json.get_or_init(|| format!("{}\n", document(&self.base_url)).into()).clone()
    }

    /// The page.
    pub fn page(&self) -> &str {
        self.page.get_or_init(|| page::render(&document(&self.base_url), &self.base_url))
    }
}

/// The description of all routes of a server with this public URL.
pub fn document(base_url: &str) -> Value {
    let mut document = serde_json::to_value(Handlers::openapi()).unwrap_or_default();
    set(&mut document, "info", info());
    set(&mut document, "servers", json!([{"url": base_url}]));
    set(&mut document, "tags", TAGS.iter().map(|(name, about)| json!({"name": name, "description": about})).collect());
    if let Some(components) = document.get_mut("components") {
        set(components, "responses", errors::components());
        set(
            components,
            "securitySchemes",
            json!({"password": {"type": "http", "scheme": "basic", "description": "User `prom` and the password of the setting `metrics.password_file`."}}),
        );
    }
    for route in ROUTES {
        if let Some(operation) = operation_mut(&mut document, route) {
            complete(operation, route);
        }
    }
    any_of(&mut document);
    document
}

/// Replaces `oneOf` by `anyOf`: of the alternatives that utoipa describes, an object without required members is valid by
/// several.
fn any_of(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(alternatives) = object.remove("oneOf") {
                object.insert("anyOf".to_owned(), alternatives);
            }
            object.values_mut().for_each(any_of);
        }
        Value::Array(values) => values.iter_mut().for_each(any_of),
        _ => {}
    }
}

/// The path of a route in the document, which has no parameters of more than one part.
pub fn path_of(route: &Route) -> String {
    route.path.replace("{*", "{")
}

fn operation_mut<'d>(document: &'d mut Value, route: &Route) -> Option<&'d mut Value> {
    document.get_mut("paths")?.get_mut(path_of(route))?.get_mut(route.method.to_lowercase())
}

fn info() -> Value {
    let repository = env!("CARGO_PKG_REPOSITORY");
    json!({
        "title": TITLE,
        "version": version::VERSION,
        "description": ABOUT,
        "license": {"name": "BSD 3-Clause", "identifier": env!("CARGO_PKG_LICENSE")},
        "contact": {"name": "OONI", "url": repository},
    })
}

/// Adds to an operation what its class has in common.
fn complete(operation: &mut Value, route: &Route) {
    let Some(object) = operation.as_object_mut() else { return };
    // What handlers say about errors in their documentation is for developers.
    if let Some(Value::String(text)) = object.get_mut("description") {
        let end = text.find("# Errors").unwrap_or(text.len());
        *text = text.get(..end).unwrap_or_default().trim().to_owned();
    }
    if object.get("description").is_none_or(|text| text == "") {
        let summary = object.get("summary").cloned().unwrap_or_default();
        object.insert("description".to_owned(), summary);
    }
    // Pages are named as what they show, which has a route of the same name.
    if route.class == Class::Page
        && let Some(Value::String(id)) = object.get_mut("operationId")
    {
        id.push_str("_page");
    }
    for parameter in object.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(schema) = parameter.get_mut("schema") {
            without_null(schema);
        }
        if let Some(example) = examples::value(parameter) {
            set(parameter, "example", example);
        }
    }
    let query = examples::query(route, object.get("parameters").unwrap_or(&Value::Null));
    if !query.is_empty() {
        object.insert("x-example".to_owned(), json!(query));
    }
    errors::add(operation, route);
}

/// Removes null from the schema of a parameter: an optional one may be missing, which is not null.
fn without_null(schema: &mut Value) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [name] = types.as_slice() {
            let name = name.clone();
            set(schema, "type", name);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [choice] = choices.as_slice() {
            *schema = choice.clone();
        }
    }
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
