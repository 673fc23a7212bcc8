# SPDX-License-Identifier: Apache-2.0
"""What `partitions:` of an asset says: definition, columns, mappings, how many at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import date, datetime, timedelta
from typing import Any

from mainstem.errors import ModelInvalid
from mainstem.graph.partition.definition import (
    Dimension,
    Partitions,
    ProductPartitions,
    product_partitions,
)
from mainstem.graph.partition.mapping import MappingRule, read_rule
from mainstem.graph.partition.names import DynamicPartitions, static_partitions
from mainstem.graph.partition.windows import GRAINS, Grain, TimePartitions, time_partitions
from mainstem.types import dataclass, did_you_mean

_TIME_KEYS = frozenset({"by", "start", "end", "offset", "zone", "cron", "end_offset", "column"})
_OWN_KEYS = frozenset({"inputs", "batch"})
_DURATION = re.compile(r"(\d+)\s*(m|h|d)\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Rules = MappingRule | Mapping[str, MappingRule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioning:
    """How an asset is built in parts."""

    definition: Partitions
    columns: tuple[str, ...]
    """For each dimension the column of the asset whose value tells a row's partition."""
    inputs: Mapping[str, Rules] = field(default_factory=dict)
    """Declared mappings by the input's name as written; the others are inferred."""
    batch: int = 1
    """Neighbours that one step may build together; 0: as many as there are."""

    def shape(self) -> str:
        """Give what shapes the rows of a partition: part of the code version.

        Neither how many partitions there are nor where they begin and end: more of them change
        nothing in those that are built.
        """
        return f"{self.definition.shape()} by {','.join(self.columns)} {sorted(self.inputs)}"

    @property
    def is_dynamic(self) -> bool:
        """Whether which partitions there are is kept in the project's state."""
        return any(isinstance(of, DynamicPartitions) for of in self.definition.dimensions)

    def with_keys(self, keys: Mapping[str, tuple[tuple[int, str], ...]]) -> Partitioning:
        """Give the same with the keys of dynamic dimensions as they are now."""
        dimensions: tuple[Dimension, ...] = tuple(
            replace(of, keys=keys.get(of.name, ())) if isinstance(of, DynamicPartitions) else of
            for of in self.definition.dimensions
        )
        changed: Partitions = dimensions[0]
        if isinstance(self.definition, ProductPartitions):
            changed = replace(self.definition, dimensions=dimensions)
        return replace(self, definition=changed)


def read_partitioning(written: Mapping[str, Any]) -> Partitioning:
    """Read `partitions:`, as YAML or a decorator gives it.

    Raises:
        ModelInvalid: Something in it is wrong (A2060 to A2066).
    """
    given = dict(written)
    options: dict[str, Any] = {name: given.pop(name) for name in _OWN_KEYS & set(given)}
    if "product" not in given:
        return _with_options(*_one(given, ""), options)
    product = given.pop("product")
    if given or not isinstance(product, Mapping):
        raise _invalid("`product` stands alone and names its dimensions")
    dimensions = [(str(name), *_dimension(of, str(name))) for name, of in product.items()]
    return _with_options(*_product(dimensions), options)


def _product(
    dimensions: Sequence[tuple[str, Dimension, str]],
) -> tuple[Partitions, tuple[str, ...]]:
    definition = product_partitions([(name, of) for name, of, _column in dimensions])
    return definition, tuple(column for _name, _of, column in dimensions)


def _one(written: Mapping[str, Any], name: str) -> tuple[Partitions, tuple[str, ...]]:
    definition, column = _dimension(written, name)
    return definition, (column,)


def _with_options(
    definition: Partitions, columns: tuple[str, ...], options: Mapping[str, Any]
) -> Partitioning:
    inputs, batch = options.get("inputs") or {}, options.get("batch", 1)
    unknown = [name for name in options if name not in _OWN_KEYS]
    if unknown:
        raise _invalid(f"`{unknown[0]}` is not known", did_you_mean(unknown[0], _OWN_KEYS))
    if not isinstance(inputs, Mapping):
        raise _invalid("`inputs` of partitions needs a mapping for each input")
    if batch == "all":
        batch = 0
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 0:
        raise _invalid("`batch` of partitions is a number of partitions, or `all`")
    return Partitioning(
        definition=definition,
        columns=columns,
        inputs={str(name): _rules(rule, str(name)) for name, rule in inputs.items()},
        batch=batch,
    )


def _rules(written: object, name: str) -> Rules:
    is_by_dimension = isinstance(written, Mapping) and "dimensions" in written
    if is_by_dimension and isinstance(written, Mapping):
        return {str(key): read_rule(of, name=name) for key, of in written["dimensions"].items()}
    return read_rule(written, name=name)


def _dimension(written: object, name: str) -> tuple[Dimension, str]:
    """Read one dimension and its column; without one the dimension's name or grain is meant."""
    if not isinstance(written, Mapping):
        raise _invalid(f"`{written}` is no definition of partitions")
    if "static" in written:
        _known(written, {"static", "column"})
        names = written["static"]
        if not isinstance(names, list | tuple):
            raise _invalid("`static` needs a list of names")
        listed = static_partitions(tuple(str(item) for item in names))
        return listed, str(written.get("column") or name or _own_name(listed))
    if "dynamic" in written:
        _known(written, {"dynamic", "column"})
        growing = DynamicPartitions(name=str(written["dynamic"]))
        return growing, str(written.get("column") or name or _own_name(growing))
    of = _time(written)
    return of, str(written.get("column") or name or _own_name(of))


def _own_name(of: Dimension) -> str:
    """Give the column that is meant if none is named."""
    return of.grain if isinstance(of, TimePartitions) else "partition"


def _time(written: Mapping[str, Any]) -> TimePartitions:
    _known(written, _TIME_KEYS)
    grain = written.get("by", "cron" if "cron" in written else "")
    if grain not in GRAINS:
        raise _invalid(
            f"`by: {grain}` is no grain of time" if grain else "`by` is missing",
            did_you_mean(str(grain), GRAINS) or f"Known: {', '.join(GRAINS)}.",
        )
    if not written.get("start"):
        raise _invalid("`start` is missing", "Write where the first begins: start: 2013-01-01.")
    end_offset = written.get("end_offset", 0)
    if not isinstance(end_offset, int) or isinstance(end_offset, bool):
        raise _invalid(f"`end_offset: {end_offset}` is no number of partitions")
    known: Grain = grain
    return time_partitions(
        known,
        _text(written["start"]),
        end=_text(written.get("end", "")),
        offset=_duration(written.get("offset", 0)),
        zone=str(written.get("zone", "UTC")),
        cron=str(written.get("cron", "")),
        end_offset=end_offset,
    )


def _known(written: Mapping[str, Any], known: set[str] | frozenset[str]) -> None:
    for name in written:
        if name not in known:
            raise _invalid(
                f"`{name}` is not known beside {', '.join(sorted(known & set(written)))}",
                did_you_mean(str(name), known | _OWN_KEYS),
            )


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _duration(value: object) -> timedelta:
    if value in (0, None, ""):
        return timedelta()
    found = _DURATION.match(str(value).strip())
    if found is None:
        raise _invalid(f"`offset: {value}` is no duration", "Write 30m, 6h or 1d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _invalid(what: str, hint: str = "") -> ModelInvalid:
    return ModelInvalid(
        "A2066",
        f"`partitions`: {what}.",
        hint=hint or "partitions: {by: month, column: time_hour, start: 2013-01-01}",
    )
