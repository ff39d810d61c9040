-- Finds the measurements of an OONI Run link. Few measurements have one.

ALTER TABLE fastpath ADD INDEX IF NOT EXISTS by_link ooni_run_link_id TYPE bloom_filter GRANULARITY 1;

ALTER TABLE fastpath MATERIALIZE INDEX by_link;
