//! [`Http`]: the HTTP client of a ClickHouse server. The values of a statement are form fields or rows in the request body,
//! never part of its text.
//!
//! The crate `clickhouse` is not used: it has no deadlines, no retries and no error codes, and its row types are fixed at
//! build time. It would replace only [`form`].

use super::error::ClickhouseError;
use super::rows::Rows;
use super::value;
use crate::deadline::Deadline;
use crate::failpoint::{Failpoint, reach};
use crate::retry::RetryPolicy;
use crate::sql::Statement;
use crate::tls::{Verify, tls, with_causes};
use crate::value::{Type, Value};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;
use url::form_urlencoded::Serializer;

/// How long to wait for a server to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Settings of every statement. `wait_end_of_query` buffers the result, so that every error has an HTTP status.
/// `insert_deduplicate` is off so that deleted rows can be inserted again. `optimize_on_insert`, which looks for rows with
/// the same key, is off because a batch has none. `do_not_merge_…` is possible because all rows with the same key are in one
/// partition.
const SETTINGS: [(&str, &str); 9] = [
    ("wait_end_of_query", "1"),
    ("final", "1"),
    ("join_use_nulls", "1"),
    ("do_not_merge_across_partitions_select_final", "1"),
    ("aggregate_functions_null_for_empty", "1"),
    ("insert_deduplicate", "0"),
    ("optimize_on_insert", "0"),
    ("max_partitions_per_insert_block", "0"),
    ("cancel_http_readonly_queries_on_client_close", "1"),
];

/// Additional settings on a cluster: a write waits for a majority of replicas, and later reads include it.
const CLUSTER_SETTINGS: [(&str, &str); 5] = [
    ("insert_quorum", "auto"),
    ("insert_quorum_parallel", "0"),
    ("select_sequential_consistency", "1"),
    ("alter_sync", "2"),
    ("mutations_sync", "2"),
];

/// Maximum bytes of a form field: the default of the server's setting `http_max_field_value_size`. Longer values are sent in
/// parts.
const LONGEST_VALUE: usize = 128 << 10;

/// The name and the value of a parameter.
pub(super) type Parameter = (String, String);

/// A client for a database on a server, with the deadline of a call. Cheap to clone: clones share connections.
#[derive(Clone)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The URL of requests, with the settings that they share.
    url: String,
    database: String,
    user: String,
    password: String,
    /// The name of this program in the server's logs.
    pub(super) user_agent: String,
    /// The name of the cluster. All its servers have the same tables.
    pub(super) cluster: Option<String>,
    deadline: Deadline,
    /// Whether a statement that changes data may have been executed.
    is_changed: Arc<AtomicBool>,
}

