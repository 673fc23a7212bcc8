# SPDX-License-Identifier: Apache-2.0
"""`rebuild: 1d` and `fresh_for=`: the age of the last build decides, and plan says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import mainstem as package
from mainstem.types import SystemClock

BY_THE_CLOCK = """\
/* ---
materialized: table
rebuild: 1d
--- */
select 1 as id, random() as r
"""
RATES = """\
from mainstem import asset


@asset(fresh_for="6h")
def rates():
    return [{"currency": "EUR", "rate": 1.1}]
"""


class Shifted:
    """The machine's clock, some hours back."""

    def __init__(self, hours):
        self._back = timedelta(hours=hours)

    def now(self):
        return datetime.now(UTC) - self._back

    def __getattr__(self, name):
        return getattr(SystemClock(), name)


@pytest.fixture
def run_before(folder):
    """Run the project in this folder as it was some hours ago."""

    def run(hours):
        with package.open(folder, clock=Shifted(hours)) as project:
            return {str(step.key): step.status for step in project.run().steps}

    return run


@pytest.fixture
def clocked(folder):
    (folder / "models").mkdir()
    (folder / "mainstem.yml").write_text("name: clocked\n")
    (folder / "models/noise.sql").write_text(BY_THE_CLOCK)
    return folder


def _planned(mainstem):
    done = mainstem("plan", "--json")
    assert done.code == 0, done.err
    return {item["key"]: (item["action"], item["reason"]) for item in done.document["assets"]}


def test_a_model_is_built_anew_once_its_last_build_is_too_old(clocked, mainstem, run_before):
    run_before(26)

    assert _planned(mainstem) == {"main.noise": ("build", "built 26 hours ago, `rebuild: 1d`")}
    assert mainstem("run").code == 0
    assert _planned(mainstem)["main.noise"][0] == "fresh"


def test_a_model_is_left_alone_while_it_is_young_though_its_text_is_volatile(
    clocked, mainstem, run_before
):
    run_before(23)

    assert _planned(mainstem)["main.noise"][0] == "fresh"
    (clocked / "models/noise.sql").write_text(BY_THE_CLOCK.replace("1 as id", "2 as id"))
    assert _planned(mainstem)["main.noise"][0] == "build"


def test_a_python_source_is_fresh_for_its_time(clocked, mainstem, run_before):
    (clocked / "models/noise.sql").unlink()
    (clocked / "models/rates.py").write_text(RATES)
    run_before(7)

    before = _planned(mainstem)
    assert mainstem("run").code == 0

    assert before == {"main.rates": ("build", "built 7 hours ago, `fresh_for: 6h`")}
    assert _planned(mainstem)["main.rates"][0] == "fresh"
    assert mainstem("plan", "--fresh", "--json").document["assets"][0]["action"] == "build"


def test_an_effect_goes_by_the_clock(clocked, mainstem, run_before):
    (clocked / "models/noise.sql").unlink()
    text = (
        "from mainstem import asset\n\n@asset(rebuild='1d')\ndef mail() -> None:\n    print('hi')\n"
    )
    (clocked / "models/mail.py").write_text(text)
    first = run_before(30)

    assert first == {"main.mail": "built"}
    assert _planned(mainstem) == {"main.mail": ("build", "built 30 hours ago, `rebuild: 1d`")}
    assert mainstem("run").code == 0
    assert _planned(mainstem)["main.mail"][0] == "fresh"
