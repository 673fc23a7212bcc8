# SPDX-License-Identifier: Apache-2.0
"""The flights project as a plain script: what a careful person writes without a platform.

The peer of `mainstem run` on the `flights` template (issue 2: first run <= 1.3 x this). It does the
same ingestion, SQL, Python model and checks in DuckDB, writes the same Parquet files and fsyncs
them; it has no versions, no plan, no branch, no second run that does nothing.

    python benchmarks/flights_plain.py DATA_FOLDER OUTPUT_FOLDER
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

TEMPLATE = Path(__file__).parents[1] / "src" / "mainstem" / "project" / "templates" / "flights"
NULLS = "nullstr = ['', 'NA']"
VIEWS = ("staging.planes", "staging.airports", "marts.flight_weather")
TABLES = (
    "staging.flights",
    "staging.weather",
    "marts.dim_airport",
    "marts.dim_plane",
    "marts.dim_airline",
    "marts.dim_date",
    "marts.fct_flights",
    "marts.delays_by_weather",
    "marts.monthly_delays",
)
ORDER = (
    "staging.planes",
    "staging.airports",
    "staging.flights",
    "staging.weather",
    "marts.dim_airport",
    "marts.dim_plane",
    "marts.dim_airline",
    "marts.dim_date",
    "marts.fct_flights",
    "marts.flight_weather",
    "marts.delays_by_weather",
    "marts.monthly_delays",
)


def main(data: Path, output: Path) -> int:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    for schema in ("raw", "seeds", "staging", "marts"):
        connection.execute(f"create schema {schema}")
    ingest(connection, data, output)
    for name in ORDER:
        build(connection, name, output)
    write(connection, "marts.delays", "select * from delays", output, delays=delays(connection))
    failed = 0
    for label, severity, sql in CHECKS:
        (bad,) = connection.execute(sql).fetchone()
        if bad:
            print(f"{severity:5} {label}: {bad:,}")
            failed += severity == "error"
    return 2 if failed else 0


def ingest(connection: duckdb.DuckDBPyConnection, data: Path, output: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(data / "flights.csv.zip") as archive:
            archive.extract("flights.csv", folder)
        csv = f"read_csv('{folder}/flights.csv', {NULLS})"
        write(connection, "raw.flights", f"select * from {csv}", output)
    weather = (
        f"read_csv('{data}/weather.csv', {NULLS},"
        " types = {'time_hour': 'timestamptz', 'wind_gust': 'double'})"
    )
    write(
        connection,
        "raw.weather",
        f"select * from {weather}"
        " qualify row_number() over (partition by origin, time_hour order by 1) = 1",
        output,
    )
    for name in ("planes", "airports", "airlines"):
        source = f"read_csv('{data}/{name}.csv', {NULLS})"
        write(connection, f"raw.{name}", f"select * from {source}", output)
    holidays = f"read_csv('{TEMPLATE}/seeds/holidays.csv')"
    write(connection, "seeds.holidays", f"select * from {holidays}", output)


def build(connection: duckdb.DuckDBPyConnection, name: str, output: Path) -> None:
    namespace, _, stem = name.partition(".")
    sql = (TEMPLATE / "models" / namespace / f"{stem}.sql").read_text()
    if name in VIEWS:
        connection.execute(f"create view {name} as {sql}")
    elif name == "staging.weather":
        good = "wind_speed between 0 and 150 or wind_speed is null"
        write(connection, name, f"select * from ({sql}) where {good}", output)
        write(
            connection, f"{name}__quarantine", f"select * from ({sql}) where not ({good})", output
        )
    else:
        write(connection, name, sql, output)


def write(
    connection: duckdb.DuckDBPyConnection, name: str, sql: str, output: Path, **arrow: pa.Table
) -> None:
    """Write a query's rows as Parquet, durably, and make them readable as `name`."""
    for table_name, table in arrow.items():
        connection.register(table_name, table)
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "part-0.parquet"
    connection.execute(f"copy ({sql}) to '{path}' (format parquet, compression zstd)")
    for place in (path, folder, output):
        descriptor = os.open(place, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    connection.execute(f"create view {name} as select * from read_parquet('{path}')")


def delays(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The body of models/marts/delays.py."""
    fct_flights = connection.sql("select * from marts.fct_flights").to_arrow_table()
    dim_airport = connection.sql("select * from marts.dim_airport").to_arrow_table()
    flown = fct_flights.filter(pc.invert(fct_flights["is_cancelled"]))
    flown = flown.append_column("month", pc.month(flown["flight_date"]))
    monthly = flown.group_by(["dest", "month"]).aggregate(
        [("dep_delay", "count"), ("dep_delay", "mean")]
    )
    yearly = monthly.group_by("dest").aggregate(
        [("dep_delay_mean", "mean"), ("dep_delay_mean", "stddev")]
    )
    both = monthly.join(yearly, "dest").join(dim_airport, "dest", right_keys="airport")
    spread = both["dep_delay_mean_stddev"]
    distance = pc.subtract(both["dep_delay_mean"], both["dep_delay_mean_mean"])
    return pa.table(
        {
            "dest": both["dest"],
            "airport_name": both["airport_name"],
            "month": both["month"],
            "flights": both["dep_delay_count"],
            "mean_delay": both["dep_delay_mean"],
            "unusual": pc.if_else(pc.greater(spread, 0), pc.divide(distance, spread), None),
        }
    ).sort_by([("dest", "ascending"), ("month", "ascending")])


def _null(table: str, column: str) -> tuple[str, str, str]:
    sql = f"select count(*) from {table} where {column} is null"
    return (f"{table} not_null({column})", "error", sql)


def _unique(table: str, columns: str, severity: str = "error") -> tuple[str, str, str]:
    sql = f"select count(*) - count(distinct ({columns})) from {table}"
    return (f"{table} unique({columns})", severity, sql)


def _known(table: str, column: str, to: str, severity: str = "error") -> tuple[str, str, str]:
    other, _, key = to.rpartition(".")
    sql = (
        f"select count(*) from {table} as a anti join {other} as b on a.{column} = b.{key}"
        f" where a.{column} is not null"
    )
    return (f"{table} relationships({column} -> {to})", severity, sql)


def _rows(table: str, bad: str, label: str, severity: str = "error") -> tuple[str, str, str]:
    return (f"{table} {label}", severity, f"select count(*) from {table} where {bad}")


def _equal(table: str, other: str) -> tuple[str, str, str]:
    sql = f"select abs((select count(*) from {table}) - (select count(*) from {other}))"
    return (f"{table} row_count(equal_to {other})", "error", sql)


CHECKS = (
    _null("raw.flights", "time_hour"),
    _unique("raw.weather", "origin, year, month, day, hour", "warn"),
    _unique("raw.planes", "tailnum"),
    _unique("staging.flights", "carrier, flight, origin, time_hour"),
    _null("staging.flights", "carrier"),
    _null("staging.flights", "origin"),
    _null("staging.flights", "dest"),
    _equal("staging.flights", "raw.flights"),
    _rows("staging.flights", "not is_cancelled and tailnum is null", "flown_by_somebody"),
    _known("staging.flights", "dest", "raw.airports.faa", "warn"),
    _known("staging.flights", "tailnum", "raw.planes.tailnum", "warn"),
    _rows("staging.flights", "dep_delay not between -120 and 2000", "between(dep_delay)"),
    _unique("staging.weather", "origin, time_hour"),
    _rows("staging.weather__quarantine", "true", "between(wind_speed)", "warn"),
    _equal("marts.fct_flights", "raw.flights"),
    _known("marts.fct_flights", "carrier", "marts.dim_airline.carrier"),
    _rows("marts.fct_flights", "origin not in ('EWR', 'JFK', 'LGA')", "accepted_values(origin)"),
    _unique("marts.monthly_delays", "carrier, month"),
    _unique("marts.delays", "dest, month"),
    _rows("marts.delays", "mean_delay not between -60 and 600", "between(mean_delay)", "warn"),
    ("marts.dim_date row_count", "error", "select abs(count(*) - 365) from marts.dim_date"),
)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
