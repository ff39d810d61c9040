//! Rows of a store: look-ups, lists, and all rows as streams.

use super::{Read, Store};
use crate::engine::Workload;
use crate::error::Error;
use crate::query::filter::{Filter, Window};
use crate::query::list::{List, MeasurementSummary};
use crate::sql::{self, Statement};
use crate::stream::{PAGE, RowStream};
use crate::value::Value;
use crate::write::rejection::Rejection;
use crate::write::removal::{Removal, UidStatus};
use crate::write::row::{BodyLocation, Incoming, ListedUrl, StoredMeasurement, StoredRefusal, StoredRow};
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;

impl Store {
    /// The measurement of a uid, with the category of its input.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find(&self, uid: &str) -> Result<Option<MeasurementSummary>, Error> {
        let call = self.read("find", Workload::Lookup);
        let found = call.stored_row(uid).await?;
        call.with_category(found).await
    }

    /// A measurement of a report and input; an empty input matches a measurement without one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find_in_report(&self, report_id: &str, input: &str) -> Result<Option<MeasurementSummary>, Error> {
        let call = self.read("find_in_report", Workload::Lookup);
        let mut found = call.row_in_report(report_id, input).await?;
        if found.is_none() {
            call.check_loads().await?;
            found = call.row_in_report(report_id, input).await?;
        }
        call.with_category(found).await
    }

    /// The location of the body of a measurement, with or without a row.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn body_location(&self, uid: &str) -> Result<Option<BodyLocation>, Error> {
        let call = self.read("body_location", Workload::Lookup);
        let statement = sql::body_locations(self.dialect(), &[uid.to_owned()]);
        let mut rows = call.rows(statement.clone(), sql::located).await?;
        if rows.is_empty() {
            call.check_loads().await?;
            rows = call.rows(statement, sql::located).await?;
        }
        Ok(rows.into_iter().next().map(|(_, body)| body))
    }

    /// The number of measurements of a window whose bodies have no location, such as those that are not archived yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn unarchived(&self, window: Window) -> Result<u64, Error> {
        let call = self.read("unarchived", Workload::Aggregation).over(window);
        match call.query(sql::unarchived(self.dialect(), window)).await?.concat()[..] {
            [Value::Int(count)] => Ok(count),
            _ => Err(call.foreign()),
        }
    }

    /// A page of measurements.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) beyond
    /// [`StoreOptions::max_list_bytes`](crate::StoreOptions::max_list_bytes), or the store cannot be read. A shorter page may
    /// be read then: inputs have any length.
    pub async fn list(&self, list: &List) -> Result<Vec<MeasurementSummary>, Error> {
        let call = self.read("list", Workload::Lookup).over(list.filter.window);
        let max_bytes = self.options.max_list_bytes;
        call.rows(Statement { max_bytes, ..sql::list(self.dialect(), list) }, sql::listed).await
    }

    /// The URLs of these test lists, given by their `cc`, or of all lists if `ccs` is empty.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn test_lists(&self, ccs: &[String]) -> Result<Vec<ListedUrl>, Error> {
        let call = self.read("test_lists", Workload::Lookup);
        call.rows(sql::test_lists(self.dialect(), ccs), sql::listed_url).await
    }

    /// At most `limit` rows after a uid, in the byte order of their uids.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredRow>, Error> {
        let call = self.read("page", Workload::Aggregation);
        call.run(self.engine.page(after, limit, call.deadline)).await
    }

    /// All rows, in the byte order of their uids.
    pub fn rows(&self) -> RowStream<StoredRow> {
        let store = self.clone();
        RowStream::new(move |last: Option<StoredRow>| {
            let store = store.clone();
            Box::pin(async move { store.page(last.as_ref().map(uid), PAGE).await })
        })
    }

    /// All rows that match a filter, ordered by the start of the measurement, then by uid. The filter must not have a
    /// category.
    pub fn slice(&self, filter: Filter) -> RowStream<StoredRow> {
        let (store, window) = (self.clone(), filter.window);
        RowStream::new(move |last: Option<StoredRow>| {
            let after = last.as_ref().and_then(|row| Some((start(row)?, uid(row))));
            let statement = sql::slice(store.dialect(), &filter, after, PAGE);
            let store = store.clone();
            Box::pin(async move {
                let call = store.read("slice", Workload::Aggregation).over(window);
                call.rows(statement, |row| row.try_into().ok()).await
            })
        })
    }

    /// All measurements after a uid, with their rows in other tables, in the byte order of their uids.
    pub fn measurements(&self, after: Option<String>) -> RowStream<StoredMeasurement> {
        let store = self.clone();
        RowStream::new(move |last: Option<StoredMeasurement>| {
            let (store, after) = (store.clone(), last.map(|row| row.uid().to_owned()).or_else(|| after.clone()));
            Box::pin(async move {
                let call = store.read("measurements", Workload::Aggregation);
                call.run(store.engine.measurements(after.as_deref(), PAGE, call.deadline)).await
            })
        })
    }

    /// All refused measurements, in the byte order of their uids.
    pub fn refusals(&self) -> RowStream<StoredRefusal> {
        let store = self.clone();
        RowStream::new(move |last: Option<StoredRefusal>| {
            let statement = sql::refusals(store.dialect(), last.as_ref().map(Incoming::uid), PAGE);
            let store = store.clone();
            Box::pin(async move { store.read("refusals", Workload::Aggregation).rows(statement, sql::refusal).await })
        })
    }

    /// All removed measurements, in the byte order of their uids.
    pub fn removals(&self) -> RowStream<Removal> {
        let store = self.clone();
        RowStream::new(move |last: Option<Removal>| {
            let statement = sql::removals(store.dialect(), last.as_ref().map(|removal| &*removal.uid), PAGE);
            let store = store.clone();
            Box::pin(async move { store.read("removals", Workload::Aggregation).rows(statement, sql::removal).await })
        })
    }

    /// The uids and body locations of all measurements without a row whose locations were
    /// [set](Store::set_body_locations), in the byte order of their uids.
    pub fn archived(&self) -> RowStream<(String, BodyLocation)> {
        let store = self.clone();
        RowStream::new(move |last: Option<(String, BodyLocation)>| {
            let statement = sql::archived(store.dialect(), last.as_ref().map(|(uid, _)| &**uid), PAGE);
            let store = store.clone();
            Box::pin(async move { store.read("archived", Workload::Aggregation).rows(statement, sql::located).await })
        })
    }

    /// All rejected measurements, ordered by can and position; only those of a can or with a code, if given.
    pub fn rejections(&self, can: Option<String>, code: Option<String>) -> RowStream<Rejection> {
        let store = self.clone();
        RowStream::new(move |last: Option<Rejection>| {
            let after = last.as_ref().map(|rejection| (&*rejection.can, rejection.position));
            let statement = sql::rejections(store.dialect(), can.as_deref(), code.as_deref(), after, PAGE);
            let store = store.clone();
            Box::pin(
                async move { store.read("rejections", Workload::Aggregation).rows(statement, sql::rejection).await },
            )
        })
    }

    /// The tables that contain a uid.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn uid_status(&self, uid: &str) -> Result<UidStatus, Error> {
        let call = self.read("uid_status", Workload::Lookup);
        let [refused, rejected, removed, archived] = sql::uid_tables(self.dialect(), uid);
        Ok(UidStatus {
            is_stored: call.stored_row(uid).await?.is_some(),
            is_refused: !call.query(refused).await?.is_empty(),
            is_rejected: !call.query(rejected).await?.is_empty(),
            is_removed: !call.query(removed).await?.is_empty(),
            is_archived: !call.query(archived).await?.is_empty(),
        })
    }

    /// The engine's plan for a list, as the engine prints it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_list(&self, list: &List) -> Result<Vec<String>, Error> {
        self.explain(sql::list(self.dialect(), list)).await
    }

    /// The engine's plan for [`Store::find`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_find(&self, uid: &str) -> Result<Vec<String>, Error> {
        let start = match sql::start(self.dialect(), uid) {
            Some(statement) => self.read("explain", Workload::Lookup).time(statement).await?,
            None => None,
        };
        self.explain(sql::uid(self.dialect(), uid, start)).await
    }

    /// The engine's plan for [`Store::body_location`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_body_location(&self, uid: &str) -> Result<Vec<String>, Error> {
        self.explain(sql::body_locations(self.dialect(), &[uid.to_owned()])).await
    }

    /// The engine's plan for [`Store::find_in_report`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_find_in_report(&self, report_id: &str, input: &str) -> Result<Vec<String>, Error> {
        let dialect = self.dialect();
        let Some(statement) = sql::start_in_report(dialect, report_id, input) else {
            return self.explain(sql::report(dialect, report_id, input)).await;
        };
        let mut plan = self.explain(statement.clone()).await?;
        if let Some((start, uid)) = self.read("explain", Workload::Lookup).start_and_uid(statement).await? {
            plan.extend(self.explain(sql::uid(dialect, &uid, Some(start))).await?);
        }
        Ok(plan)
    }

    pub(super) async fn explain(&self, statement: Statement) -> Result<Vec<String>, Error> {
        let statement = self.dialect().explain(statement);
        let line = |row: Vec<Value<'static>>| match row.into_iter().next_back() {
            Some(Value::Text(line)) => Some(line.into_owned()),
            _ => None,
        };
        self.read("explain", Workload::Lookup).rows(statement, line).await
    }
}

