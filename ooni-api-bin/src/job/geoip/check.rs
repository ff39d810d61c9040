//! [`check`]: whether a geolocation file can be used.

use super::Role;
use anyhow::{Context, ensure};
use maxminddb::{Reader, WithinOptions};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::Path;

/// What is known of a file that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// Nodes of its search tree.
    pub(super) nodes: u32,
    /// When it was built, in seconds since 1970.
    pub(super) epoch: u64,
}

#[derive(Deserialize)]
struct Record<'a> {
    autonomous_system_number: Option<u32>,
    #[serde(borrow)]
    country: Option<Country<'a>>,
}

#[derive(Deserialize)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

/// Reads a file and all of its records, and looks up addresses that it must know.
pub(super) fn check(path: &Path, role: Role, known: &[IpAddr]) -> anyhow::Result<Checked> {
    let file = Reader::open_readfile(path)?;
    for address in known {
        let record: Option<Record<'_>> = file.lookup(*address)?.decode()?;
        let is_known = record.is_some_and(|record| match role {
            Role::Asn => record.autonomous_system_number.is_some_and(|asn| asn != 0),
            Role::Cc => record.country.and_then(|country| country.iso_code).is_some_and(|code| code.len() == 2),
        });
        ensure!(is_known, "it does not know the {} of {address}", role.singular());
    }
    for record in file.networks(WithinOptions::default())? {
        record.and_then(|record| record.decode::<Record<'_>>()).context("a damaged record")?;
    }
    Ok(Checked { nodes: file.metadata().node_count, epoch: file.metadata().build_epoch })
}

impl Role {
    fn singular(self) -> &'static str {
        match self {
            Role::Asn => "network",
            Role::Cc => "country",
        }
    }
}
