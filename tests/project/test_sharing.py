# SPDX-License-Identifier: Apache-2.0
"""Several open projects of one folder, as a server has them."""

from __future__ import annotations

import os

import pytest

from mainstem.project import Shared, open_project
from mainstem.runs import RunControl
from mainstem.types import SystemClock


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mainstem.yml").write_text("name: shop\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.sql").write_text("select 1 as a\n")
    return tmp_path


@pytest.fixture
def shared(folder):
    opened = Shared(folder, process=dict(os.environ), clock=SystemClock())
    yield opened
    opened.close()


def test_projects_of_a_folder_share_their_database_and_leave_it_open(folder, shared):
    first = open_project(folder, shared=shared)
    second = open_project(folder, branch="other", shared=shared)
    assert first.services.database is second.services.database

    first.close()

    assert second.runs() == []


def test_a_run_notes_its_launch_in_the_transaction_that_begins_it(folder, shared):
    project = open_project(folder, shared=shared)
    begun = []

    project.run(on_begin=lambda transaction, run_id: begun.append((transaction, run_id)))

    assert [run_id for _transaction, run_id in begun] == [1]


def test_a_launch_that_was_taken_over_begins_no_run(folder, shared):
    project = open_project(folder, shared=shared)

    def refuse(transaction, run_id):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        project.run(on_begin=refuse)
    assert project.runs() == []


def test_each_run_has_a_control_of_its_own(folder, shared):
    project = open_project(folder, shared=shared)
    control = RunControl()
    control.request_cancel()

    stopped = project.run(control=control)
    finished = project.run()

    assert (stopped.status, finished.status) == ("cancelled", "succeeded")


def test_secrets_of_all_that_share_are_masked_and_looked_up_once(tmp_path):
    shared, looks = Shared(tmp_path, process={}, clock=SystemClock()), []

    def secrets(*values):
        def look():
            looks.append(values)
            return frozenset(values)

        return look

    shared.hide(secrets("first-secret"))
    before = shared.redactor()
    shared.hide(secrets("second-secret"))
    text = shared.redactor().text("first-secret, second-secret")
    shared.hide(secrets("second-secret"))

    assert before.text("first-secret, second-secret") == "****, second-secret"
    assert text == "****, ****"
    assert shared.redactor() is shared.redactor()
    assert len(looks) == 3
