//! Why a measurement has the row that it has: its stored body is scored again, and what comes out is compared with the row.
//!
//! [`of`] does so in a server, for the route and the page of a measurement. The command `verify` does the same elsewhere, with
//! [`score`] and [`differing`] on a body that it fetched. The types of the answer are in [`answer`].

pub mod answer;
mod compare;

pub use self::answer::Explained;
pub use self::compare::{ScoredBody, differing, score, summary};

use self::answer::{Agrees, Body, Row, Server, Status};
use crate::app::App;
use crate::bodies::{self, Stored};
use crate::http::Error;
use ooni_core::hex::hex;
use ooni_core::process::{Discard, Outcome};
use ooni_core::rules::Rules;
use ooni_store::query::list::MeasurementSummary;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

/// Explains a measurement; `None` if it is unknown or not public.
///
/// Of a measurement without a row, only the reason is public, unless it is waiting to be scored.
///
/// # Errors
/// 503 or 504 when the log, the store or the archive fails, or too many measurements are explained; 500 for a damaged archive.
pub async fn of(app: &App, uid: &str) -> Result<Option<Explained>, Error> {
    let record = bodies::record(app, uid).await?;
    // Before the store is asked: what is scored meanwhile has a row, or is pending.
    let is_pending = record.as_ref().is_some_and(|record| record.sequence > app.scoring.borrow().position.sequence);
    let store = app.stores.measurements()?;
    let row = store.find(uid).await?;
    let may_be_refused = match &row {
        Some(row) if row.probe_asn == 0 => return Ok(None),
        Some(_) => false,
        None if is_pending => false,
        None => {
            let tables = store.uid_status(uid).await?;
            if tables.is_removed || record.is_none() && !tables.is_archived {
                return Ok(None);
            }
            tables.is_refused
        }
    };
    let permit = app.bodies.explaining().await?;
    let server = Server { rules: configured(app), fingerprints: app.fingerprints.borrow().clone() };
    let body = match bodies::stored(app, uid, record).await? {
        Some(body) => body,
        None => return Ok(row.map(|row| Explained::without_body(uid, &row, &server))),
    };
    let uid = uid.to_owned();
    let explained = spawn_blocking(move || {
        let _permit = permit;
        explain(&uid, &body, row.as_ref(), &Known { is_pending, may_be_refused }, &server)
    });
    explained.await.map_err(|error| {
        tracing::error!(%error, "a measurement cannot be explained");
        Error::internal()
    })
}

/// The rules with which this server scores.
fn configured(app: &App) -> Rules {
    if app.config.scoring.rules == Rules::Compat.name() { Rules::Compat } else { Rules::Fixed }
}

/// What the log and the store say about a measurement without a row.
struct Known {
    is_pending: bool,
    may_be_refused: bool,
}

fn explain(
    uid: &str,
    stored: &Stored,
    row: Option<&MeasurementSummary>,
    known: &Known,
    server: &Server,
) -> Option<Explained> {
    let scored = score(&stored.bytes, uid, &stored.side, &server.fingerprints);
    let Some(row) = row else { return without_row(uid, stored, &scored, known, server) };
    let rules = rules_of(&row.ruleset).unwrap_or(server.rules);
    let differing = differing(row, scored.outcome(rules));
    let sha256 = hex(Sha256::digest(&stored.bytes));
    let agrees = Agrees::new(row, rules, server, differing, stored.is_original.then_some(&*sha256));
    Some(Explained {
        status: Status::Stored,
        reason: None,
        row: Some(Row::new(row)),
        body: Some(Body::new(stored, sha256)),
        agrees,
        ..Explained::of_scored(uid, &scored, rules, server)
    })
}

/// The rules that a ruleset in a row names, such as `fixed/1`. Rows that were copied from the reference name it instead.
pub fn rules_of(ruleset: &str) -> Option<Rules> {
    match ruleset.split('/').next() {
        Some("fixed") => Some(Rules::Fixed),
        Some("compat" | "reference") => Some(Rules::Compat),
        _ => None,
    }
}

fn without_row(uid: &str, stored: &Stored, scored: &ScoredBody, known: &Known, server: &Server) -> Option<Explained> {
    let (status, reason) = match scored.outcome(server.rules) {
        Outcome::Stored { .. } if known.is_pending => {
            let explained = Explained::of_scored(uid, scored, server.rules, server);
            let body = Some(Body::new(stored, hex(Sha256::digest(&stored.bytes))));
            return Some(Explained { reason: Some("It is not scored yet.".to_owned()), body, ..explained });
        }
        Outcome::Stored { row, .. } => match row.acceptance() {
            Err(refused) => (Status::Refused, refused.to_string()),
            Ok(()) if known.may_be_refused => (Status::Refused, "its row is too large".to_owned()),
            // Its row was deleted.
            Ok(()) => return None,
        },
        Outcome::Discarded { reason } => (Status::Discarded, in_words(*reason).to_owned()),
        Outcome::Rejected { error } => (Status::Rejected, error.to_string()),
    };
    let status = if known.is_pending { Status::Pending } else { status };
    Some(Explained { status, reason: Some(reason), ..Explained::of_server(uid, server) })
}

fn in_words(discard: Discard) -> &'static str {
    match discard {
        Discard::NoReportId => "The measurement has no report id.",
        Discard::UnknownCountry => "The country of the probe is unknown (ZZ).",
        Discard::UnknownNetwork => "The network of the probe is unknown (AS0).",
    }
}
