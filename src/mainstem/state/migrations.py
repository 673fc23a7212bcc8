# SPDX-License-Identifier: Apache-2.0
"""The tables of run state; times are microseconds since 1970 UTC, documents are JSON text."""

from __future__ import annotations

from mainstem.database import Migration

MIGRATIONS = (
    Migration(
        package="state",
        number=1,
        statements=(
            """
            create table run (
              id integer primary key, branch text not null, environment text not null,
              status text not null, base_commit text not null, commit_id text not null default '',
              run_branch text not null default '', git text not null default '',
              started_at bigint not null, finished_at bigint, logical_time bigint not null,
              owner text not null, host text not null, boot_id text not null,
              pid integer not null, process_started text not null,
              options text not null default '{}', error text not null default ''
            )
            """,
            "create index run_branch_status on run (branch, status)",
            """
            create table step (
              run_id integer not null, asset text not null, asset_key text not null,
              position integer not null, action text not null, status text not null,
              reason text not null default '', attempts integer not null default 0,
              row_count bigint, row_count_before bigint, is_increment integer not null default 0,
              data_version text not null default '', fingerprint text not null default '',
              started_at bigint, finished_at bigint, elapsed_us bigint not null default 0,
              notes text not null default '[]', warnings text not null default '[]',
              error text not null default '', primary key (run_id, asset)
            )
            """,
            "create index step_asset on step (asset, run_id)",
            """
            create table check_result (
              run_id integer not null, asset text not null, check_id text not null,
              verdict text not null, severity text not null, message text not null,
              row_count bigint, failed_count bigint, sample text not null,
              elapsed_us bigint not null, evaluated_at bigint not null,
              primary key (run_id, asset, check_id)
            )
            """,
            "create table plan (run_id integer primary key, document text not null)",
            """
            create table lease (
              branch text not null, asset text not null, run_id integer not null,
              owner text not null, fence bigint not null, expires_at bigint not null,
              primary key (branch, asset)
            )
            """,
            """
            create table tombstone (
              branch text not null, asset text not null, data_version text not null,
              commit_id text not null, created_at bigint not null,
              primary key (branch, asset, data_version)
            )
            """,
            """
            create table version (
              asset text not null, data_version text not null, run_id integer not null,
              parent text not null, operation text not null, fingerprint text not null,
              code_version text not null, inputs text not null, is_uniform integer not null,
              branch text not null, commit_id text not null, row_count bigint not null,
              created_at bigint not null, expires_at bigint,
              primary key (asset, data_version, run_id)
            )
            """,
            "create index version_run on version (run_id)",
            """
            create table code (
              asset text not null, code_version text not null, parts text not null,
              primary key (asset, code_version)
            )
            """,
            """
            create table event (
              run_id integer not null, number integer not null, at bigint not null,
              kind text not null, asset text not null, text text not null,
              primary key (run_id, number)
            )
            """,
        ),
    ),
    Migration(
        package="state",
        number=2,
        statements=(
            # Apart from `code`: a text that was only formatted anew has the same code version.
            """
            create table code_text (
              asset text not null, text_hash text not null, code_version text not null,
              primary key (asset, text_hash, code_version)
            )
            """,
        ),
    ),
    Migration(
        package="usage",
        number=1,
        statements=(
            "alter table step add column size_bytes bigint",
            "alter table step add column cpu_us bigint",
            "alter table step add column peak_memory bigint",
            "alter table step add column measured text not null default ''",
        ),
    ),
    Migration(
        package="current",
        number=1,
        statements=(
            """
            create table found_current (
              branch text not null, asset text not null, at bigint not null,
              primary key (branch, asset)
            )
            """,
        ),
    ),
)
