//! Which measurement a request is for (API spec §4.2, §4.3; decision 13).

use crate::app::App;
use crate::clock::Timestamp;
use crate::http::{Error, Query};
use crate::params;
use ooni_core::uid::received_at;
use ooni_store::query::list::MeasurementSummary;
use std::time::Duration;
use tokio::time::timeout;

/// How long a request waits for a measurement in the log to be scored, before the response is that it is unknown.
const SCORING_TIMEOUT: Duration = Duration::from_secs(2);
/// The age of a uid or report in seconds up to which a measurement may get a row soon.
const FRESH: f64 = 3600.0;

/// The measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one with this uid.
    Uid(String),
    /// The one with this input in a report.
    Report {
        /// Id of the report.
        report_id: String,
        /// The input; empty for measurements without one.
        input: String,
    },
}

impl Wanted {
    /// When the measurement was received, or its report opened, if the id says so.
    pub fn time(&self) -> Option<Timestamp> {
        let time = match self {
            Wanted::Uid(uid) => received_at(uid)?.0,
            // `20210208T162755Z_…` as the start of a uid.
            Wanted::Report { report_id, .. } => {
                let (date, time) = (report_id.get(..8)?, report_id.get(8..15)?.strip_prefix('T')?);
                received_at(&format!("{date}{time}.000000_"))?.0
            }
        };
        Some(Timestamp::from_date_time(time))
    }
}

/// The measurement of `measurement_uid` if it is valid, or else of `report_id` and `input`.
///
/// # Errors
/// 400 when neither can be used.
pub fn wanted(query: &Query) -> Result<Wanted, Error> {
    if let Some(uid) = query.given("measurement_uid").filter(|uid| params::has_length_of_uid(uid)) {
        return Ok(Wanted::Uid(uid.to_owned()));
    }
    match query.given("report_id") {
        Some(id) if params::is_report_id(id) => {
            let input = query.get("input").unwrap_or_default().to_owned();
            Ok(Wanted::Report { report_id: id.to_owned(), input })
        }
        Some(_) => Err(Error::bad_request("Invalid report_id")),
        None if query.given("measurement_uid").is_some() => Err(Error::bad_request("Invalid measurement_uid field")),
        None => Err(Error::bad_request("Either report_id or measurement_uid must be provided")),
    }
}

/// The row of a measurement, if it is public. A measurement that was submitted just now may have to be scored first.
///
/// # Errors
/// 503 or 504 if the store cannot be read.
pub async fn row(app: &App, wanted: &Wanted) -> Result<Option<MeasurementSummary>, Error> {
    let store = app.stores.reads()?;
    let find = async || {
        let row = match wanted {
            Wanted::Uid(uid) => store.find(uid).await?,
            Wanted::Report { report_id, input } => store.find_in_report(report_id, input).await?,
        };
        Ok::<_, Error>(row.filter(is_shown))
    };
    if let Some(row) = find().await? {
        return Ok(Some(row));
    }
    let last = match wanted {
        Wanted::Uid(uid) => app.intake.find(uid).await.ok().flatten().map(|record| record.sequence),
        // The log does not know reports.
        Wanted::Report { .. } => is_fresh(app, wanted).then(|| app.intake.counters().accepted),
    };
    let mut scoring = app.scoring.clone();
    match last {
        Some(last) if scoring.borrow().position.sequence < last => {
            let scored = scoring.wait_for(|progress| progress.position.sequence >= last);
            let _ = timeout(SCORING_TIMEOUT, scored).await;
            find().await
        }
        _ => Ok(None),
    }
}

/// Whether a measurement without a row may get one soon.
pub fn is_fresh(app: &App, wanted: &Wanted) -> bool {
    wanted.time().is_some_and(|time| app.clock.now().seconds_since(time) < FRESH)
}

/// Whether the measurement of a row is public.
pub fn is_shown(row: &MeasurementSummary) -> bool {
    row.probe_asn != 0
}

/// What a handler does, within the time that a read may take.
///
/// # Errors
/// 504 if it takes longer.
pub async fn in_time<T>(app: &App, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(Duration::from_secs(app.config.reads.timeout), work).await.unwrap_or_else(|_| Err(Error::timeout()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let time = |text: &str| Some(Timestamp::from_date_time(received_at(text)?.0));
        let uid = "20210208162755.181572_MA_ndt_7888edc7748936bf";
        let report = |id: &str| Wanted::Report { report_id: id.to_owned(), input: String::new() }.time();
        assert!(time(uid).is_some());
        assert_eq!(Wanted::Uid(uid.to_owned()).time(), time(uid));
        assert_eq!(report("20210208T162755Z_ndt_DZ_36947_n1_8swgXi7xNuRUyO9a"), time(uid));
        assert_eq!(Wanted::Uid("01202102037f9c2ba4e88f827d61604550760585".to_owned()).time(), None);
        for id in ["short", "20210208_162755Z_ndt", "2021020T8162755Z_", "éé", "20211308T162755Z_ndt"] {
            assert_eq!(report(id), None, "{id}");
        }
    }

    #[test]
    fn ids() {
        let of = |query: &str| wanted(&Query::parse(Some(query)));
        let uid = "20210208220710.181572_MA_ndt_7888edc7748936bf";
        let report = "20210208T162755Z_ndt_DZ_36947_n1_8swgXi7xNuRUyO9a";
        assert_eq!(of(&format!("measurement_uid={uid}&report_id={report}")).unwrap(), Wanted::Uid(uid.to_owned()));
        let input = |input: &str| Wanted::Report { report_id: report.to_owned(), input: input.to_owned() };
        assert_eq!(of(&format!("measurement_uid=short&report_id={report}")).unwrap(), input(""));
        assert_eq!(of(&format!("report_id={report}&input=http://a/")).unwrap(), input("http://a/"));
        for query in ["", "report_id=short", "measurement_uid=short", "report_id=20210208T162755Z_n%2Ft", "input=x"] {
            assert_eq!(of(query).unwrap_err().status(), 400, "{query}");
        }
    }
}
