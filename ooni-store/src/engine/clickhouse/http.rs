//! [`Http`]: a server, spoken to by HTTP. What goes into a statement goes beside it: in fields of a form, or as rows.

use super::error::ClickhouseError;
use super::value;
use super::value::Rows;
use crate::deadline::Deadline;
use crate::failpoint::{Failpoint, reach};
use crate::retry::RetryPolicy;
use crate::sql::Statement;
use crate::tls::{Verify, tls, with_causes};
use crate::value::{Type, Value};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;
use url::form_urlencoded::Serializer;

/// How long to wait for a server to answer the call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Said with every statement. An error comes with its own status only when all that was found out has been kept back; what
/// was inserted is inserted again after it was taken out; rows of one key are in one partition.
const SETTINGS: [(&str, &str); 8] = [
    ("wait_end_of_query", "1"),
    ("final", "1"),
    ("join_use_nulls", "1"),
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

/// Codes of what passes: a replica that only reads for now, too many parts, coordination that is lost.
const PASSING: [u32; 3] = [242, 252, 999];

/// Bytes of a value beyond which it cannot be said: a server takes fields of 128 KiB.
const LONGEST_VALUE: usize = 128 << 10;

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
    pub(super) fn new(url: &str) -> Result<Http, ClickhouseError> {
        let refuse = |why: &str| ClickhouseError::Schema(format!("is no URL of a ClickHouse database: {why}"));
        let url = Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
        let host = url.host_str().ok_or_else(|| refuse("no host"))?;
        let (mut secure, mut cluster, mut roots) = (false, None, None);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("secure", "0" | "1") => secure = value == "1",
                ("cluster", _) => cluster = Some(value.into_owned()),
                ("sslrootcert", _) => roots = Some(value.into_owned()),
                ("secure", _) => {
                    return Err(refuse(&format!("invalid value `{value}` for `secure`: expected 0 or 1")));
                }
                // Its value may be a password.
                _ => return Err(refuse(&format!("unknown parameter `{name}`"))),
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
        let tls = tls(roots.as_deref(), Verify::Host).map_err(ClickhouseError::Schema)?;
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

    /// Executes a statement that returns nothing, and that may be executed twice.
    pub(super) async fn execute(&self, sql: &str, parameters: &[Parameter]) -> Result<(), ClickhouseError> {
        let message = Message { sql, parameters, ..Message::default() };
        self.change(&[message]).await
    }

    /// Inserts rows into columns of a table, `TABLE (COLUMN, …)`, in which the same rows twice are as good as once.
    pub(super) async fn insert(&self, into: &str, rows: Rows) -> Result<(), ClickhouseError> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!("INSERT INTO {into} FORMAT RowBinary");
        self.change(&[Message { sql: &sql, rows: Some(rows.into()), ..Message::default() }]).await
    }

    /// Empties a table and fills it with what a statement inserts, or with rows.
    pub(super) async fn refill(
        &self,
        table: &str,
        sql: &str,
        parameters: &[Parameter],
        rows: Option<Rows>,
    ) -> Result<(), ClickhouseError> {
        let empty = format!("TRUNCATE TABLE {table}");
        let empty = Message { sql: &empty, ..Message::default() };
        // One that goes on after it was lost is ended by the one that takes its place.
        let settings = vec![("query_id", format!("{table}-{:x}", random())), ("replace_running_query", "1".to_owned())];
        let fill = Message { sql, parameters, settings, rows: rows.map(Into::into) };
        self.change(&[empty, fill]).await
    }

    /// Sends statements that change something, again from the first of them when the way to the server is lost.
    async fn change(&self, messages: &[Message<'_>]) -> Result<(), ClickhouseError> {
        let mut attempts = RetryPolicy::PATIENT.start(Deadline::NEVER);
        'again: loop {
            for message in messages {
                reach(Failpoint::StatementComing);
                match self.send(message).await {
                    Err(ClickhouseError::Lost(_)) if attempts.again().await => continue 'again,
                    answer => drop(answer?),
                }
            }
            return Ok(());
        }
    }

    /// What a query returns.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        limit: Duration,
    ) -> Result<Vec<Vec<Value<'static>>>, ClickhouseError> {
        let parameters: Vec<_> = statement
            .parameters
            .iter()
            .enumerate()
            .map(|(number, parameter)| (format!("p{}", number + 1), value::parameter(parameter)))
            .collect();
        self.select(&statement.sql, &parameters, &statement.columns, limit).await
    }

    /// The same of a query of the engine's own, whose values have names. Without a limit it waits for a server that starts.
    pub(super) async fn select(
        &self,
        sql: &str,
        parameters: &[Parameter],
        columns: &[Type],
        limit: Duration,
    ) -> Result<Vec<Vec<Value<'static>>>, ClickhouseError> {
        if let Some((_, long)) = parameters.iter().find(|(_, value)| value.len() > LONGEST_VALUE) {
            let message = format!("a value of {} bytes, where {LONGEST_VALUE} can be asked for", long.len());
            return Err(ClickhouseError::Schema(message));
        }
        let is_patient = limit == Duration::MAX;
        // The server counts in seconds; zero is for ever.
        let seconds = if is_patient { 0 } else { limit.as_secs() + 1 };
        let settings = vec![
            ("max_execution_time", seconds.to_string()),
            ("default_format", "RowBinaryWithNamesAndTypes".to_owned()),
        ];
        let message = Message { sql, parameters, settings, rows: None };
        let (policy, deadline) = match is_patient {
            true => (RetryPolicy::PATIENT, Deadline::NEVER),
            false => (RetryPolicy::READ, Deadline::after(limit)),
        };
        let mut attempts = policy.start(deadline);
        let answer = async {
            loop {
                match self.send(&message).await {
                    Err(ClickhouseError::Lost(_)) if attempts.again().await => {}
                    answer => return answer,
                }
            }
        };
        value::read(&timeout(limit, answer).await.map_err(|_| ClickhouseError::Timeout)??, columns)
            .ok_or(ClickhouseError::Foreign)
    }

    /// Sends a statement and waits for the answer.
    async fn send(&self, message: &Message<'_>) -> Result<Bytes, ClickhouseError> {
        let request = self.request(message)?;
        let response =
            self.client.request(request).await.map_err(|error| ClickhouseError::Lost(with_causes(&error)))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| ClickhouseError::Lost(with_causes(&error)))?;
        match status {
            StatusCode::OK => Ok(body.to_bytes()),
            status => Err(said(status, &String::from_utf8_lossy(&body.to_bytes()))),
        }
    }

    fn request(&self, message: &Message<'_>) -> Result<Request<Full<Bytes>>, ClickhouseError> {
        let mut more = Serializer::new(String::new());
        more.extend_pairs(&message.settings);
        let (kind, body) = match &message.rows {
            Some(rows) => {
                more.append_pair("query", message.sql);
                ("application/octet-stream".to_owned(), rows.clone())
            }
            None => form(message.sql, message.parameters),
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}&{}", self.url, more.finish()))
            .header(CONTENT_TYPE, kind)
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", &self.password);
        request.body(Full::new(body)).map_err(|error| ClickhouseError::Lost(error.to_string()))
    }
}

