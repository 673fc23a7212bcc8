# SPDX-License-Identifier: Apache-2.0
"""`Mutation`: the list of changes that can be asked for, each with the role that it takes."""

from __future__ import annotations

import strawberry

from mainstem.api.graphql import backfill as of_backfill
from mainstem.api.graphql import change
from mainstem.api.graphql import condition as of_condition
from mainstem.api.graphql import control as of_control
from mainstem.api.graphql import failure as of_failure
from mainstem.api.graphql import launch as of_launch
from mainstem.api.graphql import partition as of_partition
from mainstem.api.graphql import project as of_project
from mainstem.api.graphql import report as of_report
from mainstem.api.graphql import trigger as of_trigger
from mainstem.api.graphql.audit import mutation
from mainstem.api.graphql.commit import Branch, Commit, Tag
from mainstem.api.graphql.launch import Launch
from mainstem.api.role import Role


@strawberry.type(description="What can be changed; every change is in the audit log.")
class Mutation:
    """The fields of mutations."""

    launch: Launch = mutation(Role.RUNNER, of_launch.ask, "Ask for a run; a server begins it.")
    cancel: Launch = mutation(
        Role.RUNNER,
        of_launch.stop,
        "Take a launch out of the queue, or stop its run: once cleanly, twice at once.",
    )
    retry: Launch = mutation(
        Role.RUNNER,
        of_launch.ask_again,
        "Launch what a run left undone; what it built is not built again.",
    )
    replay: Launch = mutation(
        Role.RUNNER,
        of_launch.replay,
        "Launch one step of a run again with the inputs that the run gave it, and the code as it "
        "is now, for a branch `replay/RUN-ASSET`: nothing that others read changes.",
    )
    pause_run: of_control.RunControl = mutation(
        Role.RUNNER, of_control.pause_run, "Have a run start no further step."
    )
    resume_run: of_control.RunControl = mutation(
        Role.RUNNER, of_control.resume_run, "Have a paused run go on."
    )
    cancel_run: of_control.RunControl = mutation(
        Role.RUNNER,
        of_control.cancel_run,
        "Stop a run, of whatever process: once cleanly, twice at once.",
    )
    launch_backfill: of_backfill.Backfill = mutation(
        Role.RUNNER,
        of_backfill.launch_backfill,
        "Build partitions of the past, in launches of a server.",
    )
    pause_backfill: of_backfill.Backfill = mutation(
        Role.RUNNER,
        of_backfill.pause_backfill,
        "Have a backfill start nothing new; what runs may end.",
    )
    resume_backfill: of_backfill.Backfill = mutation(
        Role.RUNNER, of_backfill.resume_backfill, "Have a paused backfill go on."
    )
    cancel_backfill: of_backfill.Backfill = mutation(
        Role.RUNNER,
        of_backfill.cancel_backfill,
        "Have a backfill start nothing new for good, and stop what runs of it.",
    )
    retry_backfill: of_backfill.Backfill = mutation(
        Role.RUNNER,
        of_backfill.retry_backfill,
        "Have a backfill do again what failed, and what waited for it.",
    )
    edit_backfill: of_backfill.Backfill = mutation(
        Role.RUNNER,
        of_backfill.edit_backfill,
        "Change how fast, and in which order, a backfill goes on.",
    )
    add_partitions: of_partition.PartitionKeys = mutation(
        Role.RUNNER, of_partition.add_keys, "Add keys to the dynamic partitions of an asset."
    )
    remove_partitions: of_partition.PartitionKeys = mutation(
        Role.RUNNER,
        of_partition.remove_keys,
        "Take keys from the dynamic partitions of an asset; rows stay until they are deleted.",
    )
    delete_partitions: of_partition.DeletedPartitions = mutation(
        Role.ADMIN,
        of_partition.delete_data,
        "Delete the rows of partitions, by one commit on the environment's branch.",
    )
    test_alert: of_failure.AlertTest = mutation(
        Role.RUNNER, of_failure.send_test, "Send a message to somebody who is told of failures."
    )
    set_pool: of_control.Pool = mutation(
        Role.ADMIN,
        of_control.set_slots,
        "Set the slots of a pool for the runs of all processes; who holds slots keeps them.",
    )
    report_materialization: of_report.MaterializationReport = mutation(
        Role.RUNNER,
        of_report.report,
        "Say that something else made a new version of an external asset: what reads it is stale. "
        "The version that was reported last is not new.",
    )
    create_branch: Branch = mutation(
        Role.RUNNER, change.create_branch, "Make a branch over all tables; copies no data."
    )
    delete_branch: Commit = mutation(
        Role.ADMIN,
        change.delete_branch,
        "Delete a branch; its commits can be read by id until they are swept.",
    )
    tag: Tag = mutation(Role.RUNNER, change.create_tag, "Name a commit for good.")
    delete_tag: Commit = mutation(Role.ADMIN, change.delete_tag, "Delete a tag; the commit stays.")
    merge_branch: change.Merge = mutation(
        Role.ADMIN,
        change.merge,
        "Bring what a branch changed into another, or nothing; checks judge the result first.",
    )
    revert: Commit = mutation(
        Role.ADMIN, change.revert, "Undo a commit by a new one, on the environment's branch."
    )
    switch_schedule: of_trigger.Schedule = mutation(
        Role.RUNNER,
        of_trigger.switch_schedule,
        "Turn a schedule on or off, whatever mainstem.yml says.",
    )
    run_schedule: Launch = mutation(
        Role.RUNNER, of_trigger.run_schedule, "Launch now what a schedule launches."
    )
    dry_run_schedule: of_trigger.DryRun = mutation(
        Role.RUNNER,
        of_trigger.dry_run_schedule,
        "Plan what the next tick of a schedule would launch; launches nothing.",
    )
    switch_condition: of_condition.AssetCondition = mutation(
        Role.RUNNER,
        of_condition.switch,
        "Turn the condition of an asset on or off; what becomes true while it is off is not made "
        "up for.",
    )
    switch_sensor: of_trigger.Sensor = mutation(
        Role.RUNNER, of_trigger.switch_sensor, "Turn a sensor on or off; its cursor stays."
    )
    run_sensor: of_trigger.TriggerTick | None = mutation(
        Role.RUNNER,
        of_trigger.run_sensor,
        "Let a sensor look now, due or not, and launch what it asks for.",
    )
    dry_run_sensor: of_trigger.DryLook = mutation(
        Role.RUNNER,
        of_trigger.dry_run_sensor,
        "Let a sensor look now, and plan what it would launch; writes nothing.",
    )
    set_sensor_cursor: of_trigger.Sensor = mutation(
        Role.ADMIN,
        of_trigger.set_sensor_cursor,
        "Let a sensor look on from elsewhere; what it launched once is not launched again.",
    )
    dry_run_hook: of_trigger.DryRun = mutation(
        Role.RUNNER,
        of_trigger.dry_run_hook,
        "Plan what the last delivery to a hook would launch; launches nothing.",
    )
    reload: of_project.Reload = mutation(
        Role.ADMIN,
        of_project.reload,
        "Read the project's files again; a broken state does not replace a good one.",
    )
