# SPDX-License-Identifier: Apache-2.0
"""Options of Python assets, judged once all layers are merged.

In-file options win over property YAML, which wins over mainstem.yml (GRAMMAR 4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, cast, get_args

from mainstem.config import read_execution
from mainstem.errors import ModelInvalid, Where
from mainstem.graph import OnCodeChange, Partitioning, read_partitioning
from mainstem.models.python.plain import wrong_value
from mainstem.types import Execution, LayoutColumn, Transform, dataclass, seconds_in

Strategy = Literal["append", "upsert", "replace_partitions"]
Materialized = Literal["table", "incremental", "none"]
_LAYOUT = re.compile(r"^\s*(?:(\w+)\(\s*(.+?)\s*\)|(.+?))\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of one asset, merged and checked."""

    materialized: Materialized = "table"
    row_key: tuple[str, ...] = ()
    strategy: Strategy = "append"
    partition_by: tuple[LayoutColumn, ...] = ()
    partitions: Partitioning | None = None
    on_code_change: OnCodeChange = "rebuild"
    upstream_mutable: bool = False
    rebuild: Literal["", "on_change", "always"] = ""
    """Empty: on change, but for what nothing tells a change of."""
    rebuild_after_s: float | None = None
    """Age at which it is built anew."""
    rebuild_rule: str = ""
    """What set that, in words: `rebuild: 1d`, `fresh_for: 6h`."""
    execution: Execution = field(default_factory=Execution)
    executor: str = ""
    """Name under `executors:`; empty: a worker process of the machine that runs it."""
    tags: tuple[str, ...] = ()
    owner: str = ""
    run_when: str = ""
    freshness: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge layers of options, weakest first; tags and checks add up."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if name in {"tags", "checks"} and name in result:
                result[name] = [*_list(result[name]), *_list(value)]
            else:
                result[name] = value
    return result


def parse_options(raw: Mapping[str, Any], *, where: Where) -> Options:
    """Judge the merged options of one asset.

    Raises:
        ModelInvalid: A value of the wrong kind, or options that contradict each other.
    """
    read = _Reader(raw, where)
    key = raw.get("key")
    row_key = read.texts("row_key") or (() if isinstance(key, str) else read.texts("key"))
    materialized = read.one_of("materialized", get_args(Materialized), "table")
    strategy = read.one_of("strategy", get_args(Strategy), "upsert" if row_key else "append")
    partition_by = tuple(_layout(text, where) for text in read.texts("partition_by"))
    forward = "forward" if materialized == "incremental" else "rebuild"
    rebuild_rule, rebuild_after_s = _age(raw, where)
    options = Options(
        materialized=cast("Materialized", materialized),
        row_key=row_key,
        strategy=cast("Strategy", strategy),
        partition_by=partition_by,
        partitions=_partitions(raw, where),
        on_code_change=cast(
            "OnCodeChange", read.one_of("on_code_change", get_args(OnCodeChange), forward)
        ),
        upstream_mutable=read.one_of("upstream", ("mutable", "append"), "append") == "mutable",
        rebuild=cast('Literal["", "on_change", "always"]', "" if rebuild_rule else _rebuild(read)),
        rebuild_after_s=rebuild_after_s,
        rebuild_rule=rebuild_rule,
        execution=_execution(raw, where),
        executor=str(raw.get("executor") or ""),
        tags=read.texts("tags"),
        owner=str(raw.get("owner", "")),
        run_when=str(raw.get("run_when") or ""),
        freshness=_promise(raw, where),
        description=str(raw.get("description", "")),
    )
    _refuse_contradictions(options, where)
    return options


def _promise(raw: Mapping[str, Any], where: Where) -> Mapping[str, Any]:
    value = raw.get("freshness") or {}
    if not isinstance(value, Mapping) or not set(value) <= {"within", "by", "zone"}:
        raise wrong_value("freshness", value, '{"within": "6h"}, or by and zone', where)
    return value


@dataclass(frozen=True, slots=True)
class _Reader:
    raw: Mapping[str, Any]
    where: Where

    def texts(self, name: str) -> tuple[str, ...]:
        values = _list(self.raw.get(name, ()))
        if not all(isinstance(each, str) for each in values):
            raise wrong_value(name, self.raw[name], "text or a list of texts", self.where)
        return tuple(values)

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.raw.get(name, default)
        if value not in allowed:
            raise wrong_value(name, value, f"one of {', '.join(allowed)}", self.where, allowed)
        return str(value)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _layout(text: str, where: Where) -> LayoutColumn:
    found = _LAYOUT.match(text)
    transform = (found[1] if found else None) or "identity"
    if found is None or transform not in get_args(Transform):
        allowed = get_args(Transform)
        raise wrong_value(
            "partition_by", text, f"a column, or {', '.join(allowed[1:])} of one", where
        )
    return LayoutColumn(column=found[2] or found[3], transform=cast("Transform", transform))


def _partitions(raw: Mapping[str, Any], where: Where) -> Partitioning | None:
    written = raw.get("partitions")
    if written is None:
        return None
    if not isinstance(written, Mapping):
        raise wrong_value("partitions", written, 'such as monthly("2013-01-01")', where)
    try:
        return read_partitioning(written)
    except ModelInvalid as error:
        error.where = where
        raise


def _refuse_contradictions(options: Options, where: Where) -> None:
    def refuse(summary: str, hint: str) -> None:
        raise ModelInvalid("A7103", f"{where.asset} {summary}.", hint=hint, where=where)

    if options.materialized == "incremental":
        if options.strategy == "upsert" and not options.row_key:
            refuse("upserts without a row key", 'Add row_key=["column", ...].')
        if options.strategy == "replace_partitions" and not options.partition_by:
            refuse("replaces partitions without a layout", 'Add partition_by=["month(day)"].')


def _execution(raw: Mapping[str, Any], where: Where) -> Execution:
    def refuse(name: str, allowed: str) -> None:
        raise wrong_value(name, raw[name], allowed, where)

    return read_execution(raw, refuse)


def _rebuild(read: _Reader) -> str:
    return read.one_of("rebuild", ("on_change", "always"), "") if "rebuild" in read.raw else ""


def _age(raw: Mapping[str, Any], where: Where) -> tuple[str, float | None]:
    """Read the age at which an asset is built anew, and the option that says it."""
    written = {name: raw[name] for name in ("rebuild", "fresh_for") if name in raw}
    if len(written) > 1:
        raise ModelInvalid(
            "A7103",
            f"{where.asset} has both `rebuild` and `fresh_for`: both say when it is built anew.",
            hint="Keep `fresh_for` for what is read from outside, `rebuild` for everything else.",
            where=where,
        )
    for name, value in written.items():
        seconds = seconds_in(value)
        if seconds is not None:
            text = value if isinstance(value, str) else f"{value:g}s"
            return f"{name}: {text}", seconds
        if name == "fresh_for":
            raise wrong_value(name, value, "a time such as 30s, 10m, 1d", where)
        if value not in {"on_change", "always"}:
            raise wrong_value(name, value, "on_change, always, or an age such as 12h, 1d", where)
    return "", None
