//! Why a measurement has its row: its stored body is scored again, and the outcome is compared with the row.
//!
//! [`of`] does so in a server, for the route and the page of a measurement. The command `verify` does the same on any machine, with
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

/// Bodies up to so many bytes are explained. Others may need too much time and memory: a dozen results can be held at a time, each
/// several times as large as the body if it is full of fingerprints. Of them, only the hash is compared.
const LARGEST: usize = 4 << 20;
const TOO_LARGE: &str = "The body has more than 4 MiB, so this server does not score it again; `ooni-api verify` does.";
const NO_BODY: &str = "The body of the measurement is not available, so its row cannot be checked.";
const NOT_NOW: &str = "The explanation is not available at the moment, so the row is not checked.";

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
    let store = app.stores.reads()?;
    let row = store.find(uid).await?;
    let known = match &row {
        Some(row) if row.probe_asn == 0 => return Ok(None),
        Some(_) => Known::default(),
        None if is_pending => Known { is_pending, ..Known::default() },
        None => {
            let tables = store.uid_status(uid).await?;
            if tables.is_removed || record.is_none() && !tables.is_archived {
                return Ok(None);
            }
            Known { is_refused: tables.is_refused, is_rejected: tables.is_rejected, ..Known::default() }
        }
    };
    let permit = app.bodies.explaining().await?;
    let server = server(app);
    let body = match bodies::stored(app, uid, record).await? {
        Some(body) => body,
        None => return Ok(row.map(|row| Explained::of_row(uid, &row, &server, NO_BODY))),
    };
    let uid = uid.to_owned();
    let explained = spawn_blocking(move || {
        let _permit = permit;
        explain(&uid, &body, row.as_ref(), &known, &server)
    });
    explained.await.map_err(|error| {
        tracing::error!(%error, "a measurement cannot be explained");
        Error::internal()
    })
}

/// The row of a measurement that cannot be explained at this moment; `None` if it has none that is public.
///
/// # Errors
/// 503 or 504 when the store fails.
pub async fn row_alone(app: &App, uid: &str) -> Result<Option<Explained>, Error> {
    let row = app.stores.reads()?.find(uid).await?.filter(|row| row.probe_asn != 0);
    Ok(row.map(|row| Explained::of_row(uid, &row, &server(app), NOT_NOW)))
}

/// How this server scores.
fn server(app: &App) -> Server {
    let rules = Rules::named(&app.config.scoring.rules).unwrap_or(Rules::Fixed);
    Server { rules, fingerprints: app.fingerprints.borrow().clone() }
}

/// What the log and the store say about a measurement without a row.
#[derive(Default)]
struct Known {
    is_pending: bool,
    is_refused: bool,
    is_rejected: bool,
}

fn explain(
    uid: &str,
    stored: &Stored,
    row: Option<&MeasurementSummary>,
    known: &Known,
    server: &Server,
) -> Option<Explained> {
    let scored = (stored.bytes.len() <= LARGEST).then(|| score(&stored.bytes, uid, &stored.side, &server.fingerprints));
    let Some(row) = row else {
        return match scored {
            Some(scored) => without_row(uid, stored, &scored, known, server),
            None => large_without_row(uid, known, server),
        };
    };
    let rules = rules_of(&row.ruleset).unwrap_or(server.rules);
    let differing = scored.as_ref().map(|scored| differing(row, scored.outcome(rules)));
    let sha256 = hex(Sha256::digest(&stored.bytes));
    let agrees = Agrees::new(row, rules, server, differing, stored.is_original.then_some(&*sha256));
    Some(Explained {
        status: Status::Stored,
        reason: scored.is_none().then(|| TOO_LARGE.to_owned()),
        row: Some(Row::new(row)),
        body: Some(Body::new(stored, sha256)),
        agrees,
        ..Explained::of_scored(uid, scored.as_ref(), rules, server)
    })
}

/// A measurement without a row whose body is too large to be scored here.
fn large_without_row(uid: &str, known: &Known, server: &Server) -> Option<Explained> {
    let status = match known {
        Known { is_pending: true, .. } => Status::Pending,
        Known { is_refused: true, .. } => Status::Refused,
        Known { is_rejected: true, .. } => Status::Rejected,
        // It was discarded, or its row was deleted.
        Known { .. } => return None,
    };
    Some(Explained { status, reason: Some(TOO_LARGE.to_owned()), ..Explained::of_server(uid, server) })
}

/// The rules that a ruleset in a row names, such as `fixed/1`. Rows that were copied from the reference name it instead.
pub fn rules_of(ruleset: &str) -> Option<Rules> {
    match ruleset.split('/').next() {
        Some("reference") => Some(Rules::Compat),
        name => Rules::named(name?),
    }
}

fn without_row(uid: &str, stored: &Stored, scored: &ScoredBody, known: &Known, server: &Server) -> Option<Explained> {
    let (status, reason) = match scored.outcome(server.rules) {
        Outcome::Stored { .. } if known.is_pending => {
            let explained = Explained::of_scored(uid, Some(scored), server.rules, server);
            let body = Some(Body::new(stored, hex(Sha256::digest(&stored.bytes))));
            return Some(Explained { reason: Some("It is not scored yet.".to_owned()), body, ..explained });
        }
        Outcome::Stored { row, .. } => match row.acceptance() {
            Err(refused) => (Status::Refused, refused.to_string()),
            Ok(()) if known.is_refused => (Status::Refused, "its row is too large".to_owned()),
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