/// A statement and what goes with it. Rows go behind it, and then there are no parameters.
#[derive(Default)]
struct Message<'m> {
    sql: &'m str,
    parameters: &'m [Parameter],
    settings: Vec<(&'static str, String)>,
    rows: Option<Bytes>,
}

/// A number that no other process thinks of.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
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
fn said(status: StatusCode, text: &str) -> ClickhouseError {
    let code = text.strip_prefix("Code: ").and_then(|rest| rest.split_once('.'));
    let Some((Ok(code), rest)) = code.map(|(code, rest)| (code.parse::<u32>(), rest)) else {
        return ClickhouseError::Lost(format!("answers with HTTP status {status}"));
    };
    match code {
        code if TOOK_TOO_LONG.contains(&code) => ClickhouseError::Timeout,
        TOO_MANY => ClickhouseError::Busy("the server has too many queries"),
        code if PASSING.contains(&code) => {
            ClickhouseError::Lost(rest.trim_start_matches(" DB::Exception: ").trim().to_owned())
        }
        // Behind these words it repeats the statement.
        code => {
            let words = rest.trim_start_matches(" DB::Exception: ");
            let end = [": While ", ": In scope ", " In scope ", "\n"].iter().filter_map(|mark| words.find(mark)).min();
            ClickhouseError::Database { code, message: words[..end.unwrap_or(words.len())].trim().to_owned() }
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
            ("clickhouse://host/db?secure=maybe", "invalid value `maybe` for `secure`: expected 0 or 1"),
            ("clickhouse://host:x/db", "invalid port number"),
        ] {
            let Err(ClickhouseError::Schema(said)) = Http::new(url) else { panic!("{url}") };
            assert_eq!(said, format!("is no URL of a ClickHouse database: {why}"));
        }
    }

    #[test]
    fn exceptions() {
        let of = |text: &str| said(StatusCode::INTERNAL_SERVER_ERROR, text);
        assert!(matches!(of("Code: 159. DB::Exception: Timeout exceeded: elapsed 1.1 s"), ClickhouseError::Timeout));
        assert!(
            matches!(of("Code: 999. DB::Exception: Session expired"), ClickhouseError::Lost(said) if said == "Session expired")
        );
        assert!(matches!(of("Code: 202. DB::Exception: Too many simultaneous queries"), ClickhouseError::Busy(_)));
        let text = "Code: 47. DB::Exception: Unknown identifier `x`: In scope SELECT x. (UNKNOWN_IDENTIFIER)";
        let ClickhouseError::Database { code: 47, message } = of(text) else { panic!() };
        assert_eq!(message, "Unknown identifier `x`");
        assert!(
            matches!(of("<html>"), ClickhouseError::Lost(said) if said == "answers with HTTP status 500 Internal Server Error")
        );
    }

    #[test]
    fn a_query_says_how_long_it_may_take() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let http = Http::new(&format!("clickhouse://{}", server.local_addr().unwrap())).unwrap();
        // It takes the request and never answers.
        let taken = std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut head = vec![0; 1000];
            let read = std::io::Read::read(&mut connection, &mut head).unwrap();
            (String::from_utf8_lossy(&head[..read]).into_owned(), connection)
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(http.select("SELECT 1", &[], &[], Duration::from_millis(1500)));
        assert!(matches!(answer, Err(ClickhouseError::Timeout)));
        let (head, _connection) = taken.join().unwrap();
        assert!(head.starts_with("POST /?") && head.contains("&max_execution_time=2&"), "{head}");
        assert!(head.contains("&cancel_http_readonly_queries_on_client_close=1&"), "{head}");
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
