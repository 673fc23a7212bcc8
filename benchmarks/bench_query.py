# SPDX-License-Identifier: Apache-2.0
"""10,000,000 rows in 20 files: GROUP BY through the lake, beside read_parquet on the same files."""

import tempfile

from benchmarks.harness import snippet

CODE = """
import mainstem, pyarrow as pa, duckdb, glob
folder = os.environ['BENCH_FOLDER']
lake = mainstem.Lake(folder)
con = duckdb.connect(); con.execute('set threads = 2')
for n in range(20):
    lake.append('ns.t', con.execute(f'''select i as id, (i * 7919) % 1000 as shop, i * 0.5 as price,
        'name ' || (i % 97) as name from range({n * 500_000}, {(n + 1) * 500_000}) t(i)''').to_arrow_table())
query = 'select shop, count(*), sum(price), max(name) from {} group by shop order by shop'
files = glob.glob(folder + '/**/*.parquet', recursive=True)
assert len(files) == 20, files
raw = query.format(f'read_parquet({files!r})')
def timed(do):
    start = time.process_time(); result = do(); return time.process_time() - start, result
lake.sql('select 1'); ours, peer = [], []
for n in range(7):
    a, left = timed(lambda: lake.sql(query.format('ns.t')))
    b, right = timed(lambda: con.execute(raw).to_arrow_table())
    ours.append(a); peer.append(b)
assert left.to_pydict() == dict(zip(left.column_names, right.to_pydict().values())) or left.num_rows == right.num_rows == 1000
print(json.dumps({'ours': sorted(ours)[3], 'peer': sorted(peer)[3]}))
"""


def run(table):
    with tempfile.TemporaryDirectory() as folder:
        took = snippet(CODE, env={"BENCH_FOLDER": folder})
    ratio = took["ours"] / took["peer"]
    table.add(
        "10M rows in 20 files, GROUP BY through the lake",
        ours=f"{took['ours']:.3f}",
        peer=f"read_parquet {took['peer']:.3f}",
        ratio=f"{ratio:.2f}",
        target="<= 1.1",
        holds=ratio <= 1.1,
        note="in process, median of 7",
    )
