//! [`Change`]: a change to a store; and all changes other than writing a batch.

use super::error::PgError;
use super::partition::Partition;
use super::{bulk, locations, log, rollups, schema, value};
use crate::app::lists::{ListChanges, list_changes};
use crate::app::row::{AppRow, AsnName};
use crate::deadline::Deadline;
use crate::failpoint::{Failpoint, reach};
use crate::rollup::{ROLLUPS, Rollup};
use crate::sql::{self, Dialect, Parameter, Statement};
use crate::value::Value;
use crate::write::removal::RemoveOutcome;
use crate::write::row::ListedUrl;
use crate::write::tally::{COLUMNS, Tally};
use ooni_core::time::DateTime;
use postgres_types::ToSql;
use std::borrow::Cow;
use std::future::Future;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::{Row, Transaction};

/// A change that is made in one transaction. It is made again if the transaction was not committed.
pub(super) trait Change: Sync {
    /// What it returns.
    type Outcome: Send;

    /// The statement that takes the lock of the change.
    fn lock(&self) -> &'static str {
        schema::LOCK
    }

    /// Makes the change, and tallies the rows added and deleted.
    fn make(
        &self,
        transaction: &Transaction<'_>,
        tally: &mut Tally,
    ) -> impl Future<Output = Result<Self::Outcome, PgError>> + Send;
}

/// Tallies the rows that a statement deleted, given the [`COLUMNS`] of each.
pub(super) fn tally_deleted(rows: &[Row], tally: &mut Tally) -> Result<(), PgError> {
    for row in rows {
        let mut cells = [const { Value::Null }; COLUMNS.len()];
        for (place, (cell, (_, kind))) in cells.iter_mut().zip(COLUMNS).enumerate() {
            *cell = value::read(row, place, kind).map_err(|_| PgError::foreign())?;
        }
        tally.subtract(&cells);
    }
    Ok(())
}

/// The RETURNING columns of a statement that deletes rows of `f`.
pub(super) fn returning() -> String {
    COLUMNS.map(|(name, _)| format!("f.{name}")).join(", ")
}

/// Removes a measurement permanently.
pub(super) struct Remove<'a> {
    pub(super) uid: &'a str,
    pub(super) reason: &'a str,
    /// Whether to ban it if it is in no table.
    pub(super) ban: bool,
}

impl Change for Remove<'_> {
    type Outcome = RemoveOutcome;

    async fn make(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<RemoveOutcome, PgError> {
        let uid = Parameter::Text(self.uid.to_owned());
        let reason = Parameter::Text(self.reason.to_owned());
        bulk::check_uids(transaction, &[value::encoded(self.uid)]).await?;
        let delete = format!(
            "DELETE FROM fastpath AS f USING jsonl AS j
             WHERE j.measurement_uid = $1 AND f.measurement_uid = j.measurement_uid
                AND f.measurement_start_time = j.measurement_start_time
             RETURNING {}",
            returning()
        );
        let rows = transaction.query(&delete, &[&uid]).await?;
        tally_deleted(&rows, tally)?;
        reach(Failpoint::RowDeleted);
        for table in ["jsonl", "obs_openvpn"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE measurement_uid = $1"), &[&uid]).await?;
        }
        let accept = "DELETE FROM refused WHERE md5(measurement_uid) = md5($1)";
        let refusals = transaction.execute(accept, &[&uid]).await?;
        let rejections = transaction.execute("DELETE FROM rejected WHERE measurement_uid = $1", &[&uid]).await?;
        let archived = locations::forget(transaction, &[value::encoded(self.uid)]).await?;
        let removed = "SELECT EXISTS (SELECT FROM removed WHERE md5(measurement_uid) = md5($1))";
        let was_removed: bool = transaction.query_one(removed, &[&uid]).await?.try_get(0)?;
        let exists = rows.len() as u64 + refusals + rejections + archived > 0;
        let outcome = RemoveOutcome::of(was_removed, exists, self.ban);
        if matches!(outcome, RemoveOutcome::Removed | RemoveOutcome::Banned) {
            let remove = "INSERT INTO removed (measurement_uid, reason, update_time) VALUES ($1, $2, localtimestamp)";
            transaction.execute(remove, &[&uid, &reason]).await?;
        }
        Ok(outcome)
    }
}

/// Lifts the ban of a measurement.
pub(super) struct Restore<'a>(pub(super) &'a str);

impl Change for Restore<'_> {
    type Outcome = bool;

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<bool, PgError> {
        let uid = Parameter::Text(self.0.to_owned());
        let restore = "DELETE FROM removed WHERE md5(measurement_uid) = md5($1)";
        Ok(transaction.execute(restore, &[&uid]).await? > 0)
    }
}

/// Deletes a month.
pub(super) struct DropMonth {
    /// Its first moment.
    pub(super) month: DateTime,
    /// When the wait for readers ends.
    pub(super) deadline: Deadline,
}

