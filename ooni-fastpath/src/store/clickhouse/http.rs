//! [`Http`]: a server, spoken to by HTTP. What goes into a statement goes beside it: in fields of a form, or as rows.

use super::value::Rows;
use super::{Trouble, value};
use crate::cell::{Cell, Type};
use crate::store::sql::Statement;
use crate::store::tls::{tls, with_causes};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;
use url::form_urlencoded::Serializer;

/// How long to wait for a server to answer the call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Said with every statement. An error comes with its own status only when all that was found out has been kept back; what
/// was inserted is inserted again after it was taken out; rows of one key are in one partition.
const SETTINGS: [(&str, &str); 7] = [
    ("wait_end_of_query", "1"),
    ("final", "1"),
    ("do_not_merge_across_partitions_select_final", "1"),
    ("aggregate_functions_null_for_empty", "1"),
    ("insert_deduplicate", "0"),
    ("max_partitions_per_insert_block", "0"),
    ("cancel_http_readonly_queries_on_client_close", "1"),
];

/// The same where the tables are on several servers: what was written is on most of them, and is what is read.
const CLUSTER_SETTINGS: [(&str, &str); 5] = [
    ("insert_quorum", "auto"),
    ("insert_quorum_parallel", "0"),
    ("select_sequential_consistency", "1"),
    ("alter_sync", "2"),
    ("mutations_sync", "2"),
];

/// The code of an exception that says that a query took too long; the second of one whose size is foreseen.
const TOOK_TOO_LONG: [u32; 2] = [159, 160];

/// The code of one that says that there are too many of them.
const TOO_MANY: u32 = 202;

/// A value by its name.
pub(super) type Parameter = (String, String);

/// A server and a database on it.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// With all that is the same in every request.
    url: String,
    user: String,
    password: String,
    /// The servers that have the same tables, by their name.
    pub(super) cluster: Option<String>,
}

impl Http {
    /// What a URL says: `clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?secure=1&cluster=NAME`, of which the host alone is
    /// needed. The certificate of a server is checked against the roots of the system, or `sslrootcert=FILE`.
    pub(super) fn new(url: &str) -> Result<Http, Trouble> {
        let refuse = |why: &str| Trouble::Schema(format!("is no URL of a ClickHouse database: {why}"));
        let url = Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
        let host = url.host_str().ok_or_else(|| refuse("no host"))?;
        let (mut secure, mut cluster, mut roots) = (false, None, None);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("secure", "0" | "1") => secure = value == "1",
                ("cluster", _) => cluster = Some(value.into_owned()),
                ("sslrootcert", _) => roots = Some(value.into_owned()),
                _ => return Err(refuse(&format!("{name}={value} says nothing"))),
            }
        }
        let (scheme, port) = if secure { ("https", 8443) } else { ("http", 8123) };
        let mut settings = Serializer::new(String::new());
        settings.extend_pairs(SETTINGS);
        if cluster.is_some() {
            settings.extend_pairs(CLUSTER_SETTINGS);
        }
        settings.append_pair("database", &decoded(url.path().trim_start_matches('/'), "default"));
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(PATIENCE));
        let tls = tls(roots.as_deref()).map_err(Trouble::Schema)?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        Ok(Http {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: format!("{scheme}://{host}:{}/?{}", url.port().unwrap_or(port), settings.finish()),
            user: decoded(url.username(), "default"),
            password: decoded(url.password().unwrap_or_default(), ""),
            cluster,
        })
    }

    /// Executes a statement that returns nothing.
    pub(super) async fn execute(&self, sql: &str, parameters: &[Parameter]) -> Result<(), Trouble> {
        self.send(sql, parameters, &[], None).await.map(drop)
    }

    /// What a query returns.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        limit: Duration,
    ) -> Result<Vec<Vec<Cell<'static>>>, Trouble> {
        let parameters: Vec<_> = statement
            .parameters
            .iter()
            .enumerate()
            .map(|(number, parameter)| (format!("p{}", number + 1), value::parameter(parameter)))
            .collect();
        self.select(&statement.sql, &parameters, &statement.columns, limit).await
    }

    /// The same of a query of the engine's own, whose values have names.
    pub(super) async fn select(
        &self,
        sql: &str,
        parameters: &[Parameter],
        columns: &[Type],
        limit: Duration,
    ) -> Result<Vec<Vec<Cell<'static>>>, Trouble> {
        // The server counts in seconds; zero is for ever.
        let seconds = if limit == Duration::MAX { 0 } else { limit.as_secs() + 1 };
        let settings =
            [("max_execution_time", seconds.to_string()), ("default_format", "RowBinaryWithNamesAndTypes".to_owned())];
        let answer = timeout(limit, self.send(sql, parameters, &settings, None)).await.map_err(|_| Trouble::Timeout)?;
        value::read(&answer?, columns).ok_or(Trouble::Foreign)
    }

    /// Inserts rows into columns of a table, `TABLE (COLUMN, …)`.
    pub(super) async fn insert(&self, into: &str, rows: Rows) -> Result<(), Trouble> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!("INSERT INTO {into} FORMAT RowBinary");
        self.send(&sql, &[], &[], Some(rows.into())).await.map(drop)
    }

    /// Sends a statement and waits for the answer. Rows go behind it, and then there are no parameters.
    async fn send(
        &self,
        sql: &str,
        parameters: &[Parameter],
        settings: &[(&str, String)],
        rows: Option<Bytes>,
    ) -> Result<Bytes, Trouble> {
        let request = self.request(sql, parameters, settings, rows)?;
        let response = self.client.request(request).await.map_err(|error| Trouble::Lost(with_causes(&error)))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| Trouble::Lost(with_causes(&error)))?;
        match status {
            StatusCode::OK => Ok(body.to_bytes()),
            status => Err(said(status, &String::from_utf8_lossy(&body.to_bytes()))),
        }
    }

    fn request(
        &self,
        sql: &str,
        parameters: &[Parameter],
        settings: &[(&str, String)],
        rows: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, Trouble> {
        let mut more = Serializer::new(String::new());
        more.extend_pairs(settings);
        let (kind, body) = match rows {
            Some(rows) => {
                more.append_pair("query", sql);
                ("application/octet-stream".to_owned(), rows)
            }
            None => form(sql, parameters),
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}&{}", self.url, more.finish()))
            .header(CONTENT_TYPE, kind)
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", &self.password);
        request.body(Full::new(body)).map_err(|error| Trouble::Lost(error.to_string()))
    }
}

