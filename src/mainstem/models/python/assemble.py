# SPDX-License-Identifier: Apache-2.0
"""Make assets of what was discovered: options merged, names resolved, identity hashed.

Imports no user code and no vendor, so that a project that did not change loads fast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from mainstem.errors import ModelInvalid, Where
from mainstem.graph import Asset, Materialization, Names
from mainstem.models.definition import RawCheck
from mainstem.models.python.definition import Output, Parameter, PythonCheck, PythonModel
from mainstem.models.python.options import Options, merged, parse_options
from mainstem.types import AssetKey, dataclass, layout_text

Layers = Callable[[AssetKey], tuple[Mapping[str, Any], ...]]
"""Options of an asset from outside its file, weakest first: mainstem.yml, property YAML."""

_OF_DATA = ("materialized", "row_key", "strategy", "upstream_mutable")


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonAsset:
    """Definition of assets of the kind `python`."""

    model: PythonModel
    """With the key of each parameter filled in."""
    key: AssetKey
    options: Options
    checks: tuple[RawCheck, ...] = ()


def output_keys(model: PythonModel) -> tuple[AssetKey, ...]:
    """Give the keys of a model's assets, so that names can be resolved before assets are made."""
    return tuple(_key(model, output) for output in model.outputs)


def python_assets(
    model: PythonModel,
    names: Names,
    *,
    layers: Layers | None = None,
    variables: Mapping[str, Any] | None = None,
) -> tuple[Asset, ...]:
    """Make the assets of one model: one, or those of a `multi_asset`, which share a group.

    Args:
        model: As discovered.
        names: What names mean in the project.
        layers: Options from outside the file; by default there are none.
        variables: Of the project; those that the code reads become part of its identity.

    Raises:
        ModelInvalid: Options of the wrong kind, or that contradict each other.
        AssetNotFound: A parameter or `deps` that is no asset, with the nearest ones.
    """
    keys = output_keys(model)
    namespace = keys[0].namespace
    where = _where(model, keys[0])
    parameters = tuple(_resolved(each, names, namespace, where) for each in model.parameters)
    # `deps` may say twice what a parameter says: reading orders already.
    inputs = _distinct(each.key for each in parameters if each.form != "nothing")
    ordering = [each.key for each in parameters if each.form == "nothing"]
    deps = [names.resolve(dep, namespace=namespace, where=where) for dep in model.deps]
    after = tuple(key for key in _distinct([*ordering, *deps]) if key not in inputs)
    known = replace(model, parameters=parameters)
    made = _Made(inputs, after, str(keys[0]) if model.is_multi else "", variables or {})
    found = tuple(
        _asset(known, output, key, made, outer=layers(key) if layers is not None else ())
        for output, key in zip(model.outputs, keys, strict=True)
    )
    _require_same_partitions(found, where)
    return found


def resolved_check(check: PythonCheck, names: Names) -> PythonCheck:
    """Fill in which assets a check and its parameters mean.

    Raises:
        AssetNotFound: One of them is no asset.
    """
    where = Where(file=check.file, line=check.line, asset=check.asset, excerpt=check.excerpt)
    key = names.resolve(check.asset, namespace=check.namespace, where=where)
    parameters = []
    for each in check.parameters:
        # The checked asset is meant by its own name, wherever others of that name are.
        own = each.source.casefold() == key.name.casefold()
        parameters.append(
            replace(each, key=key) if own else _resolved(each, names, key.namespace, where)
        )
    return replace(check, key=key, parameters=tuple(parameters))


@dataclass(frozen=True, slots=True)
class _Made:
    """What the assets of one function have in common."""

    inputs: tuple[AssetKey, ...]
    after: tuple[AssetKey, ...]
    group: str
    variables: Mapping[str, Any]


