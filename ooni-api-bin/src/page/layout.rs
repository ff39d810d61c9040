//! What all pages share: the document, its header and footer, and the headers of the response.

use super::style::VERSION as STYLE_VERSION;
use crate::http::Response;
use crate::http::response::of_bytes;
use crate::version::VERSION;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use maud::{DOCTYPE, Markup, html};

/// What a page may load: its style sheet and images of this server. No scripts.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The icon: bars of a chart.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%230a5c8c' \
                    d='M1 8h4v7H1zM6 1h4v14H6zM11 5h4v10h-4z'/%3E%3C/svg%3E";

/// The entries of the navigation.
const PLACES: [(&str, &str); 4] =
    [("/", "Overview"), ("/search", "Search"), ("/apidocs/", "API"), ("/health", "Health")];

/// A page with a title. `place` is the path in the navigation that the page belongs to.
pub fn document(title: &str, place: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – OONI backend" }
                link rel="stylesheet" href=(style_path());
                link rel="icon" href=(ICON);
            }
            body {
                a class="skip" href="#main" { "Skip to content" }
                header class="site" {
                    a class="name" href="/" { "OONI backend" }
                    nav aria-label="Site" {
                        ul {
                            @for (path, name) in PLACES {
                                li { a href=(path) aria-current=[(path == place).then_some("page")] { (name) } }
                            }
                        }
                    }
                }
                main id="main" tabindex="-1" { (content) }
                footer class="site" {
                    p { "ooni-api " (VERSION) ". All times are in UTC." }
                    p {
                        "Measurements are data of the "
                        abbr title="Open Observatory of Network Interference" { "OONI" }
                        " community, collected by volunteers all over the world."
                    }
                }
            }
        }
    }
}

/// The path of the style sheet. It changes with the style sheet, so a browser never shows a page with an old one.
fn style_path() -> String {
    format!("/static/style.css?v={STYLE_VERSION:016x}")
}

/// A document as a response, without a cache header.
pub fn response(status: StatusCode, document: Markup) -> Response {
    let mut response = of_bytes(status, "text/html; charset=utf-8", document.into_string());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A table, or other wide content, that scrolls within the page. `id` is that of an element with its name.
pub fn scrolling(id: &str, content: &Markup) -> Markup {
    html! { div class="scroll" role="region" tabindex="0" aria-labelledby=(id) { (content) } }
}