impl Read<'_> {
    /// The row of a uid, unless it could be in a month that is being loaded.
    async fn stored_row(&self, uid: &str) -> Result<Option<MeasurementSummary>, Error> {
        let found = self.row_of(uid).await?;
        if found.is_some() {
            return Ok(found);
        }
        self.check_loads().await?;
        self.row_of(uid).await
    }

    /// The row of a uid.
    async fn row_of(&self, uid: &str) -> Result<Option<MeasurementSummary>, Error> {
        let dialect = self.store.dialect();
        if let Some(statement) = sql::start(dialect, uid) {
            let Some(start) = self.time(statement).await? else { return Ok(None) };
            let found = self.rows(sql::uid(dialect, uid, Some(start)), sql::listed).await?;
            if !found.is_empty() {
                return Ok(found.into_iter().next());
            }
            // The row was removed meanwhile, or replaced by one with another start. The statement without a start reads both
            // tables in one snapshot.
        }
        Ok(self.rows(sql::uid(dialect, uid, None), sql::listed).await?.into_iter().next())
    }

    /// The first row of a report and input.
    async fn row_in_report(&self, report_id: &str, input: &str) -> Result<Option<MeasurementSummary>, Error> {
        let dialect = self.store.dialect();
        if let Some(statement) = sql::start_in_report(dialect, report_id, input) {
            let Some((start, uid)) = self.start_and_uid(statement).await? else { return Ok(None) };
            let found = self.rows(sql::uid(dialect, &uid, Some(start)), sql::listed).await?;
            if !found.is_empty() {
                return Ok(found.into_iter().next());
            }
            // It was removed or replaced meanwhile; see `row_of`.
        }
        Ok(self.rows(sql::report(dialect, report_id, input), sql::listed).await?.into_iter().next())
    }

    /// The start and the uid that a statement returns, if it returns a row.
    async fn start_and_uid(&self, statement: Statement) -> Result<Option<(DateTime, String)>, Error> {
        let row = self.query(statement).await?.into_iter().next();
        row.map(|row| match <[Value<'static>; 2]>::try_from(row) {
            Ok([Value::Time(start), Value::Text(uid)]) => Ok((start, uid.into_owned())),
            _ => Err(self.foreign()),
        })
        .transpose()
    }

    /// The time that a statement returns, if it returns a row.
    async fn time(&self, statement: Statement) -> Result<Option<DateTime>, Error> {
        match self.query(statement).await?.into_iter().flatten().next() {
            Some(Value::Time(time)) => Ok(Some(time)),
            Some(_) => Err(self.foreign()),
            None => Ok(None),
        }
    }

    /// Adds the category of its input to a measurement.
    async fn with_category(&self, found: Option<MeasurementSummary>) -> Result<Option<MeasurementSummary>, Error> {
        let Some(mut found) = found else { return Ok(None) };
        let categories = sql::categories(self.store.dialect(), &found.input);
        let category = match self.query(categories).await?.into_iter().flatten().next() {
            Some(Value::Text(code)) => code.into_owned(),
            _ => String::new(),
        };
        found.category_code = Some(category);
        Ok(Some(found))
    }
}

fn uid(row: &StoredRow) -> &str {
    match &row[fastpath::measurement_uid] {
        Value::Text(uid) => uid,
        _ => "",
    }
}

fn start(row: &StoredRow) -> Option<DateTime> {
    match row[fastpath::measurement_start_time] {
        Value::Time(time) => Some(time),
        _ => None,
    }
}
