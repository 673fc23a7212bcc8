# SPDX-License-Identifier: Apache-2.0
"""Failures and alerts through the API."""

import pytest

import mainstem
from mainstem.api import application

SETTINGS = """name: shop
alerts:
  team: {type: webhook, url: 'http://127.0.0.1:9/${TOKEN}', on: [failed, recovered]}
"""
BROKEN = "/* ---\nmaterialized: table\nowner: ann\n--- */\nselect error('out of cheese') as x\n"
FAILURES = """{ failures(%s) { id asset branch kind code title message owner runs firstRun lastRun
  goodRun fixedRun fixedAt } }"""


@pytest.fixture
def failed(folder, calling, configure):
    (folder / ".env").write_text("TOKEN=correct-horse-battery\n")
    configure(SETTINGS)
    (folder / "models/marts/broken.sql").write_text(BROKEN)
    with mainstem.open(folder) as project:
        assert project.run().status == "failed"
        yield calling(application(project)), project


def test_a_failure_is_one_however_often_it_came(failed):
    api, project = failed
    project.run()

    (found,) = api.ask(FAILURES % "isOpen: true")["failures"]

    assert (found["asset"], found["branch"], found["owner"]) == ("marts.broken", "main", "ann")
    assert (found["runs"], found["firstRun"], found["lastRun"]) == (2, 2, 3)
    assert "out of cheese" in found["message"]
    assert found["fixedRun"] is None
    assert api.ask(FAILURES % 'branch: "dev"') == {"failures": []}


def test_a_failure_that_is_mended_says_since_when(failed, folder, calling):
    (folder / "models/marts/broken.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect 1 as x\n"
    )
    with mainstem.open(folder) as project:
        project.run()
        api = calling(application(project))
        (all_of_them,) = api.ask(FAILURES % "first: 10")["failures"]

        assert all_of_them["fixedRun"] == 3
        assert api.ask(FAILURES % "isOpen: true") == {"failures": []}


def test_alerts_are_told_with_how_they_are_on_their_way(failed):
    api, _project = failed

    found = api.ask(
        "{ alerts { id alert event run body status attempts error sentAt }"
        " alertRules { name type events jobs environments windowSeconds remindSeconds } }"
    )

    (message,) = found["alerts"]
    assert (message["alert"], message["event"], message["run"]) == ("team", "failed", 2)
    assert message["status"] == "PENDING"
    assert message["body"]["items"][0]["asset"] == "marts.broken"
    assert found["alertRules"][0]["events"] == ["failed", "recovered"]
    assert "correct-horse" not in str(found)


def test_a_receiver_that_cannot_be_reached_is_said_to_be(failed):
    api, _project = failed

    found = api.ask('mutation { testAlert(name: "team") { isSent error } }')["testAlert"]

    assert found["isSent"] is False
    assert found["error"]
    assert "correct-horse" not in str(found)
    assert api.refused('mutation { testAlert(name: "nobody") { isSent } }')["code"] == "A1095"
