# SPDX-License-Identifier: Apache-2.0
"""The list of commands: so that `--help` needs no command to be imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as `--help` shows it, and where it is written."""

    name: str
    group: str
    module: str
    """In `mainstem.cli.commands`; the command is its attribute of the same name."""
    summary: str


GROUPS = ("start", "work", "versions", "operate")

COMMANDS = (
    Listed("init", "start", "init", "Make a project: from a template, or around your own file."),
    Listed("doctor", "start", "doctor", "Look for what keeps Mainstem from working here."),
    Listed("config", "start", "config", "Show the settings in force, and who set them."),
    Listed("explain", "start", "explain", "Explain an error code."),
    Listed("plan", "work", "work", "Say what a run would do, and why. Changes nothing."),
    Listed("run", "work", "work", "Ingest, model, check and publish what is not up to date."),
    Listed("check", "work", "check", "Check data as it is, or show the rows that fail."),
    Listed("show", "work", "read", "Show an asset: its columns, first rows, code, history."),
    Listed("query", "work", "read", "Run SQL over the lake, at any branch, tag, commit or time."),
    Listed("compile", "work", "read", "Print a model's SQL as the engine gets it."),
    Listed("list", "work", "graph", "List assets."),
    Listed("lineage", "work", "graph", "Show where an asset or a column comes from and goes."),
    Listed("validate", "work", "validate", "Check all files of the project, for CI."),
    Listed("partitions", "work", "partitions", "Which partitions are built, stale, failed."),
    Listed("diff", "work", "diff", "Compare two branches or commits, or a table's rows."),
    Listed("branch", "versions", "versions", "List, create and delete branches."),
    Listed("merge", "versions", "diff", "Bring a branch's changes into another, or nothing."),
    Listed("log", "versions", "versions", "List commits, newest first."),
    Listed("revert", "versions", "diff", "Undo a commit by a new one."),
    Listed("tag", "versions", "versions", "List, create and delete tags."),
    Listed("table", "versions", "table", "A table's files, history and Iceberg metadata."),
    Listed("dev", "operate", "serve", "Serve while you edit: files are followed, errors shown."),
    Listed("report", "operate", "report", "Say that others made a new version of an asset."),
    Listed("serve", "operate", "serve", "Run schedules, launches and the API until stopped."),
    Listed("backfill", "operate", "backfill", "Build partitions of the past, and steer it."),
    Listed("pools", "operate", "pools", "What steps share, who holds it; set the slots."),
    Listed("queue", "operate", "queue", "List launches, and cancel one."),
    Listed("worker", "operate", "worker", "Carry out Python steps of runs on other machines."),
    Listed("runs", "operate", "runs", "List runs, show one, read its log; failures."),
    Listed("gc", "operate", "gc", "Remove what nothing leads to, old logs and history."),
    Listed("alerts", "operate", "alerts", "Who is told of failures, what was sent; test it."),
    Listed("token", "operate", "token", "Make, list and revoke tokens for the API."),
    Listed("hook", "operate", "hook", "What others may call, and what came."),
    Listed("sensor", "operate", "sensor", "What is looked at: list, switch, look now, cursor."),
    Listed("condition", "operate", "condition", "Which assets launch themselves: list, switch."),
    Listed("why", "operate", "why", "Why an asset ran, or did not."),
    Listed("schedule", "operate", "schedule", "When jobs run: list, switch, look ahead, history."),
)


def listed(name: str) -> Listed | None:
    """Find a command by name."""
    return next((command for command in COMMANDS if command.name == name), None)
