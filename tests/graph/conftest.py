# SPDX-License-Identifier: Apache-2.0
"""Builders for assets and graphs."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mainstem.graph import (
    Asset,
    Facts,
    Graph,
    PlanOptions,
    PlanRequest,
    VersionLookup,
    fingerprint,
    make_plan,
)
from mainstem.types import AssetKey, Provenance


def key(name):
    return AssetKey.parse(name)


def asset(name, *inputs, code="1", kind="sql", materialized="table", **more):
    more.setdefault("file", f"models/{name.replace('.', '/')}.sql")
    return Asset(
        key=key(name),
        kind=kind,
        materialized=materialized,
        inputs=tuple(key(item) for item in inputs),
        code_version=f"{name}:{code}",
        **more,
    )


@dataclass(frozen=True)
class Entry:
    provenance: Provenance
    kind: str = "table"
    row_count: int = 10


@dataclass(frozen=True)
class Look:
    is_fresh: bool
    summary: str = "1 new file, 2 kB"


@dataclass
class Head:
    """A branch on which assets have been built, in order, from what it has."""

    assets: list[Asset]
    entries: dict[AssetKey, Entry] = field(default_factory=dict)
    records: dict = field(default_factory=dict)

    def versions(self):
        return VersionLookup(Graph.build(self.assets).effective, self.entries)

    def build(self, *names):
        for name in names:
            found = Graph.build(self.assets).effective[key(name)]
            inputs = {item: self.versions().of(item) for item in found.inputs}
            mark = fingerprint(found.code_version, inputs)
            version = f"read:{found.code_version}" if found.kind == "file" else mark
            self.entries[found.key] = Entry(
                Provenance(
                    origin="derived",
                    data_version=version,
                    fingerprint=mark,
                    code_version=found.code_version,
                    inputs={str(item): value for item, value in inputs.items()},
                ),
                kind="view" if found.materialized == "view" else "table",
            )
        return self


@pytest.fixture
def plan_of():
    def plan(head, *include, look=None, facts=None, **options):
        values = {
            "entries": head.entries,
            "observe": lambda _asset: look or Look(is_fresh=True),
            **(facts or {}),
        }
        request = PlanRequest(branch="main", include=include, options=PlanOptions(**options))
        made = make_plan(Graph.build(head.assets), request, Facts(**values))
        return {str(item.key): item for item in made.assets}

    return plan


@pytest.fixture
def make():
    """`make.asset`, `make.key`, `make.head`: importlib mode has no module to import from."""

    class Make:
        asset = staticmethod(asset)
        key = staticmethod(key)
        head = staticmethod(lambda *assets: Head(list(assets)))
        look = Look
        entry = Entry

    return Make
