# SPDX-License-Identifier: Apache-2.0
"""Sources of an environment that reads through: they are those of the branch it comes from.

Whoever develops a model wants today's data without loading it again; `--ingest` loads it all the
same, on the own branch, which is the business of the planner.
"""

from __future__ import annotations

from mainstem.graph.asset import Asset
from mainstem.graph.decision import Decision
from mainstem.graph.facts import Facts, Linkable, PlanOptions


def read_through(asset: Asset, facts: Facts, options: PlanOptions, branch: str) -> Decision:
    """Decide what becomes of a source: take over the other branch's version if it is not here."""
    through = facts.read_through
    assert through is not None, "asked only where sources are read through"
    ours, theirs = facts.entries.get(asset.key), through.entries.get(asset.key)
    version = ours.provenance.data_version if ours is not None else None
    if theirs is None:
        text = f"{through.branch} does not have it; `--ingest` loads it on {branch}"
        return Decision(action="skip" if ours is None else "fresh", reason=text, version=version)
    wanted = theirs.provenance.data_version
    if wanted == version:
        return Decision(action="fresh", reason=f"as on {through.branch}", version=version)
    if not options.force and facts.is_tombstone(asset.key, wanted):
        text = f"what {through.branch} has was reverted here; --force takes it over"
        return Decision(action="fresh", reason=text, version=version)
    link = Linkable(version=wanted, commit_id=through.commit_id, made_on=through.branch)
    reason = f"read through from {through.branch}"
    return Decision(action="link", reason=reason, version=wanted, link=link)
