//! The job `counters`: compares the counters of the store, among them those for prioritization, with its rows.

use super::Report;
use super::jobs::Run;
use ooni_store::Deadline;
use ooni_store::rollup::ROLLUPS;

pub(super) async fn run(run: &Run<'_>) -> anyhow::Result<Report> {
    // Reading all rows may take long.
    let store = run.measurements()?.with_deadline(Deadline::NEVER);
    if !run.is_dry {
        // ClickHouse only: what was written recently.
        store.refresh_rollups().await?;
    }
    let mut differ = Vec::new();
    for rollup in &ROLLUPS {
        let differences = store.check(rollup).await?.len();
        if differences > 0 {
            if !run.is_dry {
                store.rebuild(rollup).await?;
            }
            differ.push(format!("{} ({differences} lines)", rollup.name));
        }
    }
    if differ.is_empty() {
        return Ok(Report::unchanged(format!("all {} tables of counters agree with the rows", ROLLUPS.len())));
    }
    let differ = differ.join(", ");
    Ok(Report::changed(match run.is_dry {
        true => format!("these counters differ from the rows and would be rebuilt: {differ}"),
        false => format!("these counters differed from the rows and were rebuilt: {differ}"),
    }))
}
