# SPDX-License-Identifier: Apache-2.0
"""Build a Python model in this process, as a run would but for the lake and the worker.

Inputs arrive in their annotated forms, rows are written as Parquet, checks are evaluated on those.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainstem.checks import evaluate_all, gates_of, parse_checks
from mainstem.engines import open_engine
from mainstem.errors import AssetNotFound, ModelInvalid, Where
from mainstem.models import Context
from mainstem.models.python.declaration import Declaration, declaration_of
from mainstem.models.python.definition import Form
from mainstem.models.python.plain import ASSET_OPTIONS, plain
from mainstem.models.python.signature import Signature, signature_of
from mainstem.models.worker.frames import convert, from_rows, pieces
from mainstem.models.worker.message import Build, Expected, Facts, Given, Told, Written
from mainstem.models.worker.sink import write_all
from mainstem.testing.tables import TableLab
from mainstem.types import (
    AssetKey,
    CheckResult,
    Provenance,
    Relation,
    Schema,
    TableRef,
    TableWrite,
    WriteTarget,
    dataclass,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a model gave."""

    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    """By asset key; one, unless it is a multi_asset; none for an effect."""
    checks: tuple[CheckResult, ...] = ()
    """Results of the checks in its decorator."""

    @property
    def table(self) -> pa.Table:
        """The rows, in the types that the lake would store."""
        (only,) = self.tables.values()
        return only

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    @property
    def failed_checks(self) -> tuple[str, ...]:
        """Names of the checks that did not pass, whatever their severity."""
        return tuple(
            result.check_id.partition("/")[2]
            for result in self.checks
            if result.verdict not in {"passed", "proven"}
        )


def build(function: Callable[..., Any], /, **given: Any) -> Built:
    """Build a model from rows.

    Args:
        function: Decorated with `@asset` or `@multi_asset`.
        given: For each parameter rows as dicts, or anything that a model may return; they arrive in
            the annotated form. `context` may be a `mainstem.Context`; `this` is `None` by default.

    Raises:
        ModelInvalid: The function is not decorated, or its signature or options are wrong.
        TypeError: A parameter is missing, or there is no such parameter.
        StepFailed: What it returned has no rows.

    Example:
        >>> build(delays, flights=[{"month": 1, "dep_delay": 9999}]).failed_checks
        ('between(mean_delay)',)
    """
    declaration = declaration_of(function)
    if declaration is None or declaration.kind == "check":
        raise ModelInvalid(
            "A7103",
            f"{getattr(function, '__name__', function)} is not decorated with @asset.",
            hint="Pass the decorated function itself.",
        )
    with tempfile.TemporaryDirectory(prefix="mainstem-") as folder:
        return _Building(function, declaration, Path(folder)).run(given)


class _NeverCancelled:
    is_cancelled = False

    def on_cancel(self, stop: Callable[[], None]) -> Callable[[], None]:
        return stop


