//! The documentation: that it has all routes, that it is valid, and that the server answers as it says.

use crate::support::Server;
use crate::support::client::Reply;
use crate::support::recorded::{load_rows, recorded_clock, recorded_settings};
use ooni_api::openapi::{document, path_of};
use ooni_api::router::{ROUTES, Route};
use ooni_testkit::python::Package;
use ooni_testkit::skip_without;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};

const BASE_URL: &str = "https://api.example.org";

/// Parameters whose values are only in answers, so that there are no examples.
const OPAQUE: &[&str] = &["after"];

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
            let needs_example = parameter["in"] != "header" && !OPAQUE.contains(&name);
            require(!needs_example || !parameter["example"].is_null(), &format!("{name}: an example"));
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

/// The operation of a route.
pub(crate) fn operation_of<'d>(document: &'d Value, route: &Route) -> &'d Value {
    &document["paths"][path_of(route)][route.method.to_lowercase()]
}

/// A route with its examples.
pub(crate) struct Example<'d> {
    operation: &'d Value,
    path: String,
    /// The query that shows what the route is for: pairs, percent-encoded.
    query: Vec<(&'d str, &'d str)>,
}

impl<'d> Example<'d> {
    pub(crate) fn of(route: &Route, operation: &'d Value) -> Example<'d> {
        let mut example = Example { operation, path: path_of(route), query: Vec::new() };
        for parameter in example.parameters("path") {
            let name = parameter["name"].as_str().unwrap();
            example.path = example.path.replace(&format!("{{{name}}}"), &encoded(&shown(&parameter["example"])));
        }
        let pairs = operation["x-example"].as_str().into_iter().flat_map(|query| query.split('&'));
        example.query = pairs.map(|pair| pair.split_once('=').unwrap()).collect();
        example
    }

    pub(crate) fn parameters(&self, place: &str) -> Vec<&'d Value> {
        let all = self.operation["parameters"].as_array().into_iter().flatten();
        all.filter(|parameter| parameter["in"] == place).collect()
    }

    /// The target of a request.
    pub(crate) fn target(&self) -> String {
        let pairs: Vec<_> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, pairs.join("&")) }
    }

    /// The target with another value of a parameter.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        self.with_raw(name, &format!("{name}={}", encoded(value)))
    }

    /// The target with another text in place of a parameter.
    pub(crate) fn with_raw(&self, name: &str, text: &str) -> String {
        let others = self.query.iter().filter(|(key, _)| *key != name);
        let others: String = others.map(|(key, value)| format!("&{key}={value}")).collect();
        format!("{}?{text}{others}", self.path)
    }
}

pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A value of JSON as text: strings without quotes.
pub(crate) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What is wrong with a response, by the document.
pub(crate) fn difference(document: &Value, operation: &Value, reply: &Reply) -> Option<String> {
    let Some(response) = operation["responses"].get(reply.status.to_string()) else {
        return Some(format!("{} is not documented", reply.status));
    };
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => response,
    };
    let content_type = reply.header("content-type").unwrap_or_default().split(';').next().unwrap();
    let is_documented = response["content"].get(content_type).is_some() || (300..400).contains(&reply.status);
    (!is_documented).then(|| format!("{content_type:?} is not documented for {}", reply.status))
}

/// A server on which every route has what it needs: rows, bodies and files.
pub(crate) fn described_server() -> Server {
    Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        fs::create_dir_all(&config.state_dir).unwrap();
        load_rows(&config.store_uri());
        let file = |name: &str, text: &str| {
            let path = config.state_dir.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let psiphon = file("psiphon_config.json", "{}");
        let tor = file("tor_targets.json", "{}");
        let vpn = file("riseupvpn.json", "{}");
        config.probe.psiphon_config = psiphon;
        config.probe.tor_targets = tor;
        config.probe.vpn_config = vpn.parent().unwrap().to_owned();
    })
}

