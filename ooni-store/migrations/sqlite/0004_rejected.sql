-- Rejected measurements (scoring spec §4), by the can that was read and their position in it. Positions count from 0; those of
-- parts of the can that cannot be read as measurements are negative. Rejections are replaced when the can is read again, and
-- deleted when a measurement with their uid is stored.

CREATE TABLE rejected (
    can             TEXT NOT NULL,
    position        INTEGER NOT NULL,
    -- NULL if it is unknown.
    measurement_uid TEXT,
    -- The error code, such as 'E-TYPE'.
    code            TEXT NOT NULL,
    -- The JSON pointer of the value in the document.
    path            TEXT NOT NULL,
    message         TEXT NOT NULL,
    update_time     TEXT NOT NULL,
    PRIMARY KEY (can, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX rejected_by_uid ON rejected (measurement_uid) WHERE measurement_uid IS NOT NULL;
