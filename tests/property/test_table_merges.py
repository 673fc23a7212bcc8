# SPDX-License-Identifier: Apache-2.0
"""Random changes of a keyed table on two branches, merged, against a merge of dictionaries."""

import random
import tempfile
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.table import StaticTable

from mainstem.testing.tables import TableLab

seeds = st.integers(min_value=0, max_value=2**48)
quiet = [HealthCheck.too_slow]


def rows_of(content):
    ids = sorted(content)
    return pa.table(
        {"id": pa.array(ids, pa.int64()), "v": pa.array([content[key] for key in ids], pa.int64())}
    )


class Branch:
    """A branch of the table and what its rows must be."""

    def __init__(self, lab, name, rows, chance):
        self.lab, self.name, self.rows, self.chance = lab, name, dict(rows), chance
        self.operations = []

    def change(self):
        operation = self.chance.choice(["append", "upsert", "upsert", "delete"])
        if operation == "append":
            some = {key: self.chance.randint(0, 3) for key in self._keys(new=True)}
            self.rows |= some
            self._write("append", rows_of(some))
        elif operation == "upsert":
            some = {key: self.chance.randint(0, 3) for key in self._keys(new=False)}
            self.rows |= some
            self._write("upsert", rows_of(some))
        else:
            gone = self._keys(new=False)
            self.rows = {key: value for key, value in self.rows.items() if key not in gone}
            self._write("delete", pa.table({"id": pa.array(sorted(gone), pa.int64())}))

    def _keys(self, *, new):
        start = self.chance.choice([0, 0, 40, 80])
        some = set(self.chance.sample(range(start, start + 20), self.chance.randint(1, 3)))
        return some - set(self.rows) if new else some

    def _write(self, operation, data):
        on = () if operation == "append" else ["id"]
        self.lab.write(operation, data, branch=self.name, on=on, row_key=["id"], file_bytes=1)
        self.operations.append(operation)


def merged_dictionaries(base, ours, theirs):
    """Merge by key; `None` if a key was changed differently on both sides."""
    result = {}
    for key in base.keys() | ours.keys() | theirs.keys():
        before, own, other = base.get(key), ours.get(key), theirs.get(key)
        if before not in {own, other} and own != other:
            return None
        value = other if own == before else own
        if value is not None:
            result[key] = value
    return result


@settings(max_examples=settings().max_examples // 2, deadline=None, suppress_health_check=quiet)
@given(seed=seeds)
def test_a_merge_of_keyed_tables_is_a_merge_of_dictionaries(seed):
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        lab = TableLab(Path(folder))
        start = dict.fromkeys(chance.sample(range(100), chance.randint(0, 30)), 0)
        lab.write("append", rows_of(start), row_key=["id"])
        lab.branch("base")
        lab.branch("dev")
        ours, theirs = Branch(lab, "main", start, chance), Branch(lab, "dev", start, chance)
        for _ in range(chance.randint(0, 3)):
            ours.change()
        for _ in range(chance.randint(0, 10)):
            theirs.change()

        conflict = lab.merge("dev", "base", ours=ours.operations, theirs=theirs.operations)

        expected = merged_dictionaries(start, ours.rows, theirs.rows)
        found = lab.rows().sort_by("id").to_pylist()
        assert (conflict is not None) == (expected is None), conflict
        assert found == rows_of(ours.rows if expected is None else expected).to_pylist()
        iceberg = StaticTable.from_metadata(lab.metadata()).scan().to_arrow()
        assert iceberg.sort_by("id").to_pylist() == found