#[test]
fn documented_examples_are_answered_as_documented() {
    let server = described_server();
    let document = server.get("/openapi.json").json();
    let mut differences = Vec::new();
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let operation = operation_of(&document, route);
        let example = Example::of(route, operation);
        let mut targets = vec![example.target()];
        for parameter in example.parameters("query").into_iter().filter(|one| !one["example"].is_null()) {
            targets.push(example.with(parameter["name"].as_str().unwrap(), &shown(&parameter["example"])));
        }
        for target in targets {
            let reply = server.get(&target);
            let difference = match reply.status {
                400 => Some(format!("the example is refused: {}", reply.text().trim())),
                _ => difference(&document, operation, &reply),
            };
            differences.extend(difference.map(|difference| format!("{target}: {difference}")));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn text_of(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn the_document_is_valid() {
    let python = Package::OpenapiSpecValidator.python();
    skip_without!(&python);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    fs::write(&file, document(BASE_URL).to_string()).unwrap();
    let mut command = Command::new(python.unwrap());
    let output = command.args(["-m", "openapi_spec_validator", "--schema", "3.1"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
}

/// Requests that Schemathesis makes from the document: examples, values at limits, wrong values, and random ones.
#[test]
fn schemathesis_finds_nothing() {
    let python = Package::Schemathesis.python();
    skip_without!(&python);
    let server = described_server();
    let output = schemathesis(&server, python.unwrap().with_file_name("schemathesis")).output().unwrap();
    let report = text_of(&output);
    assert!(output.status.success(), "{report}");
    let tested = report.lines().find_map(|line| line.trim().strip_prefix("Tested: ")?.parse::<usize>().ok());
    // It may leave out the document itself.
    let expected = ROUTES.iter().filter(|route| !is_over_observations(route)).count() - 1;
    assert!(tested.is_some_and(|tested| tested >= expected), "{report}");
    assert_eq!(server.get("/health").status, 200);
}

/// It is bounded by the number of requests for each operation. The seed is fixed, so the requests are the same each time.
fn schemathesis(server: &Server, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let url = format!("http://{}", server.address);
    let mut command = Command::new(program);
    command.arg("run").arg(format!("{url}/openapi.json")).args(["--url", &url]).current_dir(server.directory());
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "15"]);
    // One worker: the parser of Python 3.11 sometimes fails in several threads ("AST constructor recursion depth mismatch").
    command.args(["--generation-database", "none", "--continue-on-failure", "--workers", "1", "--no-color"]);
    command.args(["--request-timeout", "30", "--warnings", "off", "--exclude-path-regex", OBSERVATIONS]);
    command.env("NO_PROXY", "127.0.0.1").env("PYTHONWARNINGS", "ignore");
    command
}

/// All checks of single requests, except that requests which the document does not allow have to be refused: unknown and
/// repeated parameters are ignored, and an empty one is one that is missing.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,missing_required_header,unsupported_method,allow_header_conformance,ignored_auth";

fn is_over_observations(route: &Route) -> bool {
    let rest = route.path.strip_prefix("/api/v1/").unwrap_or_default();
    ["observations", "analysis", "aggregation/", "detector/"].iter().any(|start| rest.starts_with(start))
}

/// The routes over observations, which this server does not have: all answers are 501, as documented.
const OBSERVATIONS: &str = "^/api/v1/(observations|analysis|aggregation/.*|detector/.*)$";

#[test]
fn the_page_shows_every_operation_and_loads_nothing_from_elsewhere() {
    let server = described_server();
    let reply = server.get("/apidocs/");
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let page = reply.text();
    for (method, path, operation) in operations(&server.get("/openapi.json").json()) {
        let id = operation["operationId"].as_str().unwrap();
        let at = page.find(&format!(" id=\"{id}\"")).unwrap_or_else(|| panic!("{method} {path} is missing"));
        let article = page[at..].split("</article>").next().unwrap();
        assert!(article.contains("curl "), "{method} {path}: no example");
        assert_eq!(article.contains(">Try it<"), method == "GET", "{method} {path}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            assert!(article.contains(&format!("<code>{name}</code>")), "{method} {path}: {name}");
        }
    }
    let values = |attribute: &str| -> Vec<&str> {
        page.split(&format!(" {attribute}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    };
    let ids: BTreeSet<&str> = values("id").into_iter().collect();
    assert_eq!(ids.len(), values("id").len(), "an id is used twice");
    for link in values("href") {
        assert!(link.strip_prefix('#').is_none_or(|id| ids.contains(id)), "{link} leads nowhere");
    }
    assert!(values("src").is_empty() && !page.contains("<script") && !page.contains("@import"));
    assert_eq!(
        page.matches("<link rel=\"stylesheet\"").count(),
        page.matches("<link rel=\"stylesheet\" href=\"/static/").count()
    );
}

#[test]
fn addresses_of_the_documentation() {
    let server = described_server();
    for (path, location) in [("/apidocs", "/apidocs/"), ("/apispec_1.json", "/openapi.json"), ("/api/", "/apidocs")] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.header("location")), (302, Some(location)), "{path}");
    }
    for path in ["/apidocs/?url=https://example.org/", "/apidocs/?a=b&urls=x", "/apidocs?url=", "/apidocs?urls"] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.error()), (403, "url and urls are not allowed".to_owned()), "{path}");
    }
    let document = server.get("/openapi.json");
    assert_eq!(document.header("cache-control"), Some("max-age=3600"));
    assert_eq!(document.json()["servers"][0]["url"], "https://api.ooni.org");
}
