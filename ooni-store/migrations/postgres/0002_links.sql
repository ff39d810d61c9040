-- Finds the measurements of an OONI Run link. Few measurements have one.
CREATE INDEX fastpath_by_link ON fastpath (ooni_run_link_id, measurement_start_time) WHERE ooni_run_link_id IS NOT NULL;