def _asset(
    model: PythonModel,
    output: Output,
    key: AssetKey,
    made: _Made,
    *,
    outer: tuple[Mapping[str, Any], ...],
) -> Asset:
    where = _where(model, key)
    raw = merged(*outer, output.options)
    if raw.get("materialized") == "view" and "materialized" not in output.options:
        raw["materialized"] = "table"  # said of a folder, it is meant for its SQL models
    options = parse_options(raw, where=where)
    materialized = _materialized(model, options, where)
    _refuse_partitions(options, materialized, where)
    columns = raw.get("columns")
    configuration = {name: getattr(options, name) for name in _OF_DATA} | {
        "materialized": materialized,
        "partition_by": layout_text(options.partition_by),
        "inputs": {each.name: (str(each.key), each.form) for each in model.parameters},
        "this": model.this,
        **({"partitions": options.partitions.shape()} if options.partitions is not None else {}),
    }
    read = _variables_read(model.code.variables, made.variables)
    parts = {"rows": model.code.digest, "config": _digest(configuration)}
    if read:
        parts["variables"] = _digest(read)
    return Asset(
        key=key,
        kind="python",
        materialized=materialized,
        inputs=made.inputs,
        after=made.after,
        code_version=_digest(parts),
        code_text_hash=_digest([model.code.text_digest, parts["config"], read]),
        volatile=_volatile(materialized, made.inputs, options),
        rebuild_after_s=options.rebuild_after_s,
        rebuild_rule=options.rebuild_rule,
        on_code_change=options.on_code_change,
        upstream_mutable=options.upstream_mutable,
        execution=options.execution,
        row_key=options.row_key,
        partition_by=options.partition_by,
        partitions=options.partitions,
        group=made.group,
        tags=tuple(dict.fromkeys(options.tags)),
        owner=options.owner,
        run_when=options.run_when,
        freshness=options.freshness,
        description=options.description or model.doc,
        file=model.file,
        line=model.line,
        columns=columns if isinstance(columns, Mapping) else {},
        change_summary=parts,
        definition=PythonAsset(
            model=model, key=key, options=options, checks=_checks(raw, outer, model)
        ),
    )


def _key(model: PythonModel, output: Output) -> AssetKey:
    if "." in output.written:
        return AssetKey.parse(output.written)
    namespace = output.options.get("namespace") or model.namespace
    return AssetKey(str(namespace), output.written)


def _resolved(each: Parameter, names: Names, namespace: str, where: Where) -> Parameter:
    return replace(each, key=names.resolve(each.source, namespace=namespace, where=where))


def _distinct(keys: Any) -> tuple[AssetKey, ...]:
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _refuse_partitions(options: Options, materialized: Materialization, where: Where) -> None:
    if options.partitions is not None and materialized == "none":
        raise ModelInvalid(
            "A7103",
            f"{where.asset} has `partitions`, but is an effect, which writes no rows.",
            hint="Give it a function of its own that returns its rows.",
            where=where,
        )


def _require_same_partitions(assets: Sequence[Asset], where: Where) -> None:
    """One call builds a partition of all outputs, so they must agree which rows that is."""
    first = assets[0]
    for asset in assets[1:]:
        if asset.partitions != first.partitions:
            raise ModelInvalid(
                "A7103",
                f"{first.key} and {asset.key} are built by one function, and their `partitions` "
                "differ.",
                hint="Give all outputs of a multi_asset the same `partitions`, column included.",
                where=where,
            )


def _materialized(model: PythonModel, options: Options, where: Where) -> Materialization:
    if model.returns == "nothing" or options.materialized == "none":
        if model.returns == "data":
            raise ModelInvalid(
                "A7103",
                f"{where.asset} is `materialized: none`, but is annotated to return data.",
                hint="Annotate it `-> None`, or leave `materialized` out.",
                where=where,
            )
        return "none"
    return options.materialized


def _volatile(materialized: str, inputs: tuple[AssetKey, ...], options: Options) -> str:
    if options.rebuild == "always":
        return "`rebuild: always`"
    if options.rebuild_after_s is not None:
        return ""
    if materialized == "none":
        return "an effect: it returns None"
    if inputs or options.rebuild == "on_change":
        return ""
    return "Python without inputs: nothing tells whether its result would be the same"


def _variables_read(names: tuple[str, ...], variables: Mapping[str, Any]) -> Mapping[str, Any]:
    if "*" in names:
        return dict(variables)
    return {name: variables.get(name) for name in names}


def _checks(
    raw: Mapping[str, Any], outer: tuple[Mapping[str, Any], ...], model: PythonModel
) -> tuple[RawCheck, ...]:
    """Give the entries written in the file; those of property YAML carry their own places."""
    before = sum(len(_list(layer.get("checks", []))) for layer in outer)
    entries = _list(raw.get("checks", []))[before:]
    return tuple(RawCheck(entry=each, file=model.file, line=model.line) for each in entries)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _where(model: PythonModel, key: AssetKey) -> Where:
    return Where(file=model.file, line=model.line, asset=str(key), excerpt=model.excerpt)


def _digest(value: Any) -> str:
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.sha256(text).hexdigest()
