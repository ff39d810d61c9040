//! How rollups follow the rows: a change notes in the table `touched` what comes to `fastpath` and what goes, and before it
//! is committed the notes are added up.

use crate::failpoint::{Failpoint, reach};
use crate::store::rollup::{ROLLUPS, Rollup};
use crate::store::sql::{self, Dialect};
use tokio_postgres::{Error, Transaction};

/// Adds the notes of a transaction to all rollups.
pub(super) async fn follow(transaction: &Transaction<'_>) -> Result<(), Error> {
    let signs = "SELECT count(*) > 0, coalesce(bool_or(sign < 0), false) FROM touched";
    let signs = transaction.query_one(signs, &[]).await?;
    let (any, any_went): (bool, bool) = (signs.try_get(0)?, signs.try_get(1)?);
    if !any {
        return Ok(());
    }
    for rollup in &ROLLUPS {
        let [add, clean] = sql::delta(Dialect::Postgres, rollup);
        transaction.execute_typed(&add, &[]).await?;
        if any_went {
            transaction.execute_typed(&clean, &[]).await?;
        }
        reach(Failpoint::RollupFollowed);
    }
    Ok(())
}

/// Makes a rollup anew.
pub(super) async fn rebuild(transaction: &Transaction<'_>, rollup: &Rollup) -> Result<(), Error> {
    // Not emptied by TRUNCATE, for which those that read would have to wait.
    transaction.batch_execute(&format!("DELETE FROM {}", rollup.table())).await?;
    reach(Failpoint::RollupEmptied);
    transaction.batch_execute(&sql::cells(Dialect::Postgres, rollup)).await
}
