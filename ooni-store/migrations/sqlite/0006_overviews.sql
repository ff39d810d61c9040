-- Totals of countries and networks, days of countries, and the networks of a country, for the overviews of Explorer.

CREATE TABLE rollup_network (
    probe_cc             TEXT NOT NULL,
    probe_asn            INTEGER NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (probe_cc, probe_asn)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_country_day (
    probe_cc             TEXT NOT NULL,
    day                  INTEGER NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (probe_cc, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX rollup_month_network_by_probe_cc ON rollup_month_network (probe_cc, month);

-- Counts the networks of each month in order, without collecting them.
CREATE INDEX rollup_month_network_by_month ON rollup_month_network (month, probe_asn);

INSERT INTO rollup_network
SELECT probe_cc, probe_asn, sum(measurement_count), sum(failure_count), sum(confirmed_count),
       sum(anomaly_count), sum(confirmed_flag_count), sum(anomaly_flag_count)
FROM rollup_month_network GROUP BY probe_cc, probe_asn;

INSERT INTO rollup_country_day
SELECT probe_cc, day, sum(measurement_count), sum(failure_count), sum(confirmed_count),
       sum(anomaly_count), sum(confirmed_flag_count), sum(anomaly_flag_count)
FROM rollup_country GROUP BY probe_cc, day;
