# SPDX-License-Identifier: Apache-2.0
"""Assets that are built by the clock (`rebuild: 1d`, `fresh_for: 6h`): when they are due.

Their rows change though neither code nor inputs do, so only the age of the last build decides.
"""

from __future__ import annotations

from mainstem.graph.asset import Asset
from mainstem.graph.facts import Facts, HeadEntry, PlanOptions

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def age_reason(asset: Asset, entry: HeadEntry | None, facts: Facts, options: PlanOptions) -> str:
    """Say that the version that the branch has is too old; empty if it is not, or has no age."""
    if asset.rebuild_after_s is None or entry is None:
        return ""
    age = facts.age_of(asset.key, entry.provenance.data_version)
    if age is None:
        return f"built nobody knows when, `{asset.rebuild_rule}`"
    return due_reason(asset, age, options)


def due_reason(asset: Asset, age_s: float, options: PlanOptions) -> str:
    """Say why an asset of this age is built again; empty if it is not."""
    if asset.rebuild_after_s is None:
        return ""
    if options.fresh and asset.rebuild_rule.startswith("fresh_for"):
        return "--fresh: read again"
    if age_s < asset.rebuild_after_s:
        return ""
    return f"built {ago(age_s)} ago, `{asset.rebuild_rule}`"


def ago(age_s: float) -> str:
    """Write an age as people do: `26 hours`, `3 days`, `5 seconds`."""
    for name, seconds in _UNITS:
        # Two days and more are days; `26 hours` says more than `1 day`.
        if age_s >= seconds * (2 if name == "day" else 1):
            return _plural(int(age_s // seconds), name)
    return _plural(max(0, int(age_s)), "second")


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
