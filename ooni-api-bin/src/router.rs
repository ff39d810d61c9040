//! The routes: one line for each, with its method, path and handler.

use crate::app::App;
use crate::handler;
use crate::http::{Error, Request, Response};
use hyper::Method;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What handles a route.
pub type Handler = fn(Arc<App>, Request) -> Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// What handles it.
    pub handler: Handler,
}

macro_rules! routes {
    ($($method:ident $path:literal => $($name:ident)::+;)*) => {
        &[$(Route {
            method: stringify!($method),
            path: $path,
            handler: |app, request| Box::pin(handler::$($name)::+(app, request)),
        }),*]
    };
}

/// All routes.
pub const ROUTES: &[Route] = routes! {
    // Bodies of measurements (API spec §4.3, §4.4).
    GET "/api/v1/raw_measurement" => measurement::raw::raw_measurement;
    GET "/api/v1/measurement/{measurement_uid}" => measurement::by_uid::measurement;
    // The site itself (API spec §12).
    GET "/health" => site::health::health;
    GET "/version" => site::version::version;
    GET "/metrics" => site::metrics::metrics;
    GET "/robots.txt" => site::pages::robots;
    GET "/invalidpath" => site::pages::invalid_path;
    GET "/api/" => site::pages::api;

    // What probes call before a run (API spec §5.1 to §5.10).
    POST "/api/v1/check-in" => probe::check_in::check_in;
    POST "/api/_/check-in" => probe::private_check_in::private_check_in;
    GET "/api/v1/test-list/urls" => probe::test_list_urls::test_list_urls;
    GET "/api/_/debug_prioritization" => probe::debug_prioritization::debug_prioritization;
    GET "/api/_/show_countries_prioritization" => probe::show_countries_prioritization::show_countries_prioritization;
    GET "/api/v1/test-helpers" => probe::test_helpers::test_helpers;
    GET "/api/v1/collectors" => probe::collectors::collectors;
    POST "/api/v1/register" => probe::register::register;
    POST "/api/v1/login" => probe::login::login;
    PUT "/api/v1/update/{client_id}" => probe::update::update;
    GET "/api/v1/test-list/psiphon-config" => probe::psiphon_config::psiphon_config;
    GET "/api/v1/test-list/tor-targets" => probe::tor_targets::tor_targets;
    POST "/api/v1/geolookup" => probe::geolookup::geolookup;
    POST "/bouncer/net-tests" => probe::net_tests::net_tests;

    // Reports and submissions (API spec §5.11 to §5.14).
    POST "/report" => probe::open_report::open_report;
    POST "/report/{report_id}" => probe::submit_report::submit_report;
    POST "/report/{report_id}/close" => probe::close_report::close_report;
    GET "/api/v1/manifest" => probe::manifest::manifest;
    POST "/api/v1/sign_credential" => probe::sign_credential::sign_credential;
    POST "/api/v1/submit_measurement" => probe::submit_measurement::submit_measurement;
    GET "/api/_/check_report_id" => probe::check_report_id::check_report_id;
};

/// The routes of the listener for metrics.
pub const METRICS_ROUTES: &[Route] = routes! {
    GET "/health" => site::health::health;
    GET "/metrics" => site::metrics::own_listener;
};

/// The routes of the listener for the reference's feed.
pub const FEED_ROUTES: &[Route] = routes! {
    POST "/{uid}" => feed::feed;
};

/// The routes by path and method.
#[derive(Debug)]
pub struct Router {
    paths: matchit::Router<Vec<Route>>,
}

/// A route that was found, and the parameters in its path, percent-decoded.
#[derive(Debug)]
pub struct Found {
    /// What handles it.
    pub handler: Handler,
    /// Its path, with parameters in braces: the label of metrics.
    pub path: &'static str,
    /// Parameters of the path.
    pub params: Vec<(String, String)>,
}

impl Router {
    /// A router for these routes.
    ///
    /// # Errors
    /// A sentence, when two routes conflict.
    pub fn new(routes: &[Route]) -> Result<Router, String> {
        let mut by_path: Vec<(&'static str, Vec<Route>)> = Vec::new();
        for route in routes {
            match by_path.iter_mut().find(|(path, _)| *path == route.path) {
                Some((path, of_path)) if of_path.iter().any(|other| other.method == route.method) => {
                    return Err(format!("{} {path}: two routes", route.method));
                }
                Some((_, of_path)) => of_path.push(*route),
                None => by_path.push((route.path, vec![*route])),
            }
        }
        let mut paths = matchit::Router::new();
        for (path, routes) in by_path {
            paths.insert(path, routes).map_err(|error| format!("{path}: {error}"))?;
        }
        Ok(Router { paths })
    }

    /// The route of a request. `HEAD` goes to the handler of `GET` (API spec §1.1).
    ///
    /// # Errors
    /// 404 for an unknown path, 405 for a method that the path does not have.
    pub fn find(&self, method: &Method, path: &str) -> Result<Found, Error> {
        let matched = self.paths.at(path).map_err(|_| Error::not_found("Not Found"))?;
        let routes = matched.value;
        let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
        let Some(route) = routes.iter().find(|route| route.method == wanted) else {
            return Err(Error::method_not_allowed(&allowed(routes)));
        };
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let params = matched.params.iter().map(|(name, value)| (name.to_owned(), decode(value))).collect();
        Ok(Found { handler: route.handler, path: route.path, params })
    }

    /// The methods of a path, as in the header `Allow`. `None` for an unknown path.
    pub fn allowed(&self, path: &str) -> Option<String> {
        self.paths.at(path).ok().map(|matched| allowed(matched.value))
    }
}

/// The value of the header `Allow`.
fn allowed(routes: &[Route]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}
