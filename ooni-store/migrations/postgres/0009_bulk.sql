-- Bulk loads. A month that is being loaded has a table, fastpath_YYYY_MM, that is not a partition of fastpath and has no
-- indexes. When the month is finished, the indexes are built, the table becomes a partition, and its rows are counted in the
-- rollups. The rows of other tables are written as usual.

-- Months that are not finished.
CREATE TABLE bulk_month (
    -- Its first second. Batches lock the rows of their months until they are committed, so that a month is finished in between.
    month timestamp NOT NULL PRIMARY KEY
);

-- Programs that load rows.
CREATE TABLE bulk_loader (
    name    text COLLATE "C" NOT NULL PRIMARY KEY,
    renewed timestamptz NOT NULL
);

-- Indexes of empty tables that were dropped when a load began. They are built again when the last month is finished.
CREATE TABLE bulk_index (
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    definition text COLLATE "C" NOT NULL
);
