//! The application tables, which only SQLite and PostgreSQL have, and the domains of test lists.

use super::Store;
use crate::app::priorities::default_rules;
use crate::app::row::{AppRow, AsnName, FaultyMeasurement, NO_APPLICATION, UrlPriority};
use crate::engine::Workload;
use crate::error::{Error, ErrorKind};
use crate::sql::{self, Dialect};
use crate::value::Value;
use crate::write::row::ListedUrl;
use std::collections::BTreeMap;

impl Store {
    /// Writes rows of the application tables, in one transaction.
    ///
    /// # Errors
    /// No row was written, unless [`Error::is_outcome_unknown`]. [`ErrorKind::Invalid`] on ClickHouse.
    pub async fn write_application(&self, rows: Vec<AppRow>) -> Result<(), Error> {
        let span = self.span("write_application");
        self.write_within(span, |deadline| self.engine.write_application(rows, deadline)).await
    }

    /// Replaces the names of all networks, in one transaction. Of names with the same network and day, the last is kept.
    ///
    /// # Errors
    /// The names are unchanged, unless [`Error::is_outcome_unknown`]. [`ErrorKind::Invalid`] on ClickHouse.
    pub async fn replace_asn_names(&self, mut names: Vec<AsnName>) -> Result<(), Error> {
        let span = self.span("replace_asn_names");
        names.reverse();
        names.sort_by(|a, b| (a.asn, &a.changed).cmp(&(b.asn, &b.changed)));
        names.dedup_by(|a, b| (a.asn, &a.changed) == (b.asn, &b.changed));
        self.write_within(span, |deadline| self.engine.replace_asn_names(names, deadline)).await
    }

    /// Writes the default rules by which URLs are prioritised (API spec §2.3) if there are no rules. Returns false if there
    /// were some.
    ///
    /// # Errors
    /// As [`Store::write_application`].
    pub async fn seed_url_priorities(&self) -> Result<bool, Error> {
        let span = self.span("seed_url_priorities");
        self.write_within(span, |deadline| self.engine.seed_url_priorities(default_rules(), deadline)).await
    }

    /// The latest names of these networks by number, or of all networks if `asns` is empty. Unknown networks are left out.
    ///
    /// # Errors
    /// The store cannot be read. [`ErrorKind::Invalid`] on ClickHouse.
    pub async fn asn_names(&self, asns: &[u32]) -> Result<BTreeMap<u32, String>, Error> {
        let statement = sql::app::asn_names(self.application()?, asns);
        let names = self.read("asn_names", Workload::Lookup).rows(statement, sql::app::asn_name).await?;
        Ok(names.into_iter().collect())
    }

    /// The rules of these countries, which may include `*` and the empty text, or all rules if `ccs` is empty.
    ///
    /// # Errors
    /// As [`Store::asn_names`].
    pub async fn url_priorities(&self, ccs: &[String]) -> Result<Vec<UrlPriority>, Error> {
        let statement = sql::app::url_priorities(self.application()?, ccs);
        self.read("url_priorities", Workload::Lookup).rows(statement, sql::app::url_priority).await
    }

    /// The number of accounts by the status that they gave a measurement. Only the latest feedback of an account counts.
    ///
    /// # Errors
    /// As [`Store::asn_names`].
    pub async fn feedback(&self, uid: &str) -> Result<Vec<(String, u64)>, Error> {
        let pair = |row: Vec<Value<'static>>| match <[Value<'static>; 2]>::try_from(row) {
            Ok([Value::Text(status), Value::Int(count)]) => Some((status.into_owned(), count)),
            _ => None,
        };
        let statement = sql::app::feedback(self.application()?, uid);
        self.read("feedback", Workload::Lookup).rows(statement, pair).await
    }

    /// The status that an account gave a measurement.
    ///
    /// # Errors
    /// As [`Store::asn_names`].
    pub async fn feedback_of(&self, uid: &str, account_id: &str) -> Result<Option<String>, Error> {
        let statement = sql::app::feedback_of(self.application()?, uid, account_id);
        let rows = self.read("feedback_of", Workload::Lookup).query(statement).await?;
        match rows.into_iter().flatten().next() {
            Some(Value::Text(status)) => Ok(Some(status.into_owned())),
            _ => Ok(None),
        }
    }

    /// At most `limit` faulty measurements, the newest first.
    ///
    /// # Errors
    /// As [`Store::asn_names`].
    pub async fn faulty_measurements(&self, limit: usize) -> Result<Vec<FaultyMeasurement>, Error> {
        let statement = sql::app::faulty_measurements(self.application()?, limit);
        self.read("faulty_measurements", Workload::Lookup).rows(statement, sql::app::faulty_measurement).await
    }

    /// Test-list entries with these domains, or all entries if `domains` is empty (API spec §6.1, `domain_metadata`). Entries
    /// of the global list come first, and within each group the shortest URLs.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn listed_domains(&self, domains: &[String]) -> Result<Vec<ListedUrl>, Error> {
        let statement = sql::app::listed_domains(self.dialect(), domains);
        self.read("listed_domains", Workload::Lookup).rows(statement, sql::listed_url).await
    }

    /// The dialect of a store that has application tables.
    fn application(&self) -> Result<Dialect, Error> {
        match self.dialect() {
            Dialect::Clickhouse => Err(Error::public(ErrorKind::Invalid, NO_APPLICATION).of(self.engine.name())),
            dialect => Ok(dialect),
        }
    }

    /// The engine's plans for the queries of this module, by table.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_application(&self) -> Result<Vec<(&'static str, Vec<String>)>, Error> {
        let dialect = self.application()?;
        let text = || "x".to_owned();
        let week = ooni_core::time::DateTime::from_timestamp(0).map_or_else(Vec::new, |week| vec![week]);
        let statements = [
            ("asnmeta", sql::app::asn_names(dialect, &[1])),
            ("url_priorities", sql::app::url_priorities(dialect, &[text()])),
            ("msmt_feedback", sql::app::feedback(dialect, "x")),
            ("msmt_feedback", sql::app::feedback_of(dialect, "x", "x")),
            ("citizenlab", sql::app::listed_domains(dialect, &[text()])),
            ("counters_asn_test_list", sql::app::imported_inputs(dialect, "x", Some(1), &week)),
        ];
        let mut plans = Vec::new();
        for (table, statement) in statements {
            plans.push((table, self.explain(statement).await?));
        }
        Ok(plans)
    }
}
