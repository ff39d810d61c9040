//! The page that shows the document, without scripts and without anything from elsewhere.

mod operation;
mod schema;

use self::operation::Operation;
use super::path_of;
use crate::page::layout;
use crate::router::ROUTES;
use maud::{Markup, html};
use serde_json::Value;

/// The page of a document.
pub(super) fn render(document: &Value, base_url: &str) -> String {
    let info = &document["info"];
    let title = text(&info["title"]);
    let operations: Vec<Operation<'_>> = ROUTES
        .iter()
        .filter_map(|route| {
            let path = path_of(route);
            let value = document["paths"].get(&path)?.get(route.method.to_lowercase())?;
            Some(Operation { method: route.method, path, value })
        })
        .collect();
    let content = html! {
        h1 { (title) " " small { (text(&info["version"])) } }
        (prose(text(&info["description"])))
        p {
            "All of this as a document for programs: " a href="/openapi.json" { "openapi.json" } " (OpenAPI 3.1). "
            "Source: " a href=(text(&info["contact"]["url"])) { (text(&info["contact"]["url"])) } ", "
            (text(&info["license"]["name"])) "."
        }
        nav.contents aria-labelledby="contents" {
            h2 id="contents" { "Contents" }
            ul {
                @for tag in sections(document) {
                    li {
                        a href={ "#" (anchor(text(&tag["name"]))) } { (text(&tag["name"])) }
                        ul {
                            @for operation in operations.iter().filter(|operation| operation.is_of(tag)) {
                                li {
                                    a href={ "#" (operation.id()) } {
                                        code { (operation.method) " " (breakable(&operation.path)) }
                                    }
                                    " " (with_code(operation.summary()))
                                }
                            }
                        }
                    }
                }
                li { a href="#schemas" { "Schemas" } }
            }
        }
        @for tag in sections(document) {
            section id=(anchor(text(&tag["name"]))) {
                h2 { (text(&tag["name"])) }
                (prose(text(&tag["description"])))
                @for operation in operations.iter().filter(|operation| operation.is_of(tag)) {
                    (operation.render(document, base_url))
                }
            }
        }
        section id="schemas" {
            h2 { "Schemas" }
            @for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
                (schema::section(name, schema))
            }
        }
    };
    layout::document(title, "/apidocs/", &content).into_string()
}

fn sections(document: &Value) -> impl Iterator<Item = &Value> {
    document["tags"].as_array().into_iter().flatten()
}

/// A string of the document; empty if it is missing.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The id of a section.
fn anchor(name: &str) -> String {
    format!("tag-{}", name.to_lowercase().replace(' ', "-"))
}

/// A path that can be broken after each of its parts.
fn breakable(path: &str) -> Markup {
    html! { @for (number, part) in path.split('/').enumerate() { @if number > 0 { "/" wbr; } (part) } }
}

/// Paragraphs and lists, with code between backticks: as much of CommonMark as descriptions use.
fn prose(text: &str) -> Markup {
    html! {
        @for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
            @if paragraph.starts_with("- ") || paragraph.starts_with("* ") {
                ul { @for item in items(paragraph) { li { (with_code(&item)) } } }
            } @else {
                p { (with_code(paragraph)) }
            }
        }
    }
}

/// The items of a list. A line that does not start one belongs to the item before.
fn items(list: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in list.lines() {
        match (line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")), items.last_mut()) {
            (None, Some(item)) => {
                item.push(' ');
                item.push_str(line.trim());
            }
            (start, _) => items.push(start.unwrap_or(line).to_owned()),
        }
    }
    items
}

/// A text with code between backticks.
fn with_code(text: &str) -> Markup {
    html! {
        @for (number, part) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
