//! The routes: one line for each, with its method, path and handler.

use crate::app::App;
use crate::handler;
use crate::handler::site::legacy::is_date;
use crate::http::{Error, Request, Response};
use hyper::Method;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What handles a route.
pub type Handler = fn(Arc<App>, Request) -> Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// What a route is for: which limits it has, and what gives way when the server is overloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Measurements for researchers: limited by client, cached, refused under overload.
    Measurement,
    /// What Explorer's pages ask: cached, refused under overload.
    Private,
    /// Probe services.
    Probe,
    /// Submissions: never limited.
    Submission,
    /// Health, documentation, redirects.
    Site,
    /// Pages for people: cached, refused under overload.
    Page,
}

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// What it is for.
    pub class: Class,
    /// Its method.
    pub method: &'static str,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// What handles it.
    pub handler: Handler,
}

macro_rules! routes {
    ($($class:ident { $($method:ident $path:literal => $($name:ident)::+;)* })*) => {
        &[$($(Route {
            class: Class::$class,
            method: stringify!($method),
            path: $path,
            handler: |app, request| Box::pin(handler::$($name)::+(app, request)),
        }),*),*]
    };
}

/// The routes of the server, and the description that their handlers have of them.
macro_rules! site {
    ($($class:ident { $($method:ident $path:literal => $($name:ident)::+;)* })*) => {
        /// All routes.
        pub const ROUTES: &[Route] = routes! { $($class { $($method $path => $($name)::+;)* })* };

        /// The handlers of all routes, from whose attributes `openapi` makes the description.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($(handler::$($name)::+),*),*))]
        pub(crate) struct Handlers;
    };
}

site! {
    // Measurements (API spec §4).
    Measurement {
        GET "/api/v1/measurements" => measurement::list::measurements;
        GET "/api/v1/raw_measurement" => measurement::raw::raw_measurement;
        GET "/api/v1/measurement/{measurement_uid}" => measurement::by_uid::measurement;
        GET "/api/v1/measurement_meta" => measurement::meta::measurement_meta;
        GET "/api/v1/measurement/{measurement_uid}/explanation" => measurement::explanation::explanation;
        GET "/api/v1/fingerprints/{file}" => measurement::fingerprints::fingerprints;
        GET "/api/v1/aggregation" => measurement::aggregation::aggregation;
        GET "/api/v1/torsf_stats" => measurement::torsf_stats::torsf_stats;
        GET "/api/v1/files" => measurement::files::files;
        GET "/api/v1/observations" => measurement::observations::observations;
        GET "/api/v1/analysis" => measurement::observations::analysis;
        GET "/api/v1/aggregation/observations" => measurement::observations::aggregation_observations;
        GET "/api/v1/aggregation/observations/ctrl" => measurement::observations::aggregation_observations_ctrl;
        GET "/api/v1/aggregation/analysis" => measurement::observations::aggregation_analysis;
        GET "/api/v1/detector/changepoints" => measurement::observations::changepoints;
    }

    // What Explorer's pages ask (API spec §6).
    Private {
        GET "/api/_/asn_by_month" => private::months::asn_by_month;
        GET "/api/_/countries_by_month" => private::months::countries_by_month;
        GET "/api/_/global_overview" => private::overview::global_overview;
        GET "/api/_/global_overview_by_month" => private::months::global_overview_by_month;
        GET "/api/_/countries" => private::overview::countries;
        GET "/api/_/country_overview" => private::overview::country_overview;
        GET "/api/_/test_names" => private::test_names::test_names;
        GET "/api/_/networks" => private::networks::networks;
        GET "/api/_/asnmeta" => private::networks::asnmeta;
        GET "/api/_/network_stats" => private::networks::network_stats;
        GET "/api/_/domains" => private::domains::domains;
        GET "/api/_/domain_metadata" => private::domains::domain_metadata;
        GET "/api/_/test_coverage" => private::coverage::test_coverage;
        GET "/api/_/website_networks" => private::websites::website_networks;
        GET "/api/_/website_stats" => private::websites::website_stats;
        GET "/api/_/website_urls" => private::websites::website_urls;
        GET "/api/_/vanilla_tor_stats" => private::vanilla_tor::vanilla_tor_stats;
        GET "/api/_/im_networks" => private::instant_messaging::im_networks;
        GET "/api/_/im_stats" => private::instant_messaging::im_stats;
        GET "/api/_/circumvention_stats_by_country" => private::circumvention::circumvention_stats_by_country;
        GET "/api/_/circumvention_runtime_stats" => private::circumvention::circumvention_runtime_stats;
        GET "/api/_/account_metadata" => private::account::account_metadata;
        GET "/api/_/quotas_summary" => private::account::quotas_summary;
        GET "/api/_/measurement_feedback/{measurement_uid}" => private::feedback::measurement_feedback;
        POST "/api/_/measurement_feedback" => private::feedback::submit_feedback;
    }

    // What probes call besides submissions (API spec §5).
    Probe {
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
        GET "/api/v1/manifest" => probe::manifest::manifest;
        POST "/api/v1/sign_credential" => probe::sign_credential::sign_credential;
        GET "/api/_/check_report_id" => probe::check_report_id::check_report_id;
        GET "/api/v2/ooniprobe/vpn-config/{provider}" => probe::vpn_config::vpn_config;
    }

    // Reports and submissions (API spec §5.11, §5.12).
    Submission {
        POST "/report" => probe::open_report::open_report;
        POST "/report/{report_id}" => probe::submit_report::submit_report;
        POST "/report/{report_id}/close" => probe::close_report::close_report;
        POST "/api/v1/submit_measurement" => probe::submit_measurement::submit_measurement;
    }

    // The site itself (API spec §12).
    Site {
        GET "/health" => site::health::health;
        GET "/version" => site::version::version;
        GET "/metrics" => site::metrics::metrics;
        GET "/robots.txt" => site::pages::robots;
        GET "/invalidpath" => site::pages::invalid_path;
        GET "/api/" => site::pages::api;
        GET "/openapi.json" => site::docs::openapi;
        GET "/apispec_1.json" => site::docs::apispec;
        GET "/apidocs/" => site::docs::apidocs;
        GET "/apidocs" => site::docs::apidocs_redirect;
        GET "/whoami" => site::legacy::whoami;
        GET "/stats" => site::legacy::stats;
        GET "/files" => site::legacy::files;
        GET "/files/by_date" => site::legacy::files_by_date;
        GET "/files/by_date/{date}" => site::legacy::files_of_date;
        GET "/files/by_country" => site::legacy::files_by_country;
        GET "/files/by_country/{country_code}" => site::legacy::files_of_country;
        GET "/files/download/{*path}" => site::legacy::files_download;
        GET "/{date}" => site::legacy::date;
        GET "/{date}/{report_file}" => site::legacy::report_file;
    }

    // Pages for people.
    Page {
        GET "/" => page::home::home;
        GET "/search" => page::search::search;
        GET "/m/{measurement_uid}" => page::measurement::measurement;
        GET "/static/{file}" => page::assets::asset;
    }
}

