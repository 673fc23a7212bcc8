# SPDX-License-Identifier: Apache-2.0
"""Random histories of a table: our reader, PyIceberg and DuckDB against a model of plain Python."""

import importlib.util
import random
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from mainstem.testing.tables import TableLab


def _load(name):
    path = Path(__file__).parents[1] / "oracles" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"oracles_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


history = _load("history")
readers = _load("readers")

seeds = st.integers(min_value=0, max_value=2**48)
quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def duckdb_iceberg(tmp_path_factory):
    reader = readers.DuckDBIceberg(tmp_path_factory.mktemp("duckdb"))
    yield reader
    reader.close()


def lived(folder, seed, steps):
    """Give a table that has lived through random steps, checked by our reader after each."""
    past = history.History(TableLab(Path(folder)), random.Random(seed))
    for _ in range(steps):
        past.step()
        ours = readers.canonical(past.lab.rows().to_pylist())
        assert ours == readers.canonical(past.expected()), past.log
    note("\n".join(past.log))
    return past


@settings(max_examples=40, deadline=None, suppress_health_check=quiet)
@given(seed=seeds)
def test_our_reader_agrees_with_the_model_after_every_step(seed):
    with tempfile.TemporaryDirectory() as folder:
        lived(folder, seed, 12)


@settings(max_examples=25, deadline=None, suppress_health_check=quiet)
@given(seed=seeds)
def test_pyiceberg_agrees_with_us_after_any_history(seed):
    with tempfile.TemporaryDirectory() as folder:
        past = lived(folder, seed, 10)

        theirs = readers.read_with_pyiceberg(past.lab.metadata())

        found = readers.canonical(past.blurred(theirs.to_pylist()))
        assert found == readers.canonical(past.blurred(past.expected()))


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=quiet)
@given(seed=seeds)
def test_duckdb_agrees_with_us_after_any_history(seed, duckdb_iceberg):
    with tempfile.TemporaryDirectory() as folder:
        past = lived(folder, seed, 10)

        theirs = duckdb_iceberg.read(past.lab.metadata())

        assert readers.canonical(theirs.to_pylist()) == readers.canonical(past.expected())
