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
    let mut missing = Vec::new();
    for (method, path, operation) in operations(&document) {
        let mut require = |holds: bool, what: &str| {
            if !holds {
                missing.push(format!("{method} {path}: {what}"));
            }
        };
        require(ids.insert(operation["operationId"].as_str().unwrap()), "an operationId of its own");
        let has_tag = operation["tags"].as_array().is_some_and(|of| of.len() == 1 && tags.contains(&&of[0]));
        require(has_tag, "one of the tags");
        for key in ["summary", "description"] {
            let text = operation[key].as_str().unwrap_or_default();
            require(!text.is_empty() && !text.contains("# Errors"), key);
        }
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap();
            let has_description = !parameter["description"].as_str().unwrap_or_default().is_empty();
            require(has_description && parameter["schema"].is_object(), &format!("{name}: description and schema"));
            require(parameter["in"] == "header" || !parameter["example"].is_null(), &format!("{name}: an example"));
        }
        let in_path: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let described = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let described: BTreeSet<&str> = described.map(|one| one["name"].as_str().unwrap()).collect();
        require(described == in_path, "the parameters of the path");
        require(method != "POST" || path.ends_with("/close") || operation["requestBody"].is_object(), "the body");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let is_reference = response["$ref"].is_string();
            let has_description = !response["description"].as_str().unwrap_or_default().is_empty();
            require(has_description || is_reference, &format!("{status}: a description"));
            let has_content = status.starts_with('3') || response["content"].is_object() || is_reference;
            require(has_content, &format!("{status}: a content type"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Writes the document and the page, to look at them.
#[test]
fn dump() {
    let server = recorded_server();
    std::fs::write("/tmp/docs-openapi.json", server.get("/openapi.json").body).unwrap();
    std::fs::write("/tmp/docs-page.html", server.get("/apidocs/").body).unwrap();
}
