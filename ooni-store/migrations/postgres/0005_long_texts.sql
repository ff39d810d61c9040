-- Texts of any length, and no longer at most 600 bytes in keys. An entry of an index has at most 2.7 kB, so indexes have the
-- first 128 characters of a text. A key that must be unique also has the digests of its texts that can be longer. Measurement
-- uids still have at most 600 bytes.
--
-- The new indexes are built beside the old ones, so that readers need not wait, only writers. The exclusive locks at the end are
-- held for a moment.

-- SHA-256 of a text that may have more than 128 characters; empty for others. A cast to bytea reads \\ as one backslash; unlike
-- convert_to, it is immutable.
CREATE FUNCTION text_digest(whole text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN octet_length(whole) <= 128 THEN '' ELSE sha256(replace(whole, E'\\', E'\\\\')::bytea) END;

CREATE INDEX new_fastpath_by_report ON fastpath (substr(report_id, 1, 128), substr(input, 1, 128));
CREATE INDEX new_fastpath_by_input ON fastpath (substr(input, 1, 128), measurement_start_time);
CREATE INDEX new_fastpath_by_domain ON fastpath (substr(domain, 1, 128), measurement_start_time);
CREATE INDEX new_fastpath_by_country ON fastpath (substr(probe_cc, 1, 128), measurement_start_time);
CREATE INDEX new_fastpath_by_test ON fastpath (substr(test_name, 1, 128), measurement_start_time)
    WHERE test_name <> 'web_connectivity';

-- Finds the partition of a report and input.
CREATE INDEX jsonl_by_report ON jsonl (substr(report_id, 1, 128), substr(input, 1, 128));

CREATE INDEX new_citizenlab_by_category ON citizenlab (substr(category_code, 1, 128), substr(cc, 1, 128));
CREATE INDEX new_citizenlab_by_list ON citizenlab (substr(cc, 1, 128));

CREATE UNIQUE INDEX rollup_day_test_key ON rollup_day_test (day, substr(test_name, 1, 128), text_digest(test_name));

CREATE UNIQUE INDEX rollup_day_country_key ON rollup_day_country
    (day, substr(test_name, 1, 128), substr(probe_cc, 1, 128), text_digest(test_name), text_digest(probe_cc));

CREATE UNIQUE INDEX rollup_hour_country_key ON rollup_hour_country
    (hour, substr(test_name, 1, 128), substr(probe_cc, 1, 128), text_digest(test_name), text_digest(probe_cc));

CREATE UNIQUE INDEX rollup_month_country_key ON rollup_month_country
    (month, substr(test_name, 1, 128), substr(probe_cc, 1, 128), text_digest(test_name), text_digest(probe_cc));

CREATE UNIQUE INDEX rollup_month_network_key ON rollup_month_network
    (month, substr(probe_cc, 1, 128), probe_asn, text_digest(probe_cc));

CREATE UNIQUE INDEX rollup_test_domain_key ON rollup_test_domain
    (substr(test_name, 1, 128), substr(domain, 1, 128), text_digest(test_name), text_digest(domain));

CREATE UNIQUE INDEX rollup_country_key ON rollup_country
    (substr(probe_cc, 1, 128), day, substr(test_name, 1, 128), substr(blocking_type, 1, 128),
     text_digest(probe_cc), text_digest(test_name), text_digest(blocking_type));

CREATE UNIQUE INDEX rollup_country_network_key ON rollup_country_network
    (substr(probe_cc, 1, 128), day, substr(test_name, 1, 128), probe_asn, text_digest(probe_cc), text_digest(test_name));

CREATE UNIQUE INDEX rollup_country_domain_key ON rollup_country_domain
    (substr(probe_cc, 1, 128), day, substr(test_name, 1, 128), substr(domain, 1, 128),
     text_digest(probe_cc), text_digest(test_name), text_digest(domain));
CREATE INDEX new_rollup_country_domain_by_domain ON rollup_country_domain (substr(domain, 1, 128), day);

CREATE UNIQUE INDEX rollup_category_key ON rollup_category
    (substr(category_code, 1, 128), substr(list_cc, 1, 128), day, substr(test_name, 1, 128), substr(probe_cc, 1, 128),
     text_digest(category_code), text_digest(list_cc), text_digest(test_name), text_digest(probe_cc));

CREATE UNIQUE INDEX new_rollup_week_input_key ON rollup_week_input
    (substr(test_name, 1, 128), substr(probe_cc, 1, 128), week, substr(input, 1, 128),
     text_digest(test_name), text_digest(probe_cc), text_digest(input));

-- The planner has no statistics of the new expressions yet.
ANALYZE fastpath, jsonl, citizenlab, rollup_day_test, rollup_day_country, rollup_hour_country, rollup_month_country,
    rollup_month_network, rollup_test_domain, rollup_country, rollup_country_network, rollup_country_domain, rollup_category,
    rollup_week_input;

-- Queries lock rollups before rows, and so does this.
LOCK TABLE rollup_day_test, rollup_day_country, rollup_hour_country, rollup_month_country, rollup_month_network,
    rollup_test_domain, rollup_country, rollup_country_network, rollup_country_domain, rollup_category, rollup_week_input,
    citizenlab, fastpath IN ACCESS EXCLUSIVE MODE;

ALTER TABLE rollup_day_test DROP CONSTRAINT rollup_day_test_pkey;
ALTER TABLE rollup_day_country DROP CONSTRAINT rollup_day_country_pkey;
ALTER TABLE rollup_hour_country DROP CONSTRAINT rollup_hour_country_pkey;
ALTER TABLE rollup_month_country DROP CONSTRAINT rollup_month_country_pkey;
ALTER TABLE rollup_month_network DROP CONSTRAINT rollup_month_network_pkey;
ALTER TABLE rollup_test_domain DROP CONSTRAINT rollup_test_domain_pkey;
ALTER TABLE rollup_country DROP CONSTRAINT rollup_country_pkey;
ALTER TABLE rollup_country_network DROP CONSTRAINT rollup_country_network_pkey;
ALTER TABLE rollup_country_domain DROP CONSTRAINT rollup_country_domain_pkey;
ALTER TABLE rollup_category DROP CONSTRAINT rollup_category_pkey;

DROP INDEX fastpath_by_report, fastpath_by_input, fastpath_by_domain, fastpath_by_country, fastpath_by_test,
    citizenlab_by_category, citizenlab_by_list, rollup_country_domain_by_domain, rollup_week_input_key;
ALTER INDEX new_fastpath_by_report RENAME TO fastpath_by_report;
ALTER INDEX new_fastpath_by_input RENAME TO fastpath_by_input;
ALTER INDEX new_fastpath_by_domain RENAME TO fastpath_by_domain;
ALTER INDEX new_fastpath_by_country RENAME TO fastpath_by_country;
ALTER INDEX new_fastpath_by_test RENAME TO fastpath_by_test;
ALTER INDEX new_citizenlab_by_category RENAME TO citizenlab_by_category;
ALTER INDEX new_citizenlab_by_list RENAME TO citizenlab_by_list;
ALTER INDEX new_rollup_country_domain_by_domain RENAME TO rollup_country_domain_by_domain;
ALTER INDEX new_rollup_week_input_key RENAME TO rollup_week_input_key;
