# SPDX-License-Identifier: Apache-2.0
"""`Query`: the list of what can be asked; what each field does is in the module of its noun."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from mainstem.api.graphql import asset as of_asset
from mainstem.api.graphql import audit as of_audit
from mainstem.api.graphql import backfill as of_backfill
from mainstem.api.graphql import check as of_check
from mainstem.api.graphql import commit as of_commit
from mainstem.api.graphql import condition as of_condition
from mainstem.api.graphql import control as of_control
from mainstem.api.graphql import data as of_data
from mainstem.api.graphql import failure as of_failure
from mainstem.api.graphql import launch as of_launch
from mainstem.api.graphql import lineage as of_lineage
from mainstem.api.graphql import node as of_node
from mainstem.api.graphql import plan as of_plan
from mainstem.api.graphql import project as of_project
from mainstem.api.graphql import run as of_run
from mainstem.api.graphql import source as of_source
from mainstem.api.graphql import trigger as of_trigger
from mainstem.api.graphql import why as of_why
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.paging import Connection


@strawberry.type(description="What can be asked.")
class Query:
    """The fields of queries."""

    node: Node | None = field(
        resolver=of_node.node, description="Anything that has an id, by it; null if it is gone."
    )
    project: of_project.Project = field(
        resolver=of_project.project, description="The project that is served."
    )
    version: of_project.Version = field(resolver=of_project.version, description="What runs here.")
    settings: list[of_project.Setting] = field(
        resolver=of_project.settings,
        description="The settings in force, and who set them; secrets are masked.",
    )
    assets: Connection[of_asset.Asset] = field(
        resolver=of_asset.assets, description="Assets in building order."
    )
    asset: of_asset.AssetDetail = field(
        resolver=of_asset.asset,
        description="One asset in detail, or a table that only the lake knows.",
    )
    search: list[of_asset.Found] = field(
        resolver=of_asset.search,
        description="Assets, columns, branches and tags whose names or descriptions match.",
    )
    lineage: of_lineage.Lineage = field(
        resolver=of_lineage.lineage,
        description="The graph of a selection, laid out: `+marts.delays`, `2+orders+1`.",
    )
    column_lineage: of_lineage.Lineage = field(
        resolver=of_lineage.column_lineage,
        description="What a column is made of, or what is made of it, laid out.",
    )
    plan: of_plan.Plan = field(
        resolver=of_plan.plan, description="What a run would do, and why; changes nothing."
    )
    runs: Connection[of_run.Run] = field(resolver=of_run.runs, description="Runs, newest first.")
    run: of_run.Run | None = field(
        resolver=of_run.run, description="One run; null if there is none of that number."
    )
    logs: of_run.LogPage = field(
        resolver=of_run.logs,
        description="Lines of a run's log; ask again with `cursor` while it goes on.",
    )
    checks: Connection[of_check.Check] = field(
        resolver=of_check.checks, description="Checks with their last results."
    )
    branches: list[of_commit.Branch] = field(
        resolver=of_commit.branches, description="Branches by name."
    )
    tags: list[of_commit.Tag] = field(resolver=of_commit.tags, description="Tags by name.")
    commits: Connection[of_commit.Commit] = field(
        resolver=of_commit.commits,
        description="The history of a branch, newest first: what was done to it.",
    )
    diff: of_commit.Diff = field(
        resolver=of_commit.diff, description="What one state has that another has not."
    )
    data: of_data.Data = field(
        resolver=of_data.data,
        description="Rows of a table or view; large amounts come from `/api/data/ASSET`.",
    )
    profile: list[of_data.ColumnProfile] = field(
        resolver=of_data.profile,
        description="What the values of a table's columns are like; reads the table.",
    )
    cursors: list[of_data.Cursor] = field(
        resolver=of_data.cursors, description="How far sources were read."
    )
    sources: Connection[of_source.Source] = field(
        resolver=of_source.sources,
        description="Files that tables are loaded from: what was loaded, and what waits.",
    )
    source_loads: list[of_source.SourceLoad] = field(
        resolver=of_source.loads,
        description="Which files came into a table by which commit, newest first.",
    )
    queue: of_launch.Queue = field(
        resolver=of_launch.queue, description="What waits for a run, and what runs."
    )
    launches: list[of_launch.Launch] = field(
        resolver=of_launch.launch_list, description="Launches, newest first."
    )
    launch: of_launch.Launch | None = field(
        resolver=of_launch.launch, description="One launch; null if there is none of that number."
    )
    backfills: list[of_backfill.Backfill] = field(
        resolver=of_backfill.backfills, description="Backfills, newest first."
    )
    backfill: of_backfill.Backfill | None = field(
        resolver=of_backfill.backfill,
        description="How far one backfill is; null if there is none of that number.",
    )
    schedules: list[of_trigger.Schedule] = field(
        resolver=of_trigger.schedules, description="When jobs run by themselves."
    )
    next_ticks: list[datetime] = field(
        resolver=of_trigger.next_ticks, description="The moments at which a schedule fires next."
    )
    sensors: list[of_trigger.Sensor] = field(
        resolver=of_trigger.sensors, description="What is looked at every so often."
    )
    conditions: list[of_condition.AssetCondition] = field(
        resolver=of_condition.conditions, description="Which assets launch themselves, and when."
    )
    hooks: list[of_trigger.WebHook] = field(
        resolver=of_trigger.hooks, description="What others call."
    )
    ticks: list[of_trigger.TriggerTick] = field(
        resolver=of_trigger.ticks,
        description="What became of each moment of schedules and each look of sensors.",
    )
    why: of_why.Why = field(
        resolver=of_why.why,
        description="Why an asset ran last, or did not, and what may run it next.",
    )
    partitions: of_why.Partitions = field(
        resolver=of_why.partitions, description="How the partitions of an asset stand."
    )
    pools: list[of_control.Pool] = field(
        resolver=of_control.pools, description="What steps share, and who holds it now."
    )
    failures: list[of_failure.Failure] = field(
        resolver=of_failure.failures,
        description="What failed, each kind of failure once, the latest first.",
    )
    alerts: list[of_failure.Alert] = field(
        resolver=of_failure.alerts,
        description="Messages about failures, sent and waiting, newest first.",
    )
    alert_rules: list[of_failure.AlertRule] = field(
        resolver=of_failure.alert_rules, description="Who is told of failures."
    )
    audit: Connection[of_audit.Audit] = field(
        resolver=of_audit.audit_log,
        description="What was changed, by whom, newest first. Takes the role `admin`.",
    )
