-- Rejected measurements (scoring spec §4), by the can that was read and their position in it. Positions count from 0; those of
-- parts of the can that cannot be read as measurements are negative. Rejections are replaced when the can is read again, and
-- deleted when a measurement with their uid is stored.

CREATE TABLE rejected (
    can             text COLLATE "C" NOT NULL,
    position        bigint NOT NULL,
    -- NULL if it is unknown.
    measurement_uid text COLLATE "C",
    -- The error code, such as 'E-TYPE'.
    code            text COLLATE "C" NOT NULL,
    -- The JSON pointer of the value in the document.
    path            text COLLATE "C" NOT NULL,
    message         text COLLATE "C" NOT NULL,
    update_time     timestamp(3) NOT NULL DEFAULT localtimestamp,
    PRIMARY KEY (can, position)
);

CREATE INDEX rejected_by_uid ON rejected (measurement_uid) WHERE measurement_uid IS NOT NULL;
