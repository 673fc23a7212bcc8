# SPDX-License-Identifier: Apache-2.0
"""From an entry under `assets:` that has a `command` or a `shell` to an asset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from mainstem.config import COMMAND_OPTIONS
from mainstem.errors import MainstemError, ModelInvalid, Where, united
from mainstem.graph import Asset, Names
from mainstem.models.command.definition import Command, variable_of
from mainstem.models.command.scripts import Scripts, find_scripts, words_in
from mainstem.models.options import Merged, Written, merge, names_in
from mainstem.models.properties import Properties
from mainstem.models.settled import Settled, settle
from mainstem.types import AssetKey

_OUTPUT_ONLY = (
    "materialized",
    "row_key",
    "strategy",
    "partition_by",
    "partitions",
    "on_code_change",
    "upstream",
)


def is_command(properties: Properties) -> bool:
    """Tell whether an entry says how its asset is built.

    Raises:
        ModelInvalid: It has options of commands, but no command (A2070).
    """
    if properties.section != "assets":
        return False
    options = properties.options
    if options.get("command") is not None or options.get("shell") is not None:
        return True
    stray = [name for name in options if name in COMMAND_OPTIONS]
    if stray:
        raise ModelInvalid(
            "A2070",
            f"`{stray[0]}` says how {properties.name} is built, but there is no `command`.",
            hint="Add `command: [program, argument]`, or write the option where the asset is.",
            where=properties.written.where(stray[0]),
        )
    return False


def command_asset(
    properties: Properties,
    names: Names,
    *,
    folder: Path,
    folder_options: Mapping[str, Any] | None = None,
) -> Asset:
    """Make the asset of one entry.

    Args:
        properties: The entry, for which `is_command` holds.
        names: What names mean in the project.
        folder: The project's: scripts are looked for there.
        folder_options: Of mainstem.yml's `models:` for the file.

    Raises:
        ModelInvalid: Options that contradict each other (A2070), or of a wrong kind.
        AssetNotFound: An input or one of `deps` is no asset.
    """
    key = AssetKey.parse(properties.name)
    problems: list[MainstemError] = []
    merged = _merged(properties, folder_options or {})
    settled = settle(merged, "", problems)
    problems += _contradictions(key, merged)
    scripts = _scripts(merged, folder, problems)
    if problems:
        raise united(problems)
    command = _command(merged, settled, scripts, key, names)
    inputs = tuple(dict.fromkeys(command.inputs.values()))
    where = replace(properties.where, asset=str(key))
    deps = [names.resolve(name, namespace=key.namespace, where=where) for name in settled.deps]
    parts = _parts(command, settled)
    return replace(
        settled.asset,
        key=key,
        kind="command",
        materialized=settled.materialized if command.output is not None else "none",
        inputs=inputs,
        after=tuple(dep for dep in dict.fromkeys(deps) if dep not in inputs),
        code_version=_digest(parts),
        code_text_hash=_digest(parts),
        volatile=_volatile(command, settled),
        file=properties.where.file,
        line=properties.where.line,
        columns=settled.columns,
        change_summary=parts,
        definition=command,
    )


def _merged(properties: Properties, folder_options: Mapping[str, Any]) -> Merged:
    """Lay the entry over its folder's options; what a folder materializes is meant for SQL."""
    below = {name: value for name, value in folder_options.items() if name != "materialized"}
    own = dict(properties.written.values)
    own.pop("key", None)  # of the asset; the rows' is `row_key`
    if own.get("row_key") is not None:
        own["key"] = own["row_key"]
    layers = (
        Written(values={"materialized": "table"}),
        Written(values=below, file="mainstem.yml"),
        replace(properties.written, values=own),
    )
    return merge(layers, file=properties.where.file)


def _contradictions(key: AssetKey, merged: Merged) -> list[MainstemError]:
    values = merged.values

    def fault(name: str, summary: str, hint: str) -> ModelInvalid:
        return ModelInvalid("A2070", summary, hint=hint, where=merged.where(name))

    found: list[MainstemError] = []
    argv = values.get("command")
    if argv is not None and values.get("shell") is not None:
        found.append(
            fault("shell", f"{key} has both `command` and `shell`.", "Keep the one that is meant.")
        )
    elif not (argv or str(values.get("shell") or "").strip()):
        name = "command" if argv is not None else "shell"
        found.append(fault(name, f"`{name}` of {key} is empty.", "Say what is to be run."))
    if values.get("output") in {None, "none"}:
        # What a folder says of its models' layout is not said of an effect.
        own = [name for name in _OUTPUT_ONLY if name in merged.homes and _is_own(merged, name)]
        found += [
            fault(
                name,
                f"`{name}` has no meaning for {key}: its command gives no table.",
                "Add `output: parquet` (or csv, jsonl, arrow), and write that file.",
            )
            for name in own
        ]
    return found


