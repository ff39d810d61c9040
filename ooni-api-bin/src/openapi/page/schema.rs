//! Types of parameters, bodies and their members.

use super::operation::cell;
use super::{prose, text, with_code};
use crate::openapi::examples::shown;
use maud::{Markup, html};
use serde_json::Value;

/// The type that a schema describes, on one line.
pub(super) fn type_of(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    let choices = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema[key].as_array());
    if let Some(choices) = choices {
        return html! { @for (number, choice) in choices.iter().enumerate() { @if number > 0 { " or " } (type_of(choice)) } };
    }
    if let Some(values) = schema["enum"].as_array() {
        return html! { @for (number, value) in values.iter().enumerate() { @if number > 0 { ", " } code { (shown(value)) } } };
    }
    match &schema["type"] {
        Value::String(name) => one(name, schema),
        Value::Array(names) => html! {
            @for (number, name) in names.iter().enumerate() { @if number > 0 { " or " } (one(text(name), schema)) }
        },
        _ => html! { "anything" },
    }
}

fn one(name: &str, schema: &Value) -> Markup {
    html! {
        (name)
        @if name == "array" { " of " (type_of(&schema["items"])) }
        @if let ("string", Some(format)) = (name, schema["format"].as_str()) { " (" (format) ")" }
        @if let ("object", Some(of)) = (name, schema.get("additionalProperties").filter(|of| of.is_object())) { " of " (type_of(of)) }
        @if name == "integer" || name == "number" { (range(schema)) }
    }
}

fn range(schema: &Value) -> Markup {
    html! {
        @match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
            (Some(from), Some(to)) => { " from " (from) " to " (to) }
            (Some(from), None) => { " from " (from) }
            (None, Some(to)) => { " to " (to) }
            (None, None) => {}
        }
    }
}

/// A schema of its own, with its members.
pub(super) fn section(name: &str, schema: &Value) -> Markup {
    let required =
        |member: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == member));
    let members = schema["properties"].as_object().filter(|members| !members.is_empty());
    html! {
        article id={ "schema-" (name) } {
            h3 { (name) }
            (prose(text(&schema["description"])))
            @match members {
                None => { p { "Type: " (type_of(schema)) } }
                Some(members) => {
                    table.cards {
                        thead { tr { th scope="col" { "Member" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                        tbody {
                            @for (member, of) in members {
                                tr {
                                    th scope="row" { code { (member) } @if !required(member) { " " em { "optional" } } }
                                    (cell("Type", &type_of(of)))
                                    (cell("Meaning", &with_code(text(&of["description"]))))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
