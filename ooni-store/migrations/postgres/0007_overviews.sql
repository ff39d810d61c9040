-- Totals of countries and networks, days of countries, and the networks of a country, for the overviews of Explorer.

CREATE TABLE rollup_network (
    probe_cc             text COLLATE "C" NOT NULL,
    probe_asn            bigint NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL
);

CREATE UNIQUE INDEX rollup_network_key ON rollup_network (substr(probe_cc, 1, 128), probe_asn, text_digest(probe_cc));

CREATE TABLE rollup_country_day (
    probe_cc             text COLLATE "C" NOT NULL,
    day                  timestamp NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL
);

CREATE UNIQUE INDEX rollup_country_day_key ON rollup_country_day (substr(probe_cc, 1, 128), day, text_digest(probe_cc));

CREATE INDEX rollup_month_network_by_probe_cc ON rollup_month_network (substr(probe_cc, 1, 128), month);

INSERT INTO rollup_network
SELECT probe_cc, probe_asn, sum(measurement_count), sum(failure_count), sum(confirmed_count),
       sum(anomaly_count), sum(confirmed_flag_count), sum(anomaly_flag_count)
FROM rollup_month_network GROUP BY probe_cc, probe_asn;

INSERT INTO rollup_country_day
SELECT probe_cc, day, sum(measurement_count), sum(failure_count), sum(confirmed_count),
       sum(anomaly_count), sum(confirmed_flag_count), sum(anomaly_flag_count)
FROM rollup_country GROUP BY probe_cc, day;

ANALYZE rollup_network, rollup_country_day, rollup_month_network;
