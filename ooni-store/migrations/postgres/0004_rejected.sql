-- Measurements that were rejected (scoring spec §4), by the can that was read and their position in it, from 0; negative for
-- a part of the can that cannot be read as measurements. They are replaced when the can is read again, and deleted when a
-- measurement of their uid is stored.

CREATE TABLE rejected (
    can             text COLLATE "C" NOT NULL,
    position        bigint NOT NULL,
    -- Null where none is known.
    measurement_uid text COLLATE "C",
    -- Such as 'E-TYPE'.
    code            text COLLATE "C" NOT NULL,
    -- A JSON pointer into the document.
    path            text COLLATE "C" NOT NULL,
    message         text COLLATE "C" NOT NULL,
    update_time     timestamp(3) NOT NULL DEFAULT localtimestamp,
    PRIMARY KEY (can, position)
);

CREATE INDEX rejected_by_uid ON rejected (measurement_uid) WHERE measurement_uid IS NOT NULL;
