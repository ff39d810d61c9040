//! The documentation: that it has all routes, that it is valid, and that the server answers as it says.

use crate::support::Server;
use crate::support::recorded::{recorded_clock, recorded_server};
use ooni_api::openapi::{document, path_of};
use ooni_api::router::ROUTES;
use serde_json::Value;
use std::collections::BTreeSet;

const BASE_URL: &str = "https://api.example.org";

/// Method, path and operation of everything in the document.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation));
        }
    }
    found
}

#[test]
fn the_document_has_the_routes_of_the_router_and_no_others() {
    let document = document(BASE_URL);
    let documented: BTreeSet<_> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| (route.method.to_owned(), path_of(route))).collect();
    assert_eq!(documented, routes);
}

#[test]
fn every_operation_is_described() {
    let document = document(BASE_URL);
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}: its id is that of another operation");
        assert!(operation["tags"].as_array().is_some_and(|of| of.len() == 1 && tags.contains(&&of[0])), "{name}: tags");
        for key in ["summary", "description"] {
            let text = operation[key].as_str().unwrap_or_default();
            assert!(!text.is_empty() && !text.contains("# Errors"), "{name}: {key}: {text:?}");
        }
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        for parameter in parameters {
            let of = format!("{name}: {}", parameter["name"]);
            assert!(!parameter["description"].as_str().unwrap_or_default().is_empty(), "{of}: no description");
            assert!(parameter["schema"].is_object(), "{of}: no schema");
            assert!(parameter["in"] != "path" || !parameter["example"].is_null(), "{of}: no example");
        }
        let in_path: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let described = parameters.iter().filter(|parameter| parameter["in"] == "path");
        assert_eq!(described.map(|one| one["name"].as_str().unwrap()).collect::<BTreeSet<_>>(), in_path, "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let is_described = !response["description"].as_str().unwrap_or_default().is_empty();
            assert!(is_described || response["$ref"].is_string(), "{name}: {status} has no description");
            let has_content = status.starts_with('3') || response["content"].is_object() || response["$ref"].is_string();
            assert!(has_content, "{name}: {status} has no content type");
        }
    }
}