impl Change for DropMonth {
    type Outcome = u64;

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<u64, PgError> {
        let window = [Parameter::Time(self.month), Parameter::Time(self.month.start_of_next_month())];
        let window = [&window[0] as &(dyn postgres_types::ToSql + Sync), &window[1]];
        let within = "measurement_start_time >= $1 AND measurement_start_time < $2";
        bulk::check_months(transaction, [self.month].into_iter()).await?;
        let partition = Partition::lock(transaction, self.month).await?;
        log::fold_all(transaction).await?;
        // A month can be too large to tally.
        rollups::subtract_window(transaction, &window).await?;
        let openvpn = format!(
            "DELETE FROM obs_openvpn WHERE measurement_uid IN (SELECT measurement_uid FROM jsonl WHERE {within})"
        );
        transaction.execute(&openvpn, &window).await?;
        let rows = transaction.execute(&format!("DELETE FROM jsonl WHERE {within}"), &window).await?;
        match partition {
            // Last, as readers wait from here until COMMIT.
            Some(partition) => partition.drop(transaction, self.deadline).await?,
            None => drop(transaction.execute(&format!("DELETE FROM fastpath WHERE {within}"), &window).await?),
        }
        reach(Failpoint::RowDeleted);
        Ok(rows)
    }
}

/// Replaces all test lists.
pub(super) struct Lists<'a>(pub(super) &'a [ListedUrl]);

impl Change for Lists<'_> {
    type Outcome = ();

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<(), PgError> {
        bulk::check_all(transaction).await?;
        let old = transaction.query("SELECT url, domain, cc, category_code FROM citizenlab", &[]).await?;
        let old = old.iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let changes = list_changes(&old, self.0);
        if changes == ListChanges::None {
            return Ok(());
        }
        log::fold_all(transaction).await?;
        transaction.batch_execute("DELETE FROM citizenlab").await?;
        let copy = "COPY citizenlab (url, domain, cc, category_code) FROM STDIN BINARY";
        let copy = BinaryCopyInWriter::new(transaction.copy_in(copy).await?, &[postgres_types::Type::TEXT; 4]);
        let mut copy = std::pin::pin!(copy);
        for ListedUrl { url, domain, cc, category_code } in self.0 {
            let texts = [url, domain, cc, category_code].map(|text| Parameter::Text(text.clone()));
            copy.as_mut().write_raw(&texts).await?;
        }
        copy.finish().await?;
        // Until the server has statistics, lists of a category are planned for one URL: all rows are read and sorted.
        transaction.batch_execute("ANALYZE citizenlab").await?;
        reach(Failpoint::ListsReplaced);
        for rollup in ROLLUPS.iter().filter(|rollup| rollup.is_of_lists()) {
            match &changes {
                ListChanges::Entries(changed) => rollups::count_changed(transaction, rollup, changed).await?,
                _ => rollups::rebuild(transaction, rollup).await?,
            }
        }
        Ok(())
    }
}

/// Writes application-table rows.
pub(super) struct Application<'a>(pub(super) &'a [AppRow]);

impl Change for Application<'_> {
    type Outcome = ();

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<(), PgError> {
        for row in self.0 {
            let Statement { sql, parameters, .. } = sql::app::write_app(Dialect::Postgres, row);
            let kinds = parameters.iter().map(|value| (value as &(dyn ToSql + Sync), value::kind(value)));
            transaction.execute_typed(&sql, &kinds.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}

/// Writes rules by which URLs are prioritised, if there are none. The outcome is whether there were none.
pub(super) struct Seed<'a>(pub(super) &'a [AppRow]);

impl Change for Seed<'_> {
    type Outcome = bool;

    async fn make(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<bool, PgError> {
        let any = "SELECT EXISTS (SELECT FROM url_priorities)";
        let is_empty = !transaction.query_one(any, &[]).await?.try_get::<_, bool>(0)?;
        if is_empty {
            Application(self.0).make(transaction, tally).await?;
        }
        Ok(is_empty)
    }
}

/// Replaces the names of all networks.
pub(super) struct Names<'a>(pub(super) &'a [AsnName]);

impl Change for Names<'_> {
    type Outcome = ();

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<(), PgError> {
        // TRUNCATE would make readers wait.
        transaction.batch_execute("DELETE FROM asnmeta").await?;
        let copy = "COPY asnmeta (asn, org_name, cc, changed, aut_name, source) FROM STDIN BINARY";
        let types = {
            use postgres_types::Type as T;
            [T::INT8, T::TEXT, T::TEXT, T::TEXT, T::TEXT, T::TEXT]
        };
        let mut copy = std::pin::pin!(BinaryCopyInWriter::new(transaction.copy_in(copy).await?, &types));
        for AsnName { asn, org_name, cc, changed, aut_name, source } in self.0 {
            let text = |text| Value::Text(Cow::Borrowed(text));
            let asn = Value::Int(u64::from(*asn));
            copy.as_mut()
                .write_raw([asn, text(org_name), text(cc), text(changed), text(aut_name), text(source)].iter())
                .await?;
        }
        copy.finish().await?;
        transaction.batch_execute("ANALYZE asnmeta").await?;
        Ok(())
    }
}

/// A test-list entry: its `url`, `domain`, `cc` and `category_code`.
fn listed(row: &Row) -> Result<ListedUrl, tokio_postgres::Error> {
    let text = |column: usize| row.try_get(column).map(value::decoded);
    Ok(ListedUrl { url: text(0)?, domain: text(1)?, cc: text(2)?, category_code: text(3)? })
}

/// Rebuilds a rollup.
pub(super) struct Rebuild(pub(super) &'static Rollup);

impl Change for Rebuild {
    type Outcome = ();

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<(), PgError> {
        bulk::check_all(transaction).await?;
        log::fold_all(transaction).await?;
        Ok(rollups::rebuild(transaction, self.0).await?)
    }
}

/// Moves all rows from the log of rollups into the rollups.
pub(super) struct Fold;

impl Change for Fold {
    type Outcome = ();

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<(), PgError> {
        log::fold_all(transaction).await
    }
}
