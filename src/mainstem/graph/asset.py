# SPDX-License-Identifier: Apache-2.0
"""The asset: one node of the graph, as loaded from the project, before any data is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from mainstem.graph.partition import Partitioning
from mainstem.types import AssetKey, CheckSpec, Execution, LayoutColumn, Schema, dataclass

Kind = Literal["file", "seed", "sql", "python", "command", "external"]
Materialization = Literal["view", "table", "incremental", "ephemeral", "none"]
OnCodeChange = Literal["rebuild", "forward"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One asset with all that planning needs; `definition` belongs to its kind alone."""

    key: AssetKey
    kind: Kind
    materialized: Materialization
    """`none`: an effect, a function annotated to return `None` or a command without output."""
    inputs: tuple[AssetKey, ...] = ()
    """Assets whose data it reads, ephemeral ones included."""
    after: tuple[AssetKey, ...] = ()
    """`deps:` that only order."""
    code_version: str = ""
    """Hash of its code's normal form and of the configuration that shapes data (SEMANTICS)."""
    code_text_hash: str = ""
    """Hash of the raw bytes: equal means unchanged whatever the normal form's version."""
    volatile: str = ""
    """Why it runs whenever selected, as `plan` says it; empty if it does not."""
    rebuild_after_s: float | None = None
    """Built anew once its last build is older than that, though nothing else changed."""
    rebuild_rule: str = ""
    """What set that, as `plan` quotes it: `rebuild: 1d`, `fresh_for: 6h`."""
    on_code_change: OnCodeChange = "rebuild"
    upstream_mutable: bool = False
    """`upstream: mutable`: increments stay right though inputs change otherwise than by append."""
    execution: Execution = field(default_factory=Execution)
    """Retries and timeout; no part of its identity."""
    row_key: tuple[str, ...] = ()
    partition_by: tuple[LayoutColumn, ...] = ()
    partitions: Partitioning | None = None
    """Its unit of work, if that is not the whole table."""
    group: str = ""
    """Assets of one `multi_asset` share a group and are built by one step."""
    tags: tuple[str, ...] = ()
    owner: str = ""
    run_when: str = ""
    """Condition that launches it, as written; `automation` reads it."""
    freshness: Mapping[str, Any] = field(default_factory=dict)
    """Promise about its age, as written: `within`, or `by` and `zone`."""
    description: str = ""
    file: str = ""
    """Path relative to the project folder."""
    line: int = 0
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Documented columns: description, declared type, tags."""
    schema: Schema | None = None
    """Column names and types as inferred without data; `None` if unknown."""
    lineage: Mapping[str, tuple[tuple[AssetKey, str], ...]] = field(default_factory=dict)
    """For each output column the input columns it is computed from; empty if unknown."""
    checks: tuple[CheckSpec, ...] = ()
    change_summary: Mapping[str, str] = field(default_factory=dict)
    """Hash per part of the code (`columns.<name>`, `files.<path>`, `rows`, `config`): a plan says
    what changed."""
    definition: Any = None
    """Frozen, picklable value of the kind: `SqlModel`, `PythonAsset`, `Command`, `FileTable`,
    `Seed`."""

    @property
    def is_repeatable(self) -> bool:
        """Whether equal code and inputs mean equal rows, so that equal versions may be linked."""
        return not self.volatile and self.rebuild_after_s is None