/// A statement and its values as a form: there they may be longer than in a URL.
fn form(sql: &str, parameters: &[Parameter]) -> (String, Bytes) {
    let fields: Vec<(String, &str)> = [("query".to_owned(), sql)]
        .into_iter()
        .chain(parameters.iter().map(|(name, value)| (format!("param_{name}"), value.as_str())))
        .collect();
    let mut boundary = "value".to_owned();
    while fields.iter().any(|(_, value)| value.contains(&boundary)) {
        boundary.push('s');
    }
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += &format!("--{boundary}--\r\n");
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

/// What an exception of the server is to us: `Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE) …`
fn said(status: StatusCode, text: &str) -> Trouble {
    let code = text.strip_prefix("Code: ").and_then(|rest| rest.split_once('.'));
    let Some((Ok(code), rest)) = code.map(|(code, rest)| (code.parse::<u32>(), rest)) else {
        return Trouble::Lost(format!("answers with HTTP status {status}"));
    };
    match code {
        code if TOOK_TOO_LONG.contains(&code) => Trouble::Timeout,
        TOO_MANY => Trouble::Busy,
        // Behind these words it repeats the statement.
        code => {
            let words = rest.trim_start_matches(" DB::Exception: ");
            let end = [": While ", ": In scope ", " In scope ", "\n"].iter().filter_map(|mark| words.find(mark)).min();
            Trouble::Database { code, message: words[..end.unwrap_or(words.len())].trim().to_owned() }
        }
    }
}

/// A part of a URL, or what it means when it is missing.
fn decoded(part: &str, default: &str) -> String {
    if part.is_empty() {
        return default.to_owned();
    }
    // A plus is one.
    let part = part.replace('+', "%2B");
    url::form_urlencoded::parse(format!("_={part}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let http = Http::new("clickhouse://me:p%40s+s@host/db%20x?secure=1&cluster=all").unwrap();
        assert_eq!((&*http.user, &*http.password, http.cluster.as_deref()), ("me", "p@s+s", Some("all")));
        assert!(http.url.starts_with("https://host:8443/?wait_end_of_query=1&"), "{}", http.url);
        assert!(http.url.ends_with("&mutations_sync=2&database=db+x"), "{}", http.url);
        let http = Http::new("clickhouse://host:1").unwrap();
        assert_eq!((&*http.user, &*http.password, http.cluster), ("default", "", None));
        assert!(http.url.starts_with("http://host:1/?") && http.url.ends_with("&database=default"), "{}", http.url);
        for (url, why) in [
            ("clickhouse://host/db?secure=maybe", "secure=maybe says nothing"),
            ("clickhouse://host:x/db", "invalid port number"),
        ] {
            let Err(Trouble::Schema(said)) = Http::new(url) else { panic!("{url}") };
            assert_eq!(said, format!("is no URL of a ClickHouse database: {why}"));
        }
    }

    #[test]
    fn exceptions() {
        let of = |text: &str| said(StatusCode::INTERNAL_SERVER_ERROR, text);
        assert!(matches!(of("Code: 159. DB::Exception: Timeout exceeded: elapsed 1.1 s"), Trouble::Timeout));
        assert!(matches!(of("Code: 202. DB::Exception: Too many simultaneous queries"), Trouble::Busy));
        let text = "Code: 47. DB::Exception: Unknown identifier `x`: In scope SELECT x. (UNKNOWN_IDENTIFIER)";
        let Trouble::Database { code: 47, message } = of(text) else { panic!() };
        assert_eq!(message, "Unknown identifier `x`");
        assert!(
            matches!(of("<html>"), Trouble::Lost(said) if said == "answers with HTTP status 500 Internal Server Error")
        );
    }

    #[test]
    fn a_value_does_not_end_its_field() {
        let (kind, body) = form("SELECT 1", &[("p1".to_owned(), "--value--\r\n".to_owned())]);
        assert_eq!(kind, "multipart/form-data; boundary=values");
        let expected = "--values\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1\r\n\
            --values\r\nContent-Disposition: form-data; name=\"param_p1\"\r\n\r\n--value--\r\n\r\n--values--\r\n";
        assert_eq!(body, expected);
    }
}