impl Http {
    /// Reads a URL: `clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?secure=1&cluster=NAME`, in which only the host is required.
    /// The server's certificate is verified against the authorities of the system, which the variables `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` replace, or against those in `sslrootcert=FILE`.
    pub(super) fn new(url: &str) -> Result<Http, ClickhouseError> {
        let refuse = |why: &str| ClickhouseError::Refused(format!("invalid URL of a ClickHouse database: {why}"));
        let url = Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
        let host = url.host_str().ok_or_else(|| refuse("no host"))?;
        let (mut secure, mut cluster, mut roots) = (false, None, None);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("secure", "0" | "1") => secure = value == "1",
                ("cluster", _) => cluster = Some(value.into_owned()),
                ("sslrootcert", _) => roots = Some(value.into_owned()),
                ("secure", _) => return Err(refuse(&format!("invalid value `{value}` for `secure`: expected 0 or 1"))),
                _ => return Err(refuse(&format!("unknown parameter `{name}`"))),
            }
        }
        let (scheme, port) = if secure { ("https", 8443) } else { ("http", 8123) };
        let mut settings = Serializer::new(String::new());
        settings.extend_pairs(SETTINGS);
        if cluster.is_some() {
            settings.extend_pairs(CLUSTER_SETTINGS);
        }
        let database = decoded(url.path().trim_start_matches('/'), "default");
        settings.append_pair("database", &database);
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        // Without TLS, the authorities are not needed and need not exist, except for those that the URL names.
        let verify = if secure || roots.is_some() { Verify::Host } else { Verify::Nothing };
        let tls = tls(roots.as_deref(), verify).map_err(ClickhouseError::Refused)?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        Ok(Http {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: format!("{scheme}://{host}:{}/?{}", url.port().unwrap_or(port), settings.finish()),
            user: decoded(url.username(), "default"),
            password: decoded(url.password().unwrap_or_default(), ""),
            database,
            user_agent: "fastpath".to_owned(),
            cluster,
            deadline: Deadline::NEVER,
            is_changed: Arc::default(),
        })
    }

    /// A client for a new call. The deadline covers retries and all statements.
    pub(super) fn within(&self, deadline: Deadline) -> Http {
        Http { deadline, is_changed: Arc::default(), ..self.clone() }
    }

    /// A client for the same call whose deadline is at most `limit` from now.
    pub(super) fn at_most(&self, limit: Duration) -> Http {
        Http { deadline: self.deadline.at_most(limit), ..self.clone() }
    }

    /// A client with the same deadline for statements that change no measurements and no lists, such as those on `dirty` and
    /// `lease`. They do not count for [`Http::is_changed`].
    pub(super) fn untracked(&self) -> Http {
        self.within(self.deadline)
    }

    /// Whether a statement of this call that changes data may have been executed.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed.load(Ordering::Relaxed)
    }

    /// Awaits a future until the deadline, then drops it.
    pub(super) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, ClickhouseError>>,
    ) -> Result<T, ClickhouseError> {
        if self.deadline.is_over() {
            return Err(ClickhouseError::Timeout);
        }
        timeout(self.deadline.remaining(), work).await.map_err(|_| ClickhouseError::Timeout)?
    }

    /// Executes an idempotent statement that returns no rows.
    pub(super) async fn execute(&self, sql: &str, parameters: &[Parameter]) -> Result<(), ClickhouseError> {
        let message = Message { sql, parameters, ..Message::default() };
        self.change(&[message]).await
    }

    /// As [`Http::execute`], for a statement that runs while another one does. It is not a failpoint.
    pub(super) async fn execute_meanwhile(&self, sql: &str) -> Result<(), ClickhouseError> {
        self.change(&[Message { sql, is_step: false, ..Message::default() }]).await
    }

    /// Inserts rows. Inserting the same rows again must have no effect.
    pub(super) async fn insert(&self, rows: Rows) -> Result<(), ClickhouseError> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = rows.insert();
        self.change(&[Message { sql: &sql, rows: Some(rows.into()), ..Message::default() }]).await
    }

    /// Empties a table and fills it with a statement, or with rows.
    pub(super) async fn refill(
        &self,
        table: &str,
        sql: &str,
        parameters: &[Parameter],
        rows: Option<Rows>,
    ) -> Result<(), ClickhouseError> {
        // A statement of a lost connection or a killed process may still be filling the table. It has the same query id, so
        // the server ends it before it starts another statement with that id.
        let id = vec![("query_id", format!("{}-{table}", self.database)), ("replace_running_query", "1".to_owned())];
        let end = Message { sql: "SELECT 1", settings: id.clone(), is_step: false, ..Message::default() };
        let empty = format!("TRUNCATE TABLE {table}");
        let empty = Message { sql: &empty, ..Message::default() };
        let fill = Message { sql, parameters, settings: id, rows: rows.map(Into::into), is_step: true };
        self.change(&[end, empty, fill]).await
    }

    /// Sends statements that change data. If the connection is lost, it starts again with the first one.
    async fn change(&self, messages: &[Message<'_>]) -> Result<(), ClickhouseError> {
        let mut attempts = RetryPolicy::PATIENT.start(self.deadline);
        self.limited(async {
            'again: loop {
                for message in messages {
                    if message.is_step {
                        reach(Failpoint::StatementComing);
                    }
                    let was_changed = self.is_changed.swap(true, Ordering::Relaxed);
                    let Err(error) = self.send(message).await else { continue };
                    if !error.is_ambiguous() {
                        self.is_changed.store(was_changed, Ordering::Relaxed);
                    }
                    if error.is_transient() && attempts.again().await {
                        continue 'again;
                    }
                    return Err(error);
                }
                return Ok(());
            }
        })
        .await
    }

    /// The rows of a query.
    pub(super) async fn query(&self, statement: &Statement) -> Result<Vec<Vec<Value<'static>>>, ClickhouseError> {
        let parameters: Vec<_> = statement
            .parameters
            .iter()
            .enumerate()
            .map(|(number, parameter)| (format!("p{}", number + 1), value::parameter(parameter)))
            .collect();
        self.select(&statement.sql, &parameters, &statement.columns).await
    }

    /// The rows of a query with named parameters.
    pub(super) async fn select(
        &self,
        sql: &str,
        parameters: &[Parameter],
        columns: &[Type],
    ) -> Result<Vec<Vec<Value<'static>>>, ClickhouseError> {
        if let Some((_, long)) = parameters.iter().find(|(_, value)| value.len() > LONGEST_VALUE) {
            let message = format!("a value of {} bytes exceeds the limit of {LONGEST_VALUE} bytes", long.len());
            return Err(ClickhouseError::Refused(message));
        }
        let settings = vec![("default_format", "RowBinaryWithNamesAndTypes".to_owned())];
        let message = Message { sql, parameters, settings, ..Message::default() };
        let mut attempts = RetryPolicy::PATIENT.start(self.deadline);
        let response = self.limited(async {
            loop {
                match self.send(&message).await {
                    Err(error) if error.is_transient() && attempts.again().await => {}
                    response => return response,
                }
            }
        });
        value::read(&response.await?, columns).ok_or(ClickhouseError::Foreign)
    }

    /// Sends a statement and waits for the response.
    async fn send(&self, message: &Message<'_>) -> Result<Bytes, ClickhouseError> {
        let request = self.request(message)?;
        let response = self.client.request(request).await.map_err(|error| ClickhouseError::of_client(&error))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| ClickhouseError::Lost(with_causes(&error)))?;
        match status {
            StatusCode::OK => Ok(body.to_bytes()),
            status => Err(ClickhouseError::of_response(status, &String::from_utf8_lossy(&body.to_bytes()))),
        }
    }

    fn request(&self, message: &Message<'_>) -> Result<Request<Full<Bytes>>, ClickhouseError> {
        let mut settings = Serializer::new(String::new());
        settings.extend_pairs(&message.settings);
        if !self.deadline.is_never() {
            // Makes the server stop a statement whose deadline has passed. In whole seconds; zero would be no limit.
            settings.append_pair("max_execution_time", &(self.deadline.remaining().as_secs() + 1).to_string());
        }
        let (kind, body) = match &message.rows {
            Some(rows) => {
                settings.append_pair("query", message.sql);
                ("application/octet-stream".to_owned(), rows.clone())
            }
            None => form(message.sql, message.parameters),
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}&{}", self.url, settings.finish()))
            .header(CONTENT_TYPE, kind)
            .header(USER_AGENT, &self.user_agent)
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", &self.password);
        request.body(Full::new(body)).map_err(|error| ClickhouseError::Refused(error.to_string()))
    }
}