def _is_own(merged: Merged, name: str) -> bool:
    return merged.homes[name].document is not None


def _scripts(merged: Merged, folder: Path, problems: list[MainstemError]) -> Scripts:
    globs = names_in(merged.values.get("files"))
    for glob in globs:
        if glob.startswith("/") or ".." in glob.split("/"):
            problems.append(
                ModelInvalid(
                    "A2071",
                    f"`files` has `{glob}`, which leads out of the project.",
                    hint="Write a path or glob relative to the project folder.",
                    where=merged.where("files"),
                )
            )
            return Scripts()
        if not find_scripts(folder, (), (glob,)).found:
            problems.append(
                ModelInvalid(
                    "A2071",
                    f"`files` has `{glob}`, but no file of the project matches it.",
                    hint="Globs are relative to the project folder: scripts/**/*.R.",
                    where=merged.where("files"),
                )
            )
    argv = names_in(merged.values.get("command"))
    words = argv or words_in(str(merged.values.get("shell") or ""))
    return find_scripts(folder, words, globs)


def _command(
    merged: Merged, settled: Settled, scripts: Scripts, key: AssetKey, names: Names
) -> Command:
    values = merged.values
    output = values.get("output")
    return Command(
        argv=names_in(values.get("command")),
        shell=str(values.get("shell") or ""),
        inputs=_inputs(merged, key, names),
        input_format=values.get("input_format") or "parquet",
        output=None if output in {None, "none"} else output,
        env={str(name): _text(value) for name, value in (values.get("env") or {}).items()},
        skip_codes=tuple(values.get("skip_exit_codes") or ()),
        scripts=scripts,
        strategy=settled.strategy,
        types={name: str(of["type"]) for name, of in settled.columns.items() if of.get("type")},
    )


def _inputs(merged: Merged, key: AssetKey, names: Names) -> dict[str, AssetKey]:
    written = merged.values.get("inputs")
    if isinstance(written, Mapping):
        named = {str(name): str(asset) for name, asset in written.items()}
    else:
        named = {name.rpartition(".")[2]: name for name in names_in(written)}
    where = replace(merged.where("inputs"), asset=str(key))
    _refuse_equal_names(named, names_in(written), where)
    return {
        name: names.resolve(asset, namespace=key.namespace, where=where)
        for name, asset in named.items()
    }


def _refuse_equal_names(named: Mapping[str, str], written: tuple[str, ...], where: Where) -> None:
    variables = {variable_of(name) for name in named}
    if len(variables) < max(len(named), len(written) if len(written) > 1 else 0):
        raise ModelInvalid(
            "A2070",
            f"Two inputs of {where.asset} would be called by one name.",
            hint="Name them: `inputs: {new: raw.flights, old: archive.flights}`.",
            where=where,
        )


def _parts(command: Command, settled: Settled) -> dict[str, str]:
    return {
        "command": _digest(_shape(command)),
        "config": settled.digest,
        **{f"files.{path}": digest for path, digest in command.scripts.found.items()},
    }


def _shape(command: Command) -> dict[str, Any]:
    """Give what makes its rows; what is secret is here as it is written, never its value."""
    return {
        "argv": command.argv,
        "shell": command.shell,
        "inputs": {name: str(key) for name, key in command.inputs.items()},
        "formats": [command.input_format, command.output],
        "env": command.env,
        "types": command.types,
    }


def _volatile(command: Command, settled: Settled) -> str:
    if settled.asset.volatile:
        return settled.asset.volatile
    if settled.asset.rebuild_after_s is not None:
        return ""
    if command.output is None:
        return "an effect: its command gives no table"
    if command.inputs or settled.rebuild == "on_change":
        return ""
    return "a command without inputs: nothing tells whether its result would be the same"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _digest(value: Any) -> str:
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
