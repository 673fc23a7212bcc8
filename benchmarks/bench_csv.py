# SPDX-License-Identifier: Apache-2.0
"""A CSV file of 1,000,000 x 10 to a queryable table, beside DuckDB's COPY to Parquet with fsync."""

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import cpu_of

PAIRS = 7
"""As in `bench_flights`: a moment slows both of a pair, and the median pair tells the ratio."""

MAKE = """
import duckdb, sys
duckdb.sql(f'''copy (select i as id, i % 1000 as shop, 'customer ' || (i % 50000) as customer,
  (i * 7919 % 100000) / 100 as price, i % 5 as quantity, date '2020-01-01' + (i % 1000)::int as day,
  timestamp '2020-01-01' + to_seconds(i) as at, i % 3 = 0 as paid, 'note ' || i as note,
  i * 0.25 as weight from range(1000000) as t(i)) to '{sys.argv[1]}' (header)''')
"""

PLAIN = """
import duckdb, os, sys
source, target = sys.argv[1:]
duckdb.sql(f"copy (from read_csv('{source}')) to '{target}' (format parquet, compression zstd)")
for path in (target, os.path.dirname(target)):
    handle = os.open(path, os.O_RDONLY); os.fsync(handle); os.close(handle)
"""


def run(table):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "shop"
        (project / "ingest").mkdir(parents=True)
        (project / "data").mkdir()
        (project / "mainstem.yml").write_text("name: shop\n")
        (project / "ingest" / "shop.yml").write_text(
            "type: files\npath: data/\ninto: raw\ntables:\n  sales: sales.csv\n"
        )
        cpu_of([sys.executable, "-c", MAKE, project / "data" / "sales.csv"])
        mainstem = Path(sys.executable).with_name("mainstem")

        def ours():
            cpu_of(["rm", "-rf", project / ".mainstem"])
            return cpu_of([mainstem, "run"], cwd=project)[0]

        def plain():
            source = project / "data" / "sales.csv"
            return cpu_of([sys.executable, "-c", PLAIN, source, folder / "plain.parquet"])[0]

        pairs = [(ours(), plain()) for _ in range(PAIRS)]
        count = cpu_of(
            [mainstem, "query", "--format", "csv", "select count(*) as n from raw.sales"],
            cwd=project,
        )[1]
        assert "1000000" in count, count
    us, them = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    least = min(one for one, _ in pairs) / min(other for _, other in pairs)
    table.add(
        "CSV of 1,000,000 x 10 to a queryable table",
        ours=f"{us:.2f}",
        peer=f"DuckDB COPY + fsync {them:.2f}",
        ratio=f"{ratio:.2f}",
        target="<= 1.6",
        holds=ratio <= 1.6,
        note=f"whole processes; medians of {PAIRS} pairs; least to least {least:.2f}",
    )
