"""`why`: the stored facts behind a run, or behind none."""

from datetime import UTC, datetime, timedelta

import pytest

import mainstem as library
from mainstem.state import LaunchRequest, enqueue


def answer(mainstem, asset):
    found = mainstem("why", asset, "--json").document
    return (
        [(fact["kind"], fact["text"]) for fact in found["last"]],
        [(fact["kind"], fact["text"]) for fact in found["next"]],
    )


def test_what_ran_is_told_up_to_its_source_and_its_command(built, mainstem):
    last, _ = answer(mainstem, "total")

    assert last[0][0] == "step"
    assert last[0][1].startswith("built in run 1")
    assert [kind for kind, _ in last[1:-1]] == ["upstream"] * len(last[1:-1])
    assert any("shop.orders was read" in text for _, text in last)
    assert last[-1] == ("trigger", "run 1 was started by hand, by a command")


def test_what_never_ran_says_so_and_what_may_run_it(shop, mainstem):
    last, ahead = answer(mainstem, "total")

    assert last == [("run", "no run on main has had to do with it")]
    assert ("stale", "main has no version of it") in ahead
    assert ("job", "the project has no jobs") in ahead


def test_a_check_that_held_an_asset_is_named_for_it_and_for_its_readers(built, mainstem):
    (built / "models/big.sql").write_text(
        "/* ---\nmaterialized: table\nchecks: [{row_count: {min: 100}}]\n--- */\n"
        "select id, customer, amount from shop.orders where amount > 15"
    )
    assert mainstem("run").code == 2

    held, _ = answer(mainstem, "big")
    below, _ = answer(mainstem, "total")

    assert any(kind == "check" and "row_count" in text for kind, text in held)
    assert any(kind == "check" and "row_count" in text for kind, text in below)


def test_an_error_is_told(built, mainstem):
    (built / "models/total.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect cast('x' || count(*) as integer) as n from big"
    )
    mainstem("run")

    last, _ = answer(mainstem, "total")

    assert any(kind == "error" and "main.total failed" in text for kind, text in last)


def test_schedules_that_select_it_are_told_on_off_or_none(built, mainstem):
    (built / "mainstem.yml").write_text(
        "name: shop\n"
        "jobs:\n"
        "  nightly: {select: +total, cron: 0 3 * * *}\n"
        "  paused: {select: total, cron: 0 4 * * *, enabled: false}\n"
        "  adhoc: {select: total}\n"
    )

    _, ahead = answer(mainstem, "total")
    texts = [text for _, text in ahead]

    assert "schedule nightly selects it, and no server has seen it yet" in texts
    assert "schedule paused selects it, and is off" in texts
    assert "job adhoc selects it, and has no schedule" in texts


def test_what_no_job_selects_says_so(built, mainstem):
    (built / "mainstem.yml").write_text("name: shop\njobs: {orders: {select: shop.orders}}\n")

    assert ("job", "no job selects it") in answer(mainstem, "total")[1]


def test_a_reverted_version_is_told(built, mainstem):
    head = mainstem("log", "--json").document[0]["id"]
    mainstem("revert", head)

    _, ahead = answer(mainstem, "total")
    assert any(kind == "reverted" and head[:8] in text for kind, text in ahead)


@pytest.mark.parametrize(
    ("request_of", "says"),
    [
        (
            {
                "origin": "schedule",
                "source": "nightly",
                "cause": {"tick": "2026-01-01T03:00:00+00:00", "timing": "0 3 * * * (UTC)"},
            },
            "tick 2026-01-01T03:00:00+00:00 of schedule nightly, 0 3 * * * (UTC)",
        ),
        ({"origin": "sensor", "source": "letters", "run_key": "7"}, "sensor letters"),
        ({"origin": "webhook", "source": "orders", "cause": {"delivery": 3}}, "delivery 3"),
        (
            {"origin": "condition", "cause": {"facts": {"main.total": ["main.big was updated"]}}},
            "main.big was updated",
        ),
        ({"origin": "api", "source": "ann"}, "asked for by ann"),
    ],
)
def test_a_launch_is_followed_to_what_caused_it(request_of, says, built, mainstem):
    with library.open(built) as project, project.services.database.write() as transaction:
        launch = enqueue(transaction, LaunchRequest(**request_of), now=datetime.now(UTC))
        transaction.execute(
            "update launch set run_id = 1, status = 'succeeded' where id = ?", (launch,)
        )

    last, _ = answer(mainstem, "total")

    assert says in last[-1][1]


def test_a_launch_that_waits_is_told(built, mainstem):
    later = datetime.now(UTC) + timedelta(hours=1)
    with library.open(built) as project, project.services.database.write() as transaction:
        request = LaunchRequest(origin="manual", select=("total",), not_before=later)
        enqueue(transaction, request, now=datetime.now(UTC))

    _, ahead = answer(mainstem, "total")

    assert any(kind == "waiting" and "not before" in text for kind, text in ahead)
    assert answer(mainstem, "shop.orders")[1] == [("job", "the project has no jobs")]


def test_an_unknown_asset_is_told_with_the_nearest(built, mainstem):
    done = mainstem("why", "totl")

    assert (done.code, "total" in done.err) == (1, True)


def test_the_answer_reads_from_effect_to_cause(built, mainstem):
    lines = mainstem("why", "total").out.splitlines()

    assert lines[0] == "main.total · branch main"
    assert [line for line in lines if not line.startswith(" ")][1:] == ["last", "next"]
