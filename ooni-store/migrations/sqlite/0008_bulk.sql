-- Bulk loads. A load begins in a store without rows: the secondary indexes of fastpath and of rollups are dropped, except those to
-- which rows in the order of time append, and rows are written without counting them in rollups. Finishing it counts the rows and builds the indexes, step by step, and then empties
-- these tables except bulk_loader.

-- The months with rows of the load. Queries that read them fail.
CREATE TABLE bulk_month (
    -- Its first second.
    month INTEGER NOT NULL PRIMARY KEY,
    rows  INTEGER NOT NULL
) STRICT;

-- One row while a load is not finished.
CREATE TABLE bulk_load (
    -- Rows of fastpath up to this rowid are counted in rollups.
    counted INTEGER NOT NULL
) STRICT;

-- Dropped indexes that are not built again yet.
CREATE TABLE bulk_index (
    name TEXT NOT NULL PRIMARY KEY,
    sql  TEXT NOT NULL
) STRICT;

-- Loaders that are alive.
CREATE TABLE bulk_loader (
    loader  TEXT NOT NULL PRIMARY KEY,
    -- Seconds since 1970.
    expires INTEGER NOT NULL
) STRICT;
