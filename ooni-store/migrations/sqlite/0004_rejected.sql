-- Measurements that were rejected (scoring spec §4), by the can that was read and their position in it, from 0; negative for
-- a part of the can that cannot be read as measurements. They are replaced when the can is read again, and deleted when a
-- measurement of their uid is stored.

CREATE TABLE rejected (
    can             TEXT NOT NULL,
    position        INTEGER NOT NULL,
    -- NULL where none is known.
    measurement_uid TEXT,
    -- Such as 'E-TYPE'.
    code            TEXT NOT NULL,
    -- A JSON pointer into the document.
    path            TEXT NOT NULL,
    message         TEXT NOT NULL,
    update_time     TEXT NOT NULL,
    PRIMARY KEY (can, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX rejected_by_uid ON rejected (measurement_uid) WHERE measurement_uid IS NOT NULL;
