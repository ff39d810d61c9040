//! The pages of this server, rendered to HTML.

pub mod assets;
pub mod home;
pub mod measurement;
pub mod search;

use crate::app::App;
use ooni_store::Deadline;
use std::collections::BTreeMap;

/// The names of networks, as far as they are known. A page is useful without them.
async fn network_names(app: &App, deadline: Deadline, asns: &[u32]) -> BTreeMap<u32, String> {
    match app.stores.application() {
        Ok(store) if !asns.is_empty() => store.with_deadline(deadline).asn_names(asns).await.unwrap_or_default(),
        _ => BTreeMap::new(),
    }
}
