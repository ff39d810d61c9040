//! Which measurement a request asks for (API spec §4.2, §4.3; decision 13).

use crate::clock::Timestamp;
use crate::http::{Error, Query};
use ooni_core::uid::received_at;

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
    if let Some(uid) = query.given("measurement_uid").filter(|uid| (10..=100).contains(&uid.len())) {
        return Ok(Wanted::Uid(uid.to_owned()));
    }
    let is_report = |id: &&str| {
        (15..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match query.given("report_id") {
        Some(id) if is_report(&id) => {
            let input = query.get("input").unwrap_or_default().to_owned();
            Ok(Wanted::Report { report_id: id.to_owned(), input })
        }
        Some(_) => Err(Error::bad_request("Invalid report_id")),
        None if query.given("measurement_uid").is_some() => Err(Error::bad_request("Invalid measurement_uid field")),
        None => Err(Error::bad_request("Either report_id or measurement_uid must be provided")),
    }
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
