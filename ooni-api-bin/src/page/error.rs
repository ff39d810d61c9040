//! Errors as pages.

use super::layout::{document, response};
use crate::http::response::{Cache, cached};
use crate::http::{Error, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use maud::{Markup, html};

/// The page of an error, with the headers of the error.
pub fn page(error: Error) -> Response {
    let (status, message) = (error.status(), error.message().to_owned());
    let title = title(status);
    let content = html! {
        h1 { (title) }
        @if !message.is_empty() && message != title { p class="lead" { (message) } }
        (advice(status))
    };
    let mut page = response(status, document(title, "", &content));
    for (name, value) in error.into_response().headers() {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            page.headers_mut().insert(name, value.clone());
        }
    }
    cached(page, Cache::None)
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "Invalid request",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "Not available at the moment",
        StatusCode::GATEWAY_TIMEOUT => "This took too long",
        StatusCode::NOT_IMPLEMENTED => "Not implemented",
        status if status.is_client_error() => "Invalid request",
        _ => "Something went wrong",
    }
}

/// What a person can do.
fn advice(status: StatusCode) -> Markup {
    html! {
        p {
            @match status {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    "Please try again in a minute. " a href="/health" { "The state of the server" } " says what is wrong."
                }
                StatusCode::GATEWAY_TIMEOUT => {
                    "Try a shorter period, one country or one test. " a href="/search" { "Search again" }
                }
                StatusCode::NOT_FOUND => { a href="/search" { "Search for measurements" } }
                _ => { a href="/" { "To the overview" } }
            }
        }
    }
}
