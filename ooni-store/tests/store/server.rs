//! Stores on servers.

#![allow(dead_code)] // the tests of ooni-fastpath use only a part of it

use crate::support::Engine;
use ooni_store::BlockingStore;
use ooni_store::rollup::Rollup;
use ooni_testkit::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A database on a PostgreSQL server, which all tests of a process share.
pub(crate) struct OnPostgres {
    name: String,
}

/// The server, with a migrated database that is the template of others.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<&Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::shared_postgres().unwrap();
        execute(server, "postgres", "CREATE DATABASE migrated");
        BlockingStore::migrate(&server.postgres_url("migrated")).unwrap();
        server
    })
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// What a statement returns, as text; nothing for null.
pub(crate) fn execute(server: &Server, database: &str, sql: &str) -> Vec<Vec<String>> {
    runtime().block_on(async {
        let (client, connection) = tokio_postgres::connect(&server.postgres_url(database), NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let rows = rows(&client, sql).await;
        drop(client);
        // The server does not copy a database as long as it has connections to it.
        connection.await.unwrap().unwrap();
        rows
    })
}

async fn rows(client: &Client, sql: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for message in client.simple_query(sql).await.unwrap() {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect());
        }
    }
    rows
}

/// A connection of another program to a PostgreSQL server, which stays open.
pub(crate) struct Session(Client);

impl Session {
    pub(crate) fn new(engine: &OnPostgres) -> Session {
        let connect = async {
            let (client, connection) = tokio_postgres::connect(&engine.url(), NoTls).await.unwrap();
            tokio::spawn(connection);
            Session(client)
        };
        runtime().block_on(connect)
    }

    /// What a statement returns, as text; nothing for null.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<String>> {
        runtime().block_on(rows(&self.0, sql))
    }
}

impl OnPostgres {
    pub(crate) fn new() -> OnPostgres {
        OnPostgres::like("migrated")
    }

    /// A database without tables.
    pub(crate) fn empty() -> OnPostgres {
        OnPostgres::like("template1")
    }

    /// How many locks of this database fulfil a condition. Tables of databases with one template have the same number.
    pub(crate) fn locks(&self, condition: &str) -> usize {
        let sql = "SELECT count(*) FROM pg_locks WHERE database =
            (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.query(&format!("{sql} AND {condition}"))[0][0].parse().unwrap()
    }

    fn like(template: &str) -> OnPostgres {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(server(), "postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        OnPostgres { name }
    }
}

impl Engine for OnPostgres {
    fn query(&self, sql: &str) -> Vec<Vec<String>> {
        execute(server(), &self.name, sql)
    }

    fn url(&self) -> String {
        server().postgres_url(&self.name)
    }

    fn table(&self, name: &str) -> Vec<Vec<String>> {
        // Times as seconds, as in SQLite, and without columns that only this engine has.
        let columns = self.query(&format!(
            "SELECT CASE data_type WHEN 'timestamp without time zone' THEN 'extract(epoch FROM ' || column_name || ')::bigint'
                ELSE column_name END
             FROM information_schema.columns
             WHERE table_name = '{name}' AND column_name <> 'update_time'
                AND NOT (table_name = 'jsonl' AND column_name = 'measurement_start_time')
             ORDER BY ordinal_position"
        ));
        self.query(&format!("SELECT {} FROM {name} ORDER BY measurement_uid", columns.concat().join(", ")))
    }
}

/// A database on a server with ClickHouse's engine. All tests of a process share the servers.
pub(crate) struct OnClickhouse {
    name: String,
    server: &'static Server,
}

/// What a statement returns, as text; nothing for null.
fn query(server: &Server, database: &str, sql: &str) -> Vec<Vec<String>> {
    let mut connection = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    write!(
        connection,
        "POST /?database={database}&final=1&default_format=JSONCompactStringsEachRow HTTP/1.1\r\nConnection: close\r\n\
        X-ClickHouse-User: test\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{sql}: {body}");
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl OnClickhouse {
    pub(crate) fn new() -> OnClickhouse {
        let engine = OnClickhouse::empty();
        BlockingStore::migrate(&engine.url()).unwrap();
        engine
    }

    /// A database without tables.
    pub(crate) fn empty() -> OnClickhouse {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (name, server) = (format!("test_{number}"), Server::nth_clickhouse(number).unwrap());
        query(server, "default", &format!("CREATE DATABASE {name} ENGINE = Atomic"));
        OnClickhouse { name, server }
    }

    /// The address of its server.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port)
    }
}

impl Drop for OnClickhouse {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            query(self.server, "default", &format!("DROP DATABASE {}", self.name));
        }
    }
}

impl Engine for OnClickhouse {
    fn query(&self, sql: &str) -> Vec<Vec<String>> {
        query(self.server, &self.name, sql)
    }

    fn has_transactions(&self) -> bool {
        false
    }

    fn spoil(&self, rollup: &Rollup) {
        self.query(&format!(
            "ALTER TABLE {} UPDATE anomaly_count = anomaly_count + 1 WHERE true SETTINGS mutations_sync = 2",
            rollup.table()
        ));
    }

    fn url(&self) -> String {
        self.server.clickhouse_url(&self.name)
    }

    fn table(&self, name: &str) -> Vec<Vec<String>> {
        // Times as seconds, as in SQLite, and without columns that only this engine has.
        let columns = self.query(&format!(
            "SELECT multiIf(type = 'DateTime(\\'UTC\\')', 'toUnixTimestamp(' || name || ')',
                type LIKE 'Nullable%', 'ifNull(toString(' || name || '), \\'\\')', name)
             FROM system.columns
             WHERE database = currentDatabase() AND table = '{name}' AND name <> 'update_time'
                AND NOT (table = 'jsonl' AND name = 'measurement_start_time')
             ORDER BY position"
        ));
        self.query(&format!("SELECT {} FROM {name} ORDER BY measurement_uid", columns.concat().join(", ")))
    }
}
