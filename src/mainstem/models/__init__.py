# SPDX-License-Identifier: Apache-2.0
"""Models and seeds: transforms in SQL and Python, from file to asset to step.

Lazy: what a project that did not change loads stays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.models.check_file import CheckFile, load_check
    from mainstem.models.command.declaration import command_asset, is_command
    from mainstem.models.command.definition import Command
    from mainstem.models.command.scripts import Scripts, script_stamps, scripts_are_current
    from mainstem.models.command.step import CommandStep, Host
    from mainstem.models.compiled import CompiledSql, compiled_sql
    from mainstem.models.dask.opening import open_dask
    from mainstem.models.definition import RawCheck, Reference, Seed, SqlModel
    from mainstem.models.properties import Properties, PropertyIndex, load_properties
    from mainstem.models.python.assemble import (
        PythonAsset,
        output_keys,
        python_assets,
        resolved_check,
    )
    from mainstem.models.python.checks_dsl import (
        accepted_values,
        between,
        expression,
        not_null,
        null,
        regex,
        relationships,
        row_count,
        sql,
        unique,
    )
    from mainstem.models.python.context import Context, ItemFailed
    from mainstem.models.python.current import is_current
    from mainstem.models.python.declaration import asset, check, multi_asset, sensor
    from mainstem.models.python.definition import Discovered, PythonCheck, PythonModel, PythonSensor
    from mainstem.models.quarantine import Rule
    from mainstem.models.remote.executor import RemoteExecutor
    from mainstem.models.remote.worker import RemoteWorker
    from mainstem.models.resolved import resolve_inputs
    from mainstem.models.seed import SeedStep, load_seed, seed_key
    from mainstem.models.sql_draft import Draft, Surroundings, draft_sql_model, key_of
    from mainstem.models.sql_model import Understood, sql_asset, understand
    from mainstem.models.sql_step import SqlStep
    from mainstem.models.worker.discovery import discover
    from mainstem.models.worker.foreground import Foreground
    from mainstem.models.worker.gate import PythonGate
    from mainstem.models.worker.looking import look
    from mainstem.models.worker.pool import WorkerPool
    from mainstem.models.worker.port import StepExecutor
    from mainstem.models.worker.step import PythonStep

_HOME = {
    "CheckFile": "check_file",
    "Command": "command.definition",
    "CommandStep": "command.step",
    "CompiledSql": "compiled",
    "Context": "python.context",
    "ItemFailed": "python.context",
    "Discovered": "python.definition",
    "Properties": "properties",
    "PropertyIndex": "properties",
    "PythonAsset": "python.assemble",
    "PythonCheck": "python.definition",
    "PythonGate": "worker.gate",
    "PythonModel": "python.definition",
    "PythonSensor": "python.definition",
    "Foreground": "worker.foreground",
    "Host": "command.step",
    "PythonStep": "worker.step",
    "RawCheck": "definition",
    "Reference": "definition",
    "RemoteExecutor": "remote.executor",
    "RemoteWorker": "remote.worker",
    "Rule": "quarantine",
    "Scripts": "command.scripts",
    "Seed": "definition",
    "SeedStep": "seed",
    "SqlModel": "definition",
    "SqlStep": "sql_step",
    "StepExecutor": "worker.port",
    "Surroundings": "sql_draft",
    "WorkerPool": "worker.pool",
    "accepted_values": "python.checks_dsl",
    "asset": "python.declaration",
    "between": "python.checks_dsl",
    "check": "python.declaration",
    "command_asset": "command.declaration",
    "compiled_sql": "compiled",
    "discover": "worker.discovery",
    "draft_sql_model": "sql_draft",
    "Draft": "sql_draft",
    "expression": "python.checks_dsl",
    "is_command": "command.declaration",
    "is_current": "python.current",
    "key_of": "sql_draft",
    "load_check": "check_file",
    "load_properties": "properties",
    "load_seed": "seed",
    "look": "worker.looking",
    "multi_asset": "python.declaration",
    "not_null": "python.checks_dsl",
    "null": "python.checks_dsl",
    "open_dask": "dask.opening",
    "output_keys": "python.assemble",
    "python_assets": "python.assemble",
    "regex": "python.checks_dsl",
    "relationships": "python.checks_dsl",
    "resolve_inputs": "resolved",
    "resolved_check": "python.assemble",
    "row_count": "python.checks_dsl",
    "script_stamps": "command.scripts",
    "scripts_are_current": "command.scripts",
    "seed_key": "seed",
    "sensor": "python.declaration",
    "sql": "python.checks_dsl",
    "sql_asset": "sql_model",
    "understand": "sql_model",
    "Understood": "sql_model",
    "unique": "python.checks_dsl",
}

__all__ = [
    "CheckFile",
    "Command",
    "CommandStep",
    "CompiledSql",
    "Context",
    "Discovered",
    "Draft",
    "Foreground",
    "Host",
    "ItemFailed",
    "Properties",
    "PropertyIndex",
    "PythonAsset",
    "PythonCheck",
    "PythonGate",
    "PythonModel",
    "PythonSensor",
    "PythonStep",
    "RawCheck",
    "Reference",
    "RemoteExecutor",
    "RemoteWorker",
    "Rule",
    "Scripts",
    "Seed",
    "SeedStep",
    "SqlModel",
    "SqlStep",
    "StepExecutor",
    "Surroundings",
    "Understood",
    "WorkerPool",
    "accepted_values",
    "asset",
    "between",
    "check",
    "command_asset",
    "compiled_sql",
    "discover",
    "draft_sql_model",
    "expression",
    "is_command",
    "is_current",
    "key_of",
    "load_check",
    "load_properties",
    "load_seed",
    "look",
    "multi_asset",
    "not_null",
    "null",
    "open_dask",
    "output_keys",
    "python_assets",
    "regex",
    "relationships",
    "resolve_inputs",
    "resolved_check",
    "row_count",
    "script_stamps",
    "scripts_are_current",
    "seed_key",
    "sensor",
    "sql",
    "sql_asset",
    "understand",
    "unique",
]

__getattr__ = lazily(__name__, _HOME)
