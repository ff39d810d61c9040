"""Takes probe_cc, test_name and test_keys.blocking out of a jsonl.gz, in one thread, with the library of that name.

usage: python3 peer.py NAME FILE

Prints how many rows it got and the seconds of processor time without imports. Ends with 3 when the library is not there.
"""

import gzip
import importlib
import os
import sys
import time

BLOCKING = "test_keys.blocking"
LARGEST = 64 << 20


def with_orjson(orjson, path):
    rows = []
    with gzip.open(path, "rb") as lines:
        for line in lines:
            try:
                measurement = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(measurement, dict):
                keys = measurement.get("test_keys")
                blocking = keys.get("blocking") if isinstance(keys, dict) else None
                rows.append((measurement.get("probe_cc"), measurement.get("test_name"), blocking))
    return len(rows)


def with_duckdb(duckdb, path):
    columns = "{'probe_cc': 'VARCHAR', 'test_name': 'VARCHAR', 'test_keys': 'STRUCT(blocking JSON)'}"
    connection = duckdb.connect(config={"threads": 1})
    query = f"""SELECT probe_cc, test_name, {BLOCKING} FROM read_json(?, columns = {columns},
        format = 'newline_delimited', ignore_errors = true, maximum_object_size = {LARGEST})"""
    return len(connection.execute(query, [path]).fetchall())


def with_polars(polars, path):
    keys = polars.Struct({"blocking": polars.String})
    schema = {"probe_cc": polars.String, "test_name": polars.String, "test_keys": keys}
    lines = polars.scan_ndjson(path, schema=schema, ignore_errors=True)
    blocking = polars.col("test_keys").struct.field("blocking")
    return lines.select("probe_cc", "test_name", blocking).collect().height


def with_chdb(chdb, path):
    structure = "probe_cc String, test_name String, test_keys Tuple(blocking Nullable(String))"
    settings = {
        "max_threads": 1,
        "max_parsing_threads": 1,
        "input_format_skip_unknown_fields": 1,
        "input_format_json_ignore_unknown_keys_in_named_tuple": 1,
        "input_format_json_read_bools_as_strings": 1,
        "input_format_allow_errors_ratio": 1,
    }
    settings = ", ".join(f"{name} = {value}" for name, value in settings.items())
    query = f"SELECT probe_cc, test_name, {BLOCKING} FROM file('{path}', JSONEachRow, '{structure}') SETTINGS {settings}"
    return chdb.query(query, "TSV").bytes().count(b"\n")


def main():
    name, path = sys.argv[1:]
    os.environ["POLARS_MAX_THREADS"] = "1"
    try:
        library = importlib.import_module(name)
    except ImportError:
        sys.exit(3)
    begin = time.process_time()
    rows = globals()["with_" + name](library, path)
    print(rows, time.process_time() - begin)


if __name__ == "__main__":
    main()
