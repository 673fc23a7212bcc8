# SPDX-License-Identifier: Apache-2.0
"""The tables of automation; times are microseconds since 1970 UTC, documents are JSON text."""

from __future__ import annotations

from mainstem.database import Migration

MIGRATIONS = (
    Migration(
        package="automation",
        number=1,
        statements=(
            # One row for each schedule and sensor that was ever seen: `is_on` is null while nobody
            # overrode the file. `next_at` is null if nothing is due ever: then no loop reads it.
            """
            create table trigger_state (
              kind text not null, name text not null, timing text not null,
              is_on integer, is_enabled integer not null, is_declared integer not null,
              since bigint not null, evaluated_until bigint not null, next_at bigint,
              cursor_text text not null default '', failures integer not null default 0,
              note text not null default '', primary key (kind, name)
            )
            """,
            "create index trigger_next on trigger_state (kind, next_at)",
            "create index trigger_evaluated on trigger_state (kind, evaluated_until)",
            # The key is what makes a tick happen once, with however many servers.
            """
            create table tick (
              kind text not null, name text not null, scheduled_for bigint not null,
              evaluated_at bigint not null, outcome text not null, launch_id bigint,
              reason text not null default '', stands_for integer not null default 1,
              facts text not null default '{}', primary key (kind, name, scheduled_for)
            )
            """,
            "create index tick_evaluated on tick (evaluated_at)",
        ),
    ),
    Migration(
        package="automation",
        number=2,
        statements=(
            # The body is kept before the sender is answered; what is not genuine is not kept.
            """
            create table hook_delivery (
              id bigint primary key, hook text not null, dedup_key text not null,
              received_at bigint not null, headers text not null, body text not null,
              launch_id bigint, repeats integer not null default 0
            )
            """,
            "create unique index hook_dedup on hook_delivery (hook, dedup_key)",
            "create index hook_received on hook_delivery (received_at)",
        ),
    ),
    Migration(
        package="automation",
        number=3,
        statements=(
            # `turn` tells a server that keeps conditions in memory whether another one moved on.
            """
            create table condition_turn (
              branch text primary key, turn bigint not null, at bigint not null,
              ended_at bigint not null
            )
            """,
            """
            create table condition_asset (
              branch text not null, asset text not null, facts text not null,
              primary key (branch, asset)
            )
            """,
            """
            create table promise_state (
              branch text not null, asset text not null, promise text not null,
              since bigint not null, status text not null, due_at bigint not null,
              updated_at bigint, primary key (branch, asset)
            )
            """,
        ),
    ),
    Migration(
        package="automation",
        number=4,
        statements=(
            # Facts are sets of partitions from here on; branches are looked at anew.
            "delete from condition_asset",
            "delete from condition_turn",
            "alter table condition_turn add column commit_id text not null default ''",
        ),
    ),
)
