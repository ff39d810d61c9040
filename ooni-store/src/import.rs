//! [`Reference`]: a database of OONI's own backend (API spec §14, §15), whose rows are imported into a store.
//!
//! The columns of its tables depend on their age, and flags and times are stored differently by engine. So each column is
//! selected by name and read as text. A missing or null column is read as a missing value.

pub(crate) mod columns;
pub(crate) mod dump;

use self::columns::{BODY, LISTS, ReferencePosition, Texts};
use crate::engine::clickhouse::reference::ClickhouseReference;
use crate::engine::postgres::reference::PostgresReference;
use crate::error::{Error, ErrorKind};
use crate::sql::UID;
use crate::url::{is_clickhouse, is_postgres, without_password};
use crate::value::{FastpathValues, OpenvpnValues, Type, Value};
use crate::write::row::{BodyLocation, Incoming, ListedUrl, Provenance, StoredRow};
use ooni_core::row::Refused;
use ooni_core::row::schema::{ColumnSchema, fastpath, openvpn};
use ooni_core::time::DateTime;
use std::collections::BTreeSet;

/// A reference database.
#[derive(Debug)]
pub enum Reference {
    /// On a PostgreSQL server.
    Postgres(Box<PostgresReference>),
    /// On a ClickHouse server.
    Clickhouse(Box<ClickhouseReference>),
}

/// The ruleset of reference rows, for which no version is stored.
const RULESET: &str = "reference";

impl Reference {
    /// Opens the database at a URL.
    ///
    /// # Errors
    /// It cannot be reached, or does not have the tables of the reference.
    pub async fn open(url: &str) -> Result<Reference, Error> {
        if is_postgres(url) {
            return Ok(Reference::Postgres(Box::new(PostgresReference::open(url).await?)));
        }
        if is_clickhouse(url) {
            return Ok(Reference::Clickhouse(Box::new(ClickhouseReference::open(url).await?)));
        }
        let message = "unsupported URL of a reference database: expected postgres://… or clickhouse://…";
        Err(Error::new(ErrorKind::Invalid, message).of(&without_password(url)))
    }

    /// At most `limit` measurements after a position. PostgreSQL orders them by uid, ClickHouse by start, then uid.
    ///
    /// # Errors
    /// It cannot be read, or does not contain the uid of a position whose start must be looked up.
    pub async fn measurements(
        &self,
        after: Option<&ReferencePosition>,
        limit: usize,
    ) -> Result<Vec<ReferenceRow>, Error> {
        match self {
            Reference::Postgres(database) => {
                let rows = database.page(after.map(|position| &*position.uid), limit).await?;
                Ok(rows.into_iter().map(|texts| ReferenceRow::new(texts, None)).collect())
            }
            Reference::Clickhouse(database) => {
                let rows = database.page(after, limit).await?;
                Ok(rows.into_iter().map(|(start, texts)| ReferenceRow::new(texts, Some(start))).collect())
            }
        }
    }

    /// The entries of its test lists, without duplicates, with countries normalized as in a store.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn test_lists(&self) -> Result<Vec<ListedUrl>, Error> {
        let lists = match self {
            Reference::Postgres(database) => database.lists().await?,
            Reference::Clickhouse(database) => database.lists().await?,
        };
        let entry = |texts: Texts| {
            let [url, domain, cc, category_code] =
                <[_; LISTS.len()]>::try_from(texts).ok()?.map(Option::unwrap_or_default);
            let cc = if cc == "ZZ" { cc } else { cc.to_ascii_lowercase() };
            Some((cc, url, category_code, domain))
        };
        let all: BTreeSet<_> = lists.into_iter().filter_map(entry).collect();
        Ok(all
            .into_iter()
            .map(|(cc, url, category_code, domain)| ListedUrl { url, domain, cc, category_code })
            .collect())
    }
}

/// A measurement of the reference.
#[derive(Clone, Debug)]
pub struct ReferenceRow {
    position: ReferencePosition,
    cells: Result<Box<StoredRow>, Refused>,
    openvpn: Result<Option<Box<OpenvpnValues<'static>>>, Refused>,
    body: Option<BodyLocation>,
    /// The source columns as JSON, if a column is refused.
    json: Vec<u8>,
}

impl ReferenceRow {
    fn new(mut texts: Texts, start: Option<String>) -> ReferenceRow {
        let mut beside = texts.split_off(fastpath::LEN.min(texts.len()));
        let vpn = beside.split_off(BODY.len().min(beside.len()));
        let position = ReferencePosition { uid: texts.first().cloned().flatten().unwrap_or_default(), start };
        let (cells, openvpn) = (row(&texts), self::openvpn(&vpn));
        let json = if cells.is_err() || openvpn.is_err() { json(&texts, &vpn) } else { Vec::new() };
        ReferenceRow { position, cells, openvpn, body: body_location(beside), json }
    }

    /// The position after it.
    pub fn position(&self) -> &ReferencePosition {
        &self.position
    }
}

impl Incoming for ReferenceRow {
    fn uid(&self) -> &str {
        &self.position.uid
    }

    fn cells(&self) -> Result<FastpathValues<'_>, Refused> {
        self.cells.as_ref().map(|cells| cells.each_ref().map(Value::borrowed)).map_err(Clone::clone)
    }

    fn openvpn(&self) -> Result<Option<OpenvpnValues<'_>>, Refused> {
        let cells = self.openvpn.as_ref().map_err(Clone::clone)?;
        Ok(cells.as_ref().map(|cells| cells.each_ref().map(Value::borrowed)))
    }

    fn provenance(&self) -> Provenance<'_> {
        Provenance { ruleset: RULESET.into(), ..Provenance::default() }
    }

    fn body(&self) -> Option<&BodyLocation> {
        self.body.as_ref()
    }

    fn json(&self) -> Vec<u8> {
        self.json.clone()
    }
}