/// The routes of the listener for metrics.
pub const METRICS_ROUTES: &[Route] = routes! {
    Site {
        GET "/health" => site::health::health;
        GET "/metrics" => site::metrics::own_listener;
    }
};

/// The routes of the listener for the reference's feed.
pub const FEED_ROUTES: &[Route] = routes! {
    Submission {
        POST "/{uid}" => feed::feed;
    }
};

/// The routes by path and method.
#[derive(Debug)]
pub struct Router {
    paths: matchit::Router<Vec<Route>>,
}

/// A route that was found, and the parameters in its path, percent-decoded.
#[derive(Debug)]
pub struct Found {
    /// What it is for.
    pub class: Class,
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
        let matched = self.at(path).ok_or_else(|| Error::not_found("Not Found"))?;
        let routes = matched.value;
        let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
        let Some(route) = routes.iter().find(|route| route.method == wanted) else {
            return Err(Error::method_not_allowed(&allowed(routes)));
        };
        let params = matched.params.iter().map(|(name, value)| (name.to_owned(), decode(value))).collect();
        Ok(Found { class: route.class, handler: route.handler, path: route.path, params })
    }

    /// The methods of a path, as in the header `Allow`. `None` for an unknown path.
    pub fn allowed(&self, path: &str) -> Option<String> {
        self.at(path).map(|matched| allowed(matched.value))
    }

    /// The routes of a path. `/{date}` and `/{date}/{report_file}` match every path of one or two parts, but only those with
    /// a date exist: all others are unknown, whatever the method.
    fn at<'s, 'p>(&'s self, path: &'p str) -> Option<matchit::Match<'s, 'p, &'s Vec<Route>>> {
        let matched = self.paths.at(path).ok()?;
        match matched.params.get("date") {
            Some(date) if matched.value.iter().any(|route| route.path.starts_with("/{date}")) => {
                is_date(&decode(date)).then_some(matched)
            }
            _ => Some(matched),
        }
    }
}

/// A parameter of a path, percent-decoded.
fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
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
