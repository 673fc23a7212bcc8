# SPDX-License-Identifier: Apache-2.0
"""The step that builds Python assets: what a worker needs to know, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mainstem.errors import InternalError, MainstemError, ModelInvalid, Where
from mainstem.graph import Asset
from mainstem.models.partition_rows import partition_write, require_own_rows
from mainstem.models.python.assemble import PythonAsset
from mainstem.models.python.context import Partition
from mainstem.models.python.definition import Parameter, PythonModel
from mainstem.models.quarantine import Rule
from mainstem.models.worker.exchange import Exchange
from mainstem.models.worker.fanout import FanOut
from mainstem.models.worker.message import (
    Answer,
    Asked,
    Build,
    Built,
    Expected,
    Facts,
    Failed,
    Given,
    ItemEnded,
    MapItems,
    Mode,
    Noted,
    Told,
    Written,
)
from mainstem.models.worker.output import Stream
from mainstem.models.worker.pool import WorkerPool
from mainstem.models.worker.port import StepExecutor
from mainstem.runs import (
    PartitionSlice,
    Pending,
    StepContext,
    StepOutcome,
    layout_for,
    required_condition,
)
from mainstem.types import (
    AssetKey,
    Operation,
    Provenance,
    Relation,
    Schema,
    TableRef,
    TableWrite,
    ViewRef,
    WriteTarget,
    plural,
)

RulesOf = Callable[[Schema], Sequence[Rule]]


class PythonStep:
    """Builds the assets of one function in a process of its own.

    Args:
        assets: One, or all of a `multi_asset`, as `python_assets` made them.
        executor: What carries it out: worker processes of this machine, or Dask.
        effects: Assets that write nothing; parameters that name them receive `None`.
        is_full_rebuild: All rows are built anew, of increments too; as the plan says.
        quarantine: For an asset, what gives the rules by which rows of a schema are set aside.
        variables: Of the project, for `context.vars`.
    """

    def __init__(
        self,
        assets: Sequence[Asset],
        executor: StepExecutor,
        *,
        effects: Collection[AssetKey] = (),
        is_full_rebuild: bool = False,
        quarantine: Callable[[Asset], RulesOf | None] | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        first = assets[0].definition
        assert isinstance(first, PythonAsset), "assets of the kind python"
        self._model = first.model
        self._assets = {asset.key: asset for asset in assets}
        self._executor = executor
        self._effects = frozenset(effects)
        self._is_full_rebuild = is_full_rebuild
        self._rules = {
            asset.key: rules
            for asset in assets
            if quarantine is not None and (rules := quarantine(asset)) is not None
        }
        self._variables = dict(variables or {})
        self.outputs = tuple(self._assets)
        self.inputs = assets[0].inputs

    def execute(self, context: StepContext) -> StepOutcome:
        """Send the function to a worker, give it places to write to, and say what it wrote."""
        talk = self._talk(context)
        return talk.outcome(
            lambda: self._executor.run(
                talk.request,
                asset=talk.asset,
                answer=talk.answer,
                log=talk.log,
                cancel=context.cancel,
            )
        )

    def begin(self, context: StepContext) -> Pending | None:
        """Send a function that neither reads nor writes tables to a worker of ours that idles."""
        if not (self._is_light and isinstance(self._executor, WorkerPool)):
            return None
        talk = self._talk(context)
        exchange = self._executor.begin(
            talk.request, asset=talk.asset, answer=talk.answer, log=talk.log, cancel=context.cancel
        )
        return None if exchange is None else _Begun(talk, exchange)

    @property
    def _is_light(self) -> bool:
        """Whether its request is made without looking at the lake."""
        model = self._model
        return (
            model.this is None
            and all(asset.materialized == "none" for asset in self._assets.values())
            and all(
                each.form == "nothing" or each.key in self._effects for each in model.parameters
            )
        )

    def _talk(self, context: StepContext) -> _Talk:
        attempt = _Attempt(
            self._assets, context, self._rules, starts_over=self._starts_over(context)
        )
        fan_out = FanOut(
            self._executor, context, asset=str(self.outputs[0]), code=self._model.code.digest
        )
        return _Talk(self._request(context), attempt, fan_out, model=self._model, context=context)

    def _request(self, context: StepContext) -> Build:
        model = self._model
        starts_over = self._starts_over(context)
        expected = tuple(
            _expected(asset, context, starts_over=starts_over) for asset in self._assets.values()
        )
        given = [self._given(each, context) for each in model.parameters]
        if model.this is not None:
            current = expected[0].current
            relations = () if current is None else _closure(current, context)
            given.append(Given(parameter="this", form=model.this, relations=relations))
        return Build(
            file=model.file,
            function=model.function,
            outputs=expected,
            code=model.code.digest,
            given=tuple(given),
            facts=facts_of(context, self._variables, starts_over=starts_over),
            takes_context=model.takes_context,
            is_effect=all(asset.materialized == "none" for asset in self._assets.values()),
            is_multi=model.is_multi,
            may_return_nothing=model.returns == "unknown" and not model.is_multi,
        )

    def _starts_over(self, context: StepContext) -> bool:
        return context.full_refresh or self._is_full_rebuild

    def _given(self, parameter: Parameter, context: StepContext) -> Given:
        key = parameter.key
        assert key is not None, "names were resolved when the asset was made"
        if parameter.form == "nothing" or key in self._effects:
            return Given(parameter=parameter.name, form="nothing")
        relation = context.relation(key)
        if parameter.form == "reference" and isinstance(relation, ViewRef):
            where = Where(file=self._model.file, line=self._model.line, asset=str(self.outputs[0]))
            raise ModelInvalid(
                "A7117",
                f"Parameter `{parameter.name}` of {where.asset} asks for a TableRef, "
                f"but {key} is a view: it has no files.",
                hint="Annotate it duckdb.DuckDBPyRelation, or materialize the view as a table.",
                where=where,
            )
        return Given(
            parameter=parameter.name, form=parameter.form, relations=_closure(relation, context)
        )


class _Talk:
    """What is said about one request, and what comes of it."""

    def __init__(
        self,
        request: Build,
        attempt: _Attempt,
        fan_out: FanOut,
        *,
        model: PythonModel,
        context: StepContext,
    ) -> None:
        self._context = context
        self.request = request
        self.asset = str(request.outputs[0].key)
        self._attempt = attempt
        self._fan_out = fan_out
        self._model = model

    def answer(self, message: Any) -> object | None:
        match message:
            case MapItems():
                return self._fan_out.answer(message)
            case ItemEnded():
                self._fan_out.ended(message)
                return None
            case _:
                return self._attempt.answer(message)

    def log(self, text: str, stream: Stream) -> None:
        self._context.log(text, stream=stream)

    def outcome(self, see_through: Callable[[], Answer]) -> StepOutcome:
        """Turn the last answer into what the run is told."""
        try:
            last = see_through()
            if isinstance(last, Failed):
                raise last.error
        except MainstemError as error:
            if error.where is None:
                error.where = Where(file=self._model.file, line=self._model.line, asset=self.asset)
            raise
        finally:
            self._fan_out.close()
        if not isinstance(last, Built):
            raise InternalError("A9072", f"{self.asset} was answered with {type(last).__name__}.")
        return self._attempt.outcome(last)


class _Begun:
    """Meets `Pending`: a request that a worker has, and nobody waits for."""

    def __init__(self, talk: _Talk, exchange: Exchange) -> None:
        self.fileno = exchange.fileno
        self.hear = exchange.hear
        self._talk = talk
        self._exchange = exchange

    def finish(self) -> StepOutcome:
        return self._talk.outcome(self._exchange.finish)


class _Attempt:
    """What one attempt asks for and writes."""

    def __init__(
        self,
        assets: Mapping[AssetKey, Asset],
        context: StepContext,
        rules: Mapping[AssetKey, RulesOf],
        *,
        starts_over: bool,
    ) -> None:
        self._assets = assets
        self._context = context
        self._rules = rules
        self._rejects = {key.quarantine: key for key in rules}
        self._starts_over = starts_over
        self._targets: dict[AssetKey, tuple[WriteTarget, Mode]] = {}

    def answer(self, message: Any) -> object | None:
        match message:
            case Asked(key=key, schema=schema):
                return self._tell(key, schema)
            case Noted(is_progress=True):
                self._context.progress(rows=message.rows, note=message.text)
            case Noted():
                self._context.log(message.text)
            case _:
                pass
        return None

    def outcome(self, built: Built) -> StepOutcome:
        changes = tuple(self._change(each) for each in built.written if each.key in self._targets)
        unchanged = tuple(each.key for each in built.written if each.key not in self._targets)
        warnings: tuple[str, ...] = ()
        if built.returned_nothing:
            warnings = (
                "returned None and wrote nothing; annotate it `-> None` if it is an effect",
            )
        return StepOutcome(
            changes=changes,
            rows={each.key: each.rows for each in built.written if each.key in self._assets},
            unchanged=unchanged,
            notes=tuple(
                f"{plural(each.rows, 'row')} quarantined in {each.key}"
                for each in built.written
                if each.key in self._rejects and each.rows
            ),
            warnings=warnings,
            usage=built.usage,
        )

    def _tell(self, key: AssetKey, schema: Schema) -> Told:
        try:
            return self._told(key, schema)
        except MainstemError as error:
            return Told(error=error)

    def _told(self, key: AssetKey, schema: Schema) -> Told:
        asset = self._assets[self._rejects.get(key, key)]
        mode = _mode(asset, self._context, starts_over=self._starts_over)
        slice_ = self._context.partition
        replaces = mode == "overwrite"
        if key in self._rejects and (mode != "overwrite" or slice_ is not None):
            replaces = not isinstance(self._context.current(key), TableRef)
            # What those of partitions replace is found when they are committed.
            mode = "overwrite" if replaces and slice_ is None else "append"
        layout = asset.partition_by if key == asset.key else ()
        if slice_ is not None and key == asset.key:
            required_condition(slice_.rows, schema, key)
            layout = layout_for(asset, schema)
        target = self._context.target(key, schema, partition_by=layout, replaces=replaces)
        self._targets[key] = (target, mode)
        if key not in self._rules:
            return Told(target=target)
        rejects = key.quarantine
        rules = self._rules[key](target.schema)
        return Told(
            target=target,
            rules=tuple((rule.check_id, rule.predicate) for rule in rules),
            rejects=rejects,
            clears_rejects=(mode == "overwrite" or slice_ is not None)
            and self._context.current(rejects) is not None,
        )

    def _change(self, written: Written) -> TableWrite:
        target, mode = self._targets[written.key]
        asset = self._assets.get(written.key)
        slice_ = self._context.partition
        if slice_ is not None and asset is not None:
            require_own_rows(asset, slice_, target, written.added)
            return partition_write(asset, target, written.added)
        # Other partitions may have set rows aside since; those commute.
        is_onto = mode != "overwrite" and slice_ is None
        current = self._context.current(written.key) if is_onto else None
        operation: Operation = mode
        return TableWrite(
            key=written.key,
            operation=operation,
            provenance=Provenance(origin="derived", data_version=""),
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
            added=written.added,
            removed=written.removed,
            partitions=written.partitions,
            row_key=asset.row_key if asset is not None else (),
            base_version=current.data_version if current is not None else "",
        )


def facts_of(
    context: StepContext, variables: Mapping[str, Any], *, starts_over: bool = False
) -> Facts:
    """Gather what the function's `context` tells; `starts_over`: of the step, if not of the run."""
    return Facts(
        run_id=context.run_id,
        attempt=context.attempt,
        logical_time=context.logical_time,
        environment=context.environment,
        branch=context.branch,
        full_refresh=context.full_refresh or starts_over,
        partition=partition_of(context.partition),
        variables=variables,
    )


