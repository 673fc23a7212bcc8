# SPDX-License-Identifier: Apache-2.0
"""What a command, a job or the API asks of a run, as the options of `runs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mainstem.config import (
    RUN_KEYS,
    ServeSettings,
    Settings,
    is_secret_name,
    read_execution,
)
from mainstem.errors import ConfigInvalid
from mainstem.graph import Asset, Plan, PlannedAsset, PlanOptions
from mainstem.project.loaded import LoadedProject
from mainstem.runs import RunOptions
from mainstem.types import Pool, machine_memory, seconds_in

if TYPE_CHECKING:
    from mainstem.lake import Lake
    from mainstem.project.work import Work
    from mainstem.runs import Gate, RunFinished, Step

_OF_THE_RUN = RUN_KEYS | {"logical_time"}
_PART_OF_MEMORY = 0.8


def options_of_run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give those options, of a job or a launch, that say how a run is executed."""
    return {name: value for name, value in options.items() if name in _OF_THE_RUN}


def options_of_plan(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the others, which say what is to be done; `latest` is meant as of the logical time."""
    found = {name: value for name, value in options.items() if name not in _OF_THE_RUN}
    return {**found, "latest_at": options.get("logical_time")}


def noting(plan: Plan, options: Mapping[str, Any], **more: Any) -> Plan:
    """Let the record of a run keep all of its options, not the plan's alone: for a retry."""
    said = {**options_of_run(options), **more}
    # Of a secret variable nothing is kept: whoever reads records would read it.
    said["vars"] = {
        name: value for name, value in more["vars"].items() if not is_secret_name(f"vars.{name}")
    }
    # The logical time has a place of its own.
    said = {name: value for name, value in said.items() if value and name != "logical_time"}
    return replace(plan, options={**plan.options, **said})


def run_options(
    planned: PlanOptions,
    asked: Mapping[str, Any],
    *,
    threads: int | None,
    fail_fast: bool,
    wait: bool,
    branch_from: str,
) -> RunOptions:
    """Complete the options of a run.

    Args:
        planned: As the plan was made with.
        asked: `retries` and what else jobs may say of attempts, `run_timeout`, `publish`.
        threads: Steps at once.
        fail_fast: Start nothing more after a failure.
        wait: Wait for a run that builds the same assets.
        branch_from: Where the target branch begins if it is not there yet.

    Raises:
        ConfigInvalid: A value that is not allowed.
    """

    def refuse(name: str, allowed: str) -> None:
        raise ConfigInvalid("A1012", f"`{name}` is `{asked[name]}`; allowed is {allowed}.")

    timeout = asked.get("run_timeout")
    timeout_s = seconds_in(timeout)
    if timeout is not None and not timeout_s:
        refuse("run_timeout", "a time such as 10m, 6h or 1d")
    publish = asked.get("publish") or "passed"
    if publish not in {"passed", "all_or_nothing"}:
        refuse("publish", "passed or all_or_nothing")
    execution = read_execution(asked, refuse)
    return RunOptions(
        plan=planned,
        threads=threads,
        fail_fast=fail_fast,
        wait=wait,
        all_or_nothing=publish == "all_or_nothing",
        retry=execution.retry,
        timeout_s=execution.timeout_s,
        run_timeout_s=timeout_s,
        logical_time=asked.get("logical_time"),
        branch_from=branch_from,
    )


def lease_of_runs(serve: ServeSettings) -> dict[str, Any]:
    """Give, as options of a run, how long its leases hold and how often it renews them."""
    return {"lease_s": serve.hold_s, "heartbeat_s": serve.hold_s / 6}


def project_tables(lake: Lake, finished: RunFinished) -> None:
    """Write Iceberg's metadata of what was published, for readers that are not Mainstem.

    Behind the commit, not in it: whoever asks for a path that is not there yet makes it.
    """
    if finished.commit_id:
        entries = lake.entries(finished.commit_id)
        for key in finished.published:
            entry = entries.get(key)
            if entry is not None and entry.kind == "table":
                lake.metadata_path(key, finished.commit_id)


def pools_of(settings: Settings) -> dict[str, Pool]:
    """Give the pools of a project, and that of the machine's memory."""
    size = settings.memory_bytes or int(machine_memory() * _PART_OF_MEMORY)
    return {**settings.pools, "memory": Pool(name="memory", slots=size)}


class Kinds:
    """Steps and gates of a project's assets; what makes them is imported when first asked for.

    Args:
        loaded: The project.
        work: What reads and writes data.
    """

    def __init__(self, loaded: LoadedProject, work: Callable[[], Work]) -> None:
        self._loaded = loaded
        self._work = work

    def step_of(self, asset: Asset, planned: PlannedAsset) -> Step:
        """Make the step that does what the plan says."""
        return self._work().step_of(asset, planned)

    def gates_of(self, asset: Asset) -> Sequence[Gate]:
        """Make the gates of an asset, and of ephemeral models in it; most have none."""
        graph = self._loaded.graph
        has_own = asset.checks or any(judge.key == asset.key for judge in self._loaded.judges)
        above = (graph.assets.get(key) for key in asset.inputs)
        if not has_own and all(item is None or item.materialized != "ephemeral" for item in above):
            return ()
        return self._work().gates_of(asset)
