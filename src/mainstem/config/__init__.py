# SPDX-License-Identifier: Apache-2.0
"""The project's YAML: read with places, checked against tables of keys, kept as frozen values.

Names are loaded when first used: a project whose settings are cached imports no YAML parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.config.document import Document, load_yaml, raise_all, read_yaml
    from mainstem.config.editor import json_schema
    from mainstem.config.execution import read_execution, read_pools
    from mainstem.config.external import INGEST_EXTERNAL
    from mainstem.config.keys import (
        COMMAND_OPTIONS,
        EXECUTION_KEYS,
        INGEST_FILE,
        INGEST_FILES,
        PROPERTY_FILE,
        RUN_KEYS,
        SOURCE_TYPES,
    )
    from mainstem.config.loading import load_settings, settings_of
    from mainstem.config.origin import Setting, report
    from mainstem.config.secret import is_secret_name, secret_values, secrets_in
    from mainstem.config.settings import (
        Connection,
        Environment,
        Executor,
        ServeSettings,
        Settings,
        names_of,
    )
    from mainstem.config.shape import Keys, problems_of
    from mainstem.config.variable import MASK, Variables, load_variables

_PLACES = {
    "document": "Document load_yaml raise_all read_yaml",
    "editor": "json_schema",
    "external": "INGEST_EXTERNAL",
    "execution": "read_execution read_pools",
    "keys": "COMMAND_OPTIONS EXECUTION_KEYS INGEST_FILE INGEST_FILES PROPERTY_FILE RUN_KEYS "
    "SOURCE_TYPES",
    "loading": "load_settings settings_of",
    "origin": "Setting report",
    "secret": "is_secret_name secret_values secrets_in",
    "settings": "Connection Environment Executor ServeSettings Settings names_of",
    "shape": "Keys problems_of",
    "variable": "MASK Variables load_variables",
}
_SUBMODULES = {name: module for module, names in _PLACES.items() for name in names.split()}

# fmt: off
__all__ = [
    "COMMAND_OPTIONS", "EXECUTION_KEYS", "INGEST_EXTERNAL", "INGEST_FILE", "INGEST_FILES",
    "MASK", "PROPERTY_FILE", "RUN_KEYS", "SOURCE_TYPES",
    "Connection", "Document", "Environment", "Executor", "Keys", "ServeSettings", "Setting",
    "Settings", "Variables", "is_secret_name", "json_schema", "load_settings", "load_variables",
    "load_yaml", "names_of", "problems_of", "raise_all", "read_execution", "read_pools",
    "read_yaml", "report", "secret_values", "secrets_in", "settings_of",
]
# fmt: on

__getattr__ = lazily(__name__, _SUBMODULES)
