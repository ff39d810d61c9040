//! `POST /{uid}`: the reference's feed, on a listener of its own (formats spec §4.1).
//!
//! Another collector that has made the uid sends the body. The answer follows the durable write.

use crate::app::App;
use crate::http::response::text;
use crate::http::{Error, Request, Response};
use crate::import;
use crate::intake::{Route, Side, Submission};
use crate::probe::report_id::ReportId;
use hyper::StatusCode;
use ooni_core::uid::received_at;
use std::sync::Arc;

/// Takes a measurement under its uid.
///
/// # Errors
/// 400 for a uid without time, country, test and hash; those of every submission.
pub async fn feed(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let uid = request.param("uid").to_owned();
    let Some((probe_cc, test_name)) = names(&uid) else { return Err(Error::bad_request("Incorrect format")) };
    app.intake.has_room()?;
    let submission = Submission {
        route: Route::Feed,
        key_report_id: String::new(),
        probe_cc,
        test_name,
        uid: Some(uid),
        headers: Vec::new(),
        side: Side::default(),
        body: request.payload().await?,
    };
    if !is_archived(&app, submission.uid.as_deref().unwrap_or_default()).await {
        app.intake.accept(submission).await?;
    }
    Ok(text(StatusCode::OK, ""))
}

/// Whether the log had the measurement once and has released it. If the store does not answer, it is accepted: a second copy is
/// better than none.
async fn is_archived(app: &App, uid: &str) -> bool {
    // The log recognizes repeats of what it still has, and another body with the same uid.
    matches!(app.intake.find(uid).await, Ok(None)) && matches!(import::is_archived(&app.stores, uid).await, Ok(true))
}

/// Country and test in a uid of the current form.
fn names(uid: &str) -> Option<(String, String)> {
    received_at(uid)?;
    let parts: Vec<&str> = uid.split('_').collect();
    let [_, probe_cc, test_name, _] = parts[..] else { return None };
    // A uid has no network.
    let ReportId { probe_cc, test_name, .. } = ReportId::new(test_name, probe_cc, 0)?;
    Some((probe_cc, test_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids() {
        let found = names("20210208220710.181572_MA_ndt_7888edc7748936bf");
        assert_eq!(found, Some(("MA".to_owned(), "ndt".to_owned())));
        for uid in
            ["", "2", "20210208220710.181572_MA_ndt", "20210208220710.181572_MAR_ndt_7888edc7748936bf", "2_MA_ndt_7"]
        {
            assert_eq!(names(uid), None, "{uid}");
        }
    }
}