class _Building:
    """One call of `build`; its files go with it."""

    def __init__(
        self, function: Callable[..., Any], declaration: Declaration, folder: Path
    ) -> None:
        self._function = function
        self._folder = folder
        name = getattr(function, "__name__", "model")
        self._where = Where(file=inspect.getfile(function), asset=name)
        options = plain(declaration.options, ASSET_OPTIONS, where=self._where)
        self._signature = signature_of(function, options.get("inputs", {}), where=self._where)
        self._is_multi = declaration.kind == "multi_asset"
        self._options = (
            {_key(key, name): {**options, **each} for key, each in declaration.outputs.items()}
            if self._is_multi
            else {_key(options.get("key"), name): options}
        )
        self._labs = {key: TableLab(self._place(key), key=str(key)) for key in self._options}
        self._targets: dict[AssetKey, WriteTarget] = {}
        self._inputs: dict[AssetKey, pa.Table] = {}

    def run(self, given: Mapping[str, Any]) -> Built:
        result = self._function(**self._arguments(given, self._signature))
        if result is None and self._signature.returns != "data" and not self._is_multi:
            return Built()
        request = Build(
            file=self._where.file,
            function=self._where.asset,
            outputs=tuple(Expected(key=key, mode="overwrite") for key in self._options),
            facts=Facts(),
            is_multi=self._is_multi,
        )
        for written in write_all(request, result, self._told, self._folder):
            self._commit(written)
        tables = {str(key): lab.rows() for key, lab in self._labs.items()}
        return Built(tables=tables, checks=tuple(self._checked()))

    def _arguments(self, given: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
        arguments = dict(given)
        if signature.takes_context:
            arguments.setdefault("context", Context())
        if signature.this is not None:
            rows = arguments.get("this")
            arguments["this"] = None if rows is None else self._formed("this", rows, signature.this)
        for each in signature.parameters:
            if each.name not in given:
                raise TypeError(f"build() got no rows for `{each.name}` of {self._where.asset}")
            if each.form == "nothing":
                continue
            rows = _as_table(given[each.name])
            self._inputs[_key(each.source, each.source)] = rows
            arguments[each.name] = self._formed(each.name, rows, each.form)
        return arguments

    def _formed(self, parameter: str, rows: Any, form: Form) -> Any:
        table = _as_table(rows)
        if form == "reference":
            return self._written(AssetKey("inputs", parameter), table)
        return convert(table, Given(parameter=parameter, form=form))

    def _written(self, key: AssetKey, table: pa.Table) -> TableRef:
        lab = TableLab(self._place(key), key=str(key))
        lab.write("overwrite", table)
        return lab.ref()

    def _place(self, key: AssetKey) -> Path:
        place = self._folder / key.folded
        place.mkdir(exist_ok=True)
        return place

    def _told(self, key: AssetKey, schema: Schema) -> Told:
        target = self._labs[key].target(schema, replaces=True)
        self._targets[key] = target
        return Told(target=target)

    def _commit(self, written: Written) -> None:
        lab = self._labs[written.key]
        target = self._targets[written.key]
        lab.commit(
            TableWrite(
                key=written.key,
                operation="overwrite",
                provenance=Provenance(origin="manual", data_version="built"),
                schema=target.schema,
                spec=target.spec,
                table_id=target.table_id,
                added=written.added,
            )
        )

    def _checked(self) -> Iterator[CheckResult]:
        specs = [
            spec
            for key, options in self._options.items()
            for spec in parse_checks(options.get("checks", []), key, file=self._where.file)
        ]
        if not specs:
            return
        engine = open_engine("duckdb", temp_directory=self._folder / "tmp")
        try:
            gates = gates_of(specs, engine=engine, resolve_name=self._resolve)
            yield from evaluate_all(gates, self._relation, _NeverCancelled())
        finally:
            engine.close()

    def _resolve(self, name: str, *, namespace: str, where: Where | None) -> AssetKey:
        """Give the output or input that a check means; the namespace of an input is not known."""
        bare = name.rpartition(".")[2].casefold()
        for key in (*self._options, *self._inputs):
            if bare == key.name.casefold() or name.casefold() == key.folded:
                return key
        raise AssetNotFound(
            "A2003",
            f"`{name}` is neither built nor given here.",
            hint=f"A check in {namespace} reads it: give its rows to build().",
            where=where,
        )

    def _relation(self, key: AssetKey) -> Relation:
        if key in self._labs:
            return self._labs[key].ref()
        return self._written(key, self._inputs[key])


def _key(written: object, name: str) -> AssetKey:
    text = written if isinstance(written, str) and written else name
    return AssetKey.parse(text) if "." in text else AssetKey("main", text)


def _as_table(rows: Any) -> pa.Table:
    if isinstance(rows, list | tuple):
        return from_rows(rows) if rows else pa.table({})
    return pa.concat_tables(list(pieces(rows)), promote_options="permissive")
