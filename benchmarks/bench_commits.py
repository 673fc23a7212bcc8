# SPDX-License-Identifier: Apache-2.0
"""Small commits, branches and merges in the lake, beside PyIceberg with its SQLite catalog."""

import tempfile

from benchmarks.harness import peer_python, snippet

COMMITS = 1000
PEER_COMMITS = 100

OURS = """
import mainstem, pyarrow as pa
folder = sys.argv[1] if len(sys.argv) > 1 else os.environ['BENCH_FOLDER']
lake = mainstem.Lake(folder)
def batch(n):
    ids = range(n * 100, n * 100 + 100)
    return pa.table({'id': pa.array(ids, pa.int64()), 'a': pa.array([i * 0.5 for i in ids]),
        'b': pa.array([f'name {i}' for i in ids]), 'c': pa.array([i % 7 for i in ids], pa.int32()),
        'd': pa.array([i * 1_000_000 for i in ids], pa.timestamp('us'))})
batches = [batch(n) for n in range(COUNT)]
lake.append('ns.t', batches[0])
marks = []
for item in batches:
    start = time.process_time(); lake.append('ns.t', item); ALSO
    marks.append((time.process_time() - start) * 1000)
rows = lake.sql('select count(*) from ns.t').column(0)[0].as_py()
assert rows == 100 * (len(batches) + 1), rows
def mid(values): return sorted(values)[len(values) // 2]
print(json.dumps({'median': mid(marks), 'first': mid(marks[:100]), 'last': mid(marks[-100:])}))
"""

PEER = """
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
folder = os.environ['BENCH_FOLDER']
catalog = SqlCatalog('c', uri=f'sqlite:///{folder}/c.db', warehouse=f'file://{folder}/wh')
catalog.create_namespace('ns')
def batch(n):
    ids = range(n * 100, n * 100 + 100)
    return pa.table({'id': pa.array(ids, pa.int64()), 'a': pa.array([i * 0.5 for i in ids]),
        'b': pa.array([f'name {i}' for i in ids]), 'c': pa.array([i % 7 for i in ids], pa.int32()),
        'd': pa.array([i * 1_000_000 for i in ids], pa.timestamp('us'))})
table = catalog.create_table('ns.t', batch(0).schema)
marks = []
for n in range(COUNT):
    item = batch(n); start = time.process_time(); table.append(item)
    marks.append((time.process_time() - start) * 1000)
def mid(values): return sorted(values)[len(values) // 2]
print(json.dumps({'median': mid(marks), 'first': mid(marks[:20]), 'last': mid(marks[-20:])}))
"""

MERGE = """
import mainstem, pyarrow as pa
lake = mainstem.Lake(os.environ['BENCH_FOLDER'])
data = pa.table({'id': pa.array(range(3), pa.int64())})
with lake.transaction('main') as changes:
    for n in range(1000):
        changes.overwrite(f'ns.t{n:04d}', data)
lake.branch('side')
for n in range(100):
    lake.append(f'ns.t{n:04d}', data, branch='side')
for n in range(200, 220):
    lake.append(f'ns.t{n:04d}', data, branch='main')
marks = []
for n in range(200):
    start = time.process_time(); lake.branch(f'b{n}'); marks.append((time.process_time() - start) * 1000)
start = time.process_time(); result = lake.merge('side', 'main'); merge = (time.process_time() - start) * 1000
assert lake.table('ns.t0050').num_rows == 6 and lake.table('ns.t0210').num_rows == 6
print(json.dumps({'branch': sorted(marks)[100], 'merge': merge}))
"""


def run(table):
    with tempfile.TemporaryDirectory() as folder:
        ours = snippet(
            OURS.replace("COUNT", str(COMMITS)).replace("ALSO", ""),
            env={"BENCH_FOLDER": f"{folder}/ours"},
        )
        eager = snippet(
            OURS.replace("COUNT", "300").replace("ALSO", "lake.metadata_path('ns.t')"),
            env={"BENCH_FOLDER": f"{folder}/eager"},
        )
        python = peer_python("pyiceberg", "pyiceberg[sql-sqlite,pyarrow]==0.12.0")
        peer = snippet(
            PEER.replace("COUNT", str(PEER_COMMITS)), python=python, env={"BENCH_FOLDER": folder}
        )
        merge = snippet(MERGE, env={"BENCH_FOLDER": f"{folder}/merge"})
    table.add(
        "100-row append commit, CPU ms, median of 1,000",
        ours=f"{ours['median']:.1f}",
        peer=f"PyIceberg {peer['median']:.1f} (of {PEER_COMMITS})",
        ratio=f"{ours['median'] / peer['median']:.2f}",
        target="<= 8",
        holds=ours["median"] <= 8,
    )
    table.add(
        "the same, first 100 and last 100 of 1,000",
        ours=f"{ours['first']:.1f} -> {ours['last']:.1f}",
        peer=f"PyIceberg {peer['first']:.1f} -> {peer['last']:.1f} (20 of {PEER_COMMITS})",
        ratio=f"{ours['last'] / ours['first']:.2f}",
        target="flat",
        holds=ours["last"] <= 1.5 * ours["first"],
    )
    table.add(
        "the same with Iceberg files written each time, 300 commits",
        ours=f"{eager['first']:.1f} -> {eager['last']:.1f}",
        target="-",
        holds=None,
    )
    table.add(
        "branch of 1,000 tables, CPU ms",
        ours=f"{merge['branch']:.2f}",
        target="<= 0.2",
        holds=merge["branch"] <= 0.2,
    )
    table.add(
        "3-way merge, 100 of 1,000 tables, CPU ms",
        ours=f"{merge['merge']:.1f}",
        target="<= 50",
        holds=merge["merge"] <= 50,
    )
