# SPDX-License-Identifier: Apache-2.0
"""Small tables to call a model's function with: `delays(flights=table(month=[1, 2]))`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl


def table(**columns: Sequence[Any]) -> pa.Table:
    """Make an Arrow table of columns."""
    return pa.table({name: list(values) for name, values in columns.items()})


def frame(**columns: Sequence[Any]) -> pl.LazyFrame:
    """Make a lazy polars frame of columns; `.collect()` gives a `pl.DataFrame`.

    Raises:
        ImportError: polars is not installed: `pip install 'mainstem[polars]'`.
    """
    lazy = importlib.import_module("polars").LazyFrame
    made: pl.LazyFrame = lazy({name: list(values) for name, values in columns.items()})
    return made
