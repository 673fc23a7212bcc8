# SPDX-License-Identifier: Apache-2.0
"""How each kind of asset becomes a step, and its checks become gates: where the kinds meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mainstem import models  # what parses SQL is imported for SQL only
from mainstem.checks import gates_of, quarantine_predicate
from mainstem.config import Variables
from mainstem.errors import InternalError
from mainstem.graph import Asset, PlannedAsset
from mainstem.ingest import FileStep
from mainstem.models import PythonAsset, PythonGate, PythonStep, Rule
from mainstem.project.ephemeral import EphemeralViews, InlinedGate
from mainstem.project.loaded import LoadedProject
from mainstem.project.services import Services
from mainstem.runs import Gate, Step
from mainstem.types import Schema


class Steps:
    """Makes steps and gates of one loaded project."""

    def __init__(
        self, loaded: LoadedProject, services: Services, variables: Variables, *, folder: Path
    ) -> None:
        self._loaded = loaded
        self._services = services
        self._variables = variables
        self._folder = folder
        self.ephemeral = EphemeralViews(loaded.graph, lambda: services.engine, services.clock)

    def step_of(self, asset: Asset, planned: PlannedAsset) -> Step:
        """Make the step that does what the plan says."""
        engine = self._services.engine
        rules = _rules(asset)
        match asset.kind:
            case "sql":
                return models.SqlStep(
                    asset,
                    models.compiled_sql(asset, self._loaded.graph.assets),
                    engine,
                    is_full_rebuild=planned.is_full_rebuild,
                    quarantine=rules,
                )
            case "python":
                return self._python_step(asset, planned)
            case "command":
                return self._command_step(asset, planned)
            case "file":
                return FileStep(
                    asset,
                    engine,
                    project_folder=self._folder,
                    expand=self._variables.expand,
                    quarantine=rules,
                )
            case "seed":
                return models.SeedStep(asset, engine, folder=self._folder)
            case "external":
                raise InternalError("A9010", f"{asset.key} is not built by this project.")

    def gates_of(self, asset: Asset) -> Sequence[Gate]:
        """Make the gates of an asset, and those of ephemeral models that are part of it."""
        inlined = [
            InlinedGate(gate, asset.key, self.ephemeral)
            for model in self.ephemeral.read_by(asset)
            for gate in self.own_gates_of(model)
        ]
        return [*self.own_gates_of(asset), *inlined]

    def own_gates_of(self, asset: Asset) -> list[Gate]:
        """Make the gates written for an asset: in YAML and SQL, and in Python."""
        gates: list[Gate] = list(
            gates_of(
                asset.checks,
                engine=self._services.engine,
                resolve_name=self._loaded.graph.resolve,
                clock=self._services.clock,
            )
        )
        judges = [judge for judge in self._loaded.judges if judge.key == asset.key]
        variables = self._loaded.environment.vars
        gates += [
            PythonGate(judge, self._services.workers, variables=variables) for judge in judges
        ]
        return gates

    def _python_step(self, asset: Asset, planned: PlannedAsset) -> PythonStep:
        graph = self._loaded.graph
        members = [asset]
        if asset.group:
            members = [graph[key] for key in graph.order if graph[key].group == asset.group]
        effects = [key for key in asset.inputs if graph[key].materialized == "none"]
        definition = members[0].definition
        assert isinstance(definition, PythonAsset), "members of a group are of one kind"
        return PythonStep(
            members,
            self._services.executor(definition.options.executor),
            effects=effects,
            is_full_rebuild=planned.is_full_rebuild,
            quarantine=_rules,
            variables=self._loaded.environment.vars,
        )

    def _command_step(self, asset: Asset, planned: PlannedAsset) -> models.CommandStep:
        graph, services = self._loaded.graph, self._services
        return models.CommandStep(
            asset,
            models.Host(
                engine=services.engine,
                folder=self._folder,
                variables=self._variables,
                hide=services.shared.hide,
                redactor=services.shared.redactor,
                clock=services.clock,
            ),
            rowless=[
                key
                for key in asset.inputs
                if key in graph and graph[key].materialized in {"none", "ephemeral"}
            ],
            is_full_rebuild=planned.is_full_rebuild,
            quarantine=_rules(asset),
        )


def _rules(asset: Asset) -> Callable[[Schema], Sequence[Rule]] | None:
    specs = [spec for spec in asset.checks if spec.quarantine]
    if not specs:
        return None

    def rules(schema: Schema) -> list[Rule]:
        found = [(spec, quarantine_predicate(spec, schema)) for spec in specs]
        return [
            Rule(check_id=spec.title, predicate=predicate) for spec, predicate in found if predicate
        ]

    return rules