/// A row of `fastpath`.
fn row(texts: &Texts) -> Result<Box<StoredRow>, Refused> {
    let cells =
        fastpath::COLUMNS.iter().zip(texts).map(|(&ColumnSchema { name, kind, .. }, text)| match (name, text) {
            (UID, None) => Err(refused(name, "is empty")),
            (UID, Some(text)) if text.is_empty() => Err(refused(name, "is empty")),
            ("anomaly" | "confirmed" | "msm_failure", text) => {
                Ok(Value::Text(if flag(name, text.as_deref())? { "t" } else { "f" }.into()))
            }
            ("is_verified", None) => Ok(Value::Text("u".into())),
            ("blocking_type", text) if text.as_deref().is_none_or(str::is_empty) => {
                cell(name, kind, of_scores(texts, name).as_deref())
            }
            ("test_runtime", None) => cell(name, kind, of_scores(texts, name).as_deref()),
            (_, text) => cell(name, kind, text.as_deref()),
        });
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    let row = cells.try_into().map_err(|_| refused(UID, "has too few columns"))?;
    Ok(Box::new(row))
}

/// A column that older tables lack, or that their rows do not have; its value is in `scores`.
fn of_scores(texts: &Texts, name: &str) -> Option<String> {
    let scores: serde_json::Value = serde_json::from_str(texts.get(fastpath::scores)?.as_deref()?).ok()?;
    match name {
        "blocking_type" => scores["analysis"][name].as_str().map(str::to_owned),
        _ => scores["extra"][name].as_f64().map(|seconds| seconds.to_string()),
    }
}

/// A row of `obs_openvpn`, if there is one.
fn openvpn(texts: &Texts) -> Result<Option<Box<OpenvpnValues<'static>>>, Refused> {
    if texts.get(openvpn::measurement_uid).is_none_or(Option::is_none) {
        return Ok(None);
    }
    let columns = openvpn::COLUMNS.iter().zip(texts);
    let cells = columns.map(|(column, text)| cell(column.name, column.kind, text.as_deref()));
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    Ok(cells.try_into().ok().map(Box::new))
}

fn body_location(texts: Texts) -> Option<BodyLocation> {
    let [s3path, linenum, date, source] = <[_; BODY.len()]>::try_from(texts).ok()?;
    Some(BodyLocation {
        s3path: s3path.filter(|path| !path.is_empty())?.into(),
        linenum: linenum?.parse().ok()?,
        date: date.unwrap_or_default().into(),
        source: source.unwrap_or_default().into(),
        member: None,
    })
}

fn refused(column: &str, message: impl Into<String>) -> Refused {
    Refused { column: column.to_owned(), message: message.into() }
}

fn flag(name: &str, text: Option<&str>) -> Result<bool, Refused> {
    match text {
        Some("t" | "true" | "1") => Ok(true),
        None | Some("f" | "false" | "0" | "") => Ok(false),
        Some(other) => Err(refused(name, format!("{other} is not a flag"))),
    }
}

/// Parses the value of a column from its text.
fn cell(name: &str, kind: Type, text: Option<&str>) -> Result<Value<'static>, Refused> {
    let invalid = |text: &str, expected: &str| refused(name, format!("{text} is not {expected}"));
    let cell = match (kind, text) {
        (Type::Text, text) => Value::Text(text.unwrap_or_default().to_owned().into()),
        (Type::OptionalUInt64, None) => Value::Null,
        (Type::UInt32, None) => Value::Int(0),
        (Type::Bool, text) => Value::Bool(flag(name, text)?),
        (Type::Float32, None) => Value::Float(0.0),
        (Type::Time, None) => return Err(refused(name, "is null")),
        (Type::OptionalUInt64, Some(text)) => {
            Value::Int(text.parse().map_err(|_| invalid(text, "a 64-bit unsigned integer"))?)
        }
        (Type::UInt32, Some(text)) => {
            Value::Int(u64::from(text.parse::<u32>().map_err(|_| invalid(text, "a 32-bit unsigned integer"))?))
        }
        (Type::Float32, Some(text)) => Value::Float(text.parse().map_err(|_| invalid(text, "a number"))?),
        (Type::Time, Some(text)) => {
            let time = DateTime::parse(text.as_bytes());
            let kept = time.filter(|time| (0..=i64::from(u32::MAX)).contains(&time.timestamp()));
            Value::Time(kept.ok_or_else(|| invalid(text, "a time from 1970 to 2106"))?)
        }
    };
    Ok(cell)
}

/// The source columns of a row, as JSON.
fn json(row: &Texts, vpn: &Texts) -> Vec<u8> {
    let object = |names: &mut dyn Iterator<Item = &'static str>, texts: &Texts| -> serde_json::Value {
        names.zip(texts).map(|(name, text)| (name.to_owned(), serde_json::Value::from(text.clone()))).collect()
    };
    let row = object(&mut fastpath::NAMES.into_iter(), row);
    let all = match vpn.iter().all(Option::is_none) {
        true => row,
        false => serde_json::json!({ "row": row, "openvpn": object(&mut openvpn::NAMES.into_iter(), vpn) }),
    };
    all.to_string().into_bytes()
}
