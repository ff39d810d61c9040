//! How rollups follow the rows: triggers note what comes to `fastpath` and what goes, and before a transaction ends the
//! notes are added up. So no statement can change rows and forget the rollups.

use crate::failpoint::{Failpoint, reach};
use crate::store::rollup::{ROLLUPS, Rollup};
use crate::store::sql::{self, Dialect};
use rusqlite::{Connection, Result};

/// Notes are of a connection, and nobody else's.
const NOTES: &str = "
    CREATE TEMP TABLE touched (
        measurement_start_time INTEGER, test_name TEXT, probe_cc TEXT, probe_asn INTEGER, domain TEXT, input TEXT,
        blocking_type TEXT, msm_failure TEXT, confirmed TEXT, anomaly TEXT, sign INTEGER
    );
    CREATE TEMP TRIGGER came AFTER INSERT ON main.fastpath BEGIN
        INSERT INTO touched VALUES (new.measurement_start_time, new.test_name, new.probe_cc, new.probe_asn, new.domain,
            new.input, new.blocking_type, new.msm_failure, new.confirmed, new.anomaly, 1);
    END;
    CREATE TEMP TRIGGER went AFTER DELETE ON main.fastpath BEGIN
        INSERT INTO touched VALUES (old.measurement_start_time, old.test_name, old.probe_cc, old.probe_asn, old.domain,
            old.input, old.blocking_type, old.msm_failure, old.confirmed, old.anomaly, -1);
    END;";

/// Has changes noted from now on.
pub(super) fn note(connection: &Connection) -> Result<()> {
    connection.execute_batch(NOTES)
}

/// Adds the notes of this transaction to all rollups and forgets them.
pub(super) fn follow(connection: &Connection) -> Result<()> {
    let any_went = "SELECT EXISTS (SELECT 1 FROM touched WHERE sign < 0)";
    let any_went: bool = connection.prepare_cached(any_went)?.query_row([], |row| row.get(0))?;
    for rollup in &ROLLUPS {
        let [add, clean] = sql::delta(Dialect::Sqlite, rollup);
        connection.prepare_cached(&add)?.execute([])?;
        if any_went {
            connection.prepare_cached(&clean)?.execute([])?;
        }
        reach(Failpoint::RollupFollowed);
    }
    connection.prepare_cached("DELETE FROM touched")?.execute([]).map(drop)
}

/// Makes a rollup anew.
pub(super) fn rebuild(connection: &Connection, rollup: &Rollup) -> Result<()> {
    connection.execute(&format!("DELETE FROM {}", rollup.table()), [])?;
    reach(Failpoint::RollupEmptied);
    connection.execute(&sql::cells(Dialect::Sqlite, rollup), []).map(drop)
}
