//! One operation: its parameters, its body, its responses, and a request to try.

use super::schema::type_of;
use super::{breakable, prose, text, with_code};
use crate::openapi::examples::{encoded, shown};
use maud::{Markup, html};
use serde_json::Value;

/// An operation of the document.
pub(super) struct Operation<'d> {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) value: &'d Value,
}

impl Operation<'_> {
    pub(super) fn id(&self) -> &str {
        text(&self.value["operationId"])
    }

    pub(super) fn summary(&self) -> &str {
        text(&self.value["summary"])
    }

    /// Whether it is in the section of a tag.
    pub(super) fn is_of(&self, tag: &Value) -> bool {
        self.value["tags"].as_array().is_some_and(|tags| tags.contains(&tag["name"]))
    }

    pub(super) fn render(&self, document: &Value, base_url: &str) -> Markup {
        let example = self.example();
        let parameters = self.value["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let has_examples = parameters.iter().any(|parameter| !parameter["example"].is_null());
        html! {
            article.operation id=(self.id()) {
                h3 {
                    a href={ "#" (self.id()) } { (self.method) " " code { (breakable(&self.path)) } }
                }
                p { strong { (with_code(self.summary())) } }
                @if self.value["description"] != self.value["summary"] { (prose(text(&self.value["description"]))) }
                @if !parameters.is_empty() {
                    table.cards {
                        caption { "Parameters" }
                        thead {
                            tr {
                                th scope="col" { "Name" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "Meaning" }
                                @if has_examples { th scope="col" { "Example" } }
                            }
                        }
                        tbody { @for parameter in parameters { (self.parameter(parameter, has_examples)) } }
                    }
                }
                @if let Some(body) = self.value.get("requestBody") { (request_body(body)) }
                table.cards {
                    caption { "Responses" }
                    thead { tr { th scope="col" { "Status" } th scope="col" { "Meaning" } th scope="col" { "Body" } } }
                    tbody {
                        @for (status, response) in self.value["responses"].as_object().into_iter().flatten() {
                            (row(status, resolved(document, response)))
                        }
                    }
                }
                pre { code { (self.curl(base_url, &example)) } }
                @if self.method == "GET" { p { a href=(example) aria-label={ "Try it: " (self.summary()) } { "Try it" } } }
            }
        }
    }

    fn parameter(&self, parameter: &Value, has_examples: bool) -> Markup {
        html! {
            tr {
                th scope="row" { code { (text(&parameter["name"])) } @if parameter["required"] == true { " " em { "required" } } }
                (cell("In", &html! { (text(&parameter["in"])) }))
                (cell("Type", &type_of(&parameter["schema"])))
                (cell("Meaning", &with_code(text(&parameter["description"]))))
                @if let (true, Some(example)) = (has_examples, parameter.get("example")) {
                    (cell("Example", &html! { code { (shown(example)) } }))
                } @else if has_examples {
                    td {}
                }
            }
        }
    }

    /// The path and the query of the example.
    fn example(&self) -> String {
        let mut path = self.path.clone();
        for parameter in self.value["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path") {
            let value = parameter.get("example").map(shown).unwrap_or_default();
            path = path.replace(&format!("{{{}}}", text(&parameter["name"])), &encoded(&value));
        }
        match self.value.get("x-example").and_then(Value::as_str) {
            Some(query) => format!("{path}?{query}"),
            None => path,
        }
    }

    fn curl(&self, base_url: &str, example: &str) -> String {
        let url = format!("'{base_url}{example}'");
        let body = self.value["requestBody"]["content"]
            .as_object()
            .and_then(|content| content.values().find_map(|media| media.get("example")));
        match (self.method, body) {
            ("GET", _) => format!("curl {url}"),
            ("POST", Some(body)) => format!("curl {url} --json '{body}'"),
            (method, Some(body)) => format!("curl -X {method} {url} --json '{body}'"),
            (method, None) => format!("curl -X {method} {url}"),
        }
    }
}

/// What a reference refers to, or the value itself.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let path = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    path.and_then(|path| document.pointer(path)).unwrap_or(value)
}

fn request_body(body: &Value) -> Markup {
    html! {
        p { "Body: " (with_code(text(&body["description"]))) }
        ul {
            @for (media_type, content) in body["content"].as_object().into_iter().flatten() {
                li { code { (media_type) } @if let Some(schema) = content.get("schema") { ": " (type_of(schema)) } }
            }
        }
    }
}

/// A response.
fn row(status: &str, response: &Value) -> Markup {
    html! {
        tr {
            th scope="row" { (status) }
            (cell("Meaning", &html! {
                (with_code(text(&response["description"])))
                @for (name, header) in response["headers"].as_object().into_iter().flatten() {
                    " Header " code { (name) } ": " (with_code(text(&header["description"])))
                }
            }))
            (cell("Body", &html! {
                @for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                    div { code { (media_type) } @if let Some(schema) = content.get("schema") { ": " (type_of(schema)) } }
                }
            }))
        }
    }
}

/// A cell of a table whose columns are below one another on narrow screens.
pub(super) fn cell(label: &str, content: &Markup) -> Markup {
    html! { td data-label=(label) { div { (content) } } }
}
