# SPDX-License-Identifier: Apache-2.0
"""Every word that a record can hold has its value in the schema: a new one fails here first."""

import re
from pathlib import Path
from typing import get_args

import pytest

import mainstem
from mainstem.api.graphql import asset, backfill, check, launch, plan, run, trigger
from mainstem.automation.record import Outcome, TriggerKind
from mainstem.graph import Action, Kind, Materialization
from mainstem.runs.event import RunStatus, StepStatus
from mainstem.service.backfill.machine import Order
from mainstem.state import BackfillStatus, LaunchStatus, Origin
from mainstem.types.check import Severity, Verdict

RUNS = Path(mainstem.__file__).parent / "runs"
NOTED = {
    word
    for file in RUNS.glob("*.py")
    for word in re.findall(r"book\.note\(index, \"(\w+)\"\)", file.read_text())
}


@pytest.mark.parametrize(
    ("words", "enum"),
    [
        ({*get_args(StepStatus), *NOTED}, run.StepStatus),
        ({*get_args(RunStatus), "running", "crashed"}, run.RunStatus),
        (get_args(LaunchStatus), launch.LaunchStatus),
        (get_args(Origin), launch.LaunchOrigin),
        (get_args(BackfillStatus), backfill.BackfillStatus),
        (get_args(Order), backfill.BackfillOrder),
        (get_args(Action), plan.PlanAction),
        (get_args(Kind), asset.AssetKind),
        (get_args(Materialization), asset.Materialization),
        (get_args(Verdict), check.Verdict),
        (get_args(Severity), check.Severity),
        (get_args(Outcome), trigger.TickOutcome),
        (get_args(TriggerKind), trigger.TriggerKind),
    ],
)
def test_every_word_has_its_value(words, enum):
    assert set(words) <= {each.value for each in enum}


def test_steps_are_noted_while_they_go_on():
    assert {"running", "staged"} <= NOTED
