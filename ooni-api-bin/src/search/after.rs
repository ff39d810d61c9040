//! The parameter `after`: the last row of the previous page. Clients do not create it; they follow `next_url`.

use crate::http::Error;
use crate::params::invalid;
use ooni_core::time::DateTime;
use ooni_store::query::list::{Cursor, Order};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Its name.
pub(super) const PARAMETER: &str = "after";
/// Longer cursors, as for a long input, are not used, because the URL may be too long for a request. The offset is used instead.
const LONGEST: usize = 4096;

/// The order, from the row of a cursor on.
///
/// # Errors
/// 400 if the cursor is not one of this order.
pub(super) fn parse(order: &Order, text: &str) -> Result<Order, Error> {
    let parsed = match order {
        Order::MeasurementStartTime(_) => of(text).and_then(|Cursor { key, uid }| {
            Some(Order::MeasurementStartTime(Some(Cursor { key: DateTime::from_timestamp(key)?, uid })))
        }),
        Order::Input(_) => of(text).map(|cursor| Order::Input(Some(cursor))),
        Order::ProbeCc(_) => of(text).map(|cursor| Order::ProbeCc(Some(cursor))),
        Order::ProbeAsn(_) => of(text).map(|cursor| Order::ProbeAsn(Some(cursor))),
        Order::TestName(_) => of(text).map(|cursor| Order::TestName(Some(cursor))),
    };
    parsed.ok_or_else(|| invalid(PARAMETER, "the value of a next_url with the same order_by"))
}

/// The text of a cursor: `[key, uid]` as JSON. `None` without a cursor, and for one that is too long.
pub(super) fn text(order: &Order) -> Option<String> {
    let text = match order {
        Order::MeasurementStartTime(cursor) => cursor.as_ref().map(|cursor| pair(&cursor.key.timestamp(), &cursor.uid)),
        Order::Input(cursor) | Order::ProbeCc(cursor) | Order::TestName(cursor) => {
            cursor.as_ref().map(|cursor| pair(&cursor.key, &cursor.uid))
        }
        Order::ProbeAsn(cursor) => cursor.as_ref().map(|cursor| pair(&cursor.key, &cursor.uid)),
    };
    text.filter(|text| text.len() <= LONGEST)
}

/// Whether the order has no cursor.
pub(super) fn is_first(order: &Order) -> bool {
    match order {
        Order::MeasurementStartTime(cursor) => cursor.is_none(),
        Order::Input(cursor) | Order::ProbeCc(cursor) | Order::TestName(cursor) => cursor.is_none(),
        Order::ProbeAsn(cursor) => cursor.is_none(),
    }
}

fn of<K: DeserializeOwned>(text: &str) -> Option<Cursor<K>> {
    serde_json::from_str(text).ok().map(|(key, uid)| Cursor { key, uid })
}

fn pair(key: &impl Serialize, uid: &str) -> String {
    // Numbers and strings have no errors of their own.
    serde_json::to_string(&(key, uid)).unwrap_or_default()
}