/// A statement, and either its parameters or rows to insert.
struct Message<'m> {
    sql: &'m str,
    parameters: &'m [Parameter],
    settings: Vec<(&'static str, String)>,
    rows: Option<Bytes>,
    /// Whether there is a failpoint before it.
    is_step: bool,
}

impl Default for Message<'_> {
    fn default() -> Self {
        Message { sql: "", parameters: &[], settings: Vec::new(), rows: None, is_step: true }
    }
}

/// A random number, which no other process is likely to draw.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A statement and its parameters as multipart/form-data, because a URL is limited to about a megabyte.
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

/// Decodes a part of a URL; returns the default if it is empty.
fn decoded(part: &str, default: &str) -> String {
    if part.is_empty() {
        return default.to_owned();
    }
    // A form would decode `+` to a space.
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
            ("clickhouse://host/db?sslmode=disable", "unknown parameter `sslmode`"),
            ("clickhouse://host:x/db", "invalid port number"),
        ] {
            let Err(ClickhouseError::Refused(message)) = Http::new(url) else { panic!("{url}") };
            assert_eq!(message, format!("invalid URL of a ClickHouse database: {why}"));
        }
    }

    #[test]
    fn the_server_is_sent_the_deadline() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let http = Http::new(&format!("clickhouse://{}", server.local_addr().unwrap())).unwrap();
        // It accepts the request and never answers.
        let accepted = std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut head = vec![0; 1000];
            let read = std::io::Read::read(&mut connection, &mut head).unwrap();
            (String::from_utf8_lossy(&head[..read]).into_owned(), connection)
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(async {
            http.within(Deadline::after(Duration::from_millis(1500))).select("SELECT 1", &[], &[]).await
        });
        assert!(matches!(result, Err(ClickhouseError::Timeout)));
        let (head, _connection) = accepted.join().unwrap();
        assert!(head.starts_with("POST /?") && head.contains("&max_execution_time=2 "), "{head}");
        assert!(head.contains("&cancel_http_readonly_queries_on_client_close=1&"), "{head}");
    }

    #[test]
    fn a_boundary_in_a_value_does_not_end_the_field() {
        let (kind, body) = form("SELECT 1", &[("p1".to_owned(), "--value--\r\n".to_owned())]);
        assert_eq!(kind, "multipart/form-data; boundary=values");
        let expected = "--values\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1\r\n\
            --values\r\nContent-Disposition: form-data; name=\"param_p1\"\r\n\r\n--value--\r\n\r\n--values--\r\n";
        assert_eq!(body, expected);
    }
}