def partition_of(slice_: PartitionSlice | None) -> Partition | None:
    """Give what a function may know of the partitions that it builds."""
    if slice_ is None:
        return None
    start, end = slice_.window or (None, None)
    return Partition(key=slice_.text, start=start, end=end, keys=slice_.keys)


def closure_of(relation: Relation, find: Callable[[AssetKey], Relation]) -> tuple[Relation, ...]:
    """Give a relation last, and before it, inputs first, all that it reads if it is a view."""
    found: dict[AssetKey, Relation] = {}

    def visit(each: Relation) -> None:
        if isinstance(each, ViewRef):
            for key in each.inputs:
                if key not in found:
                    visit(find(key))
        found[each.key] = each

    visit(relation)
    return tuple(found.values())


def _closure(relation: Relation, context: StepContext) -> tuple[Relation, ...]:
    return closure_of(relation, context.relation)


def _expected(asset: Asset, context: StepContext, *, starts_over: bool) -> Expected:
    is_kept = asset.materialized == "incremental" and not starts_over
    current = context.current(asset.key) if is_kept else None
    return Expected(
        key=asset.key,
        mode=_mode(asset, context, starts_over=starts_over),
        row_key=asset.row_key,
        current=current if isinstance(current, TableRef) else None,
    )


def _mode(asset: Asset, context: StepContext, *, starts_over: bool) -> Mode:
    """Tell how the rows meet those that are there."""
    if context.partition is not None:
        # Each partition has files of its own; what they replace is told when they are written.
        return "overwrite" if context.partition.starts_over else "append"
    if asset.materialized != "incremental" or starts_over:
        return "overwrite"
    if not isinstance(context.current(asset.key), TableRef):
        return "overwrite"
    definition = asset.definition
    assert isinstance(definition, PythonAsset), "assets of the kind python"
    strategy: Mode = definition.options.strategy
    return strategy
