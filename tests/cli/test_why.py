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


@pytest.mark.parametrize(("is_before", "is_told"), [(False, True), (True, False)])
def test_a_launch_that_was_lost_is_told_until_the_next_run(is_before, is_told, built, mainstem):
    """`total` was built by run 1; a launch that was lost before that is over."""
    with library.open(built) as project, project.services.database.write() as transaction:
        at = datetime.now(UTC) - timedelta(hours=is_before)
        enqueue(transaction, LaunchRequest(origin="webhook", select=("total",)), now=at)
        transaction.execute(
            "update launch set status = 'lost', error = 'the server died 3 times', finished_at = ?",
            (int(at.timestamp() * 1_000_000),),
        )

    last, _ = answer(mainstem, "total")
    text = "launch 1 (webhook) is lost: the server died 3 times; it is not begun again"

    assert (("error", text) in last) == is_told
    assert all("lost" not in text for _, text in answer(mainstem, "shop.orders")[0])


def test_an_unknown_asset_is_told_with_the_nearest(built, mainstem):
    done = mainstem("why", "totl")

    assert (done.code, "total" in done.err) == (1, True)


def test_the_answer_reads_from_effect_to_cause(built, mainstem):
    lines = mainstem("why", "total").out.splitlines()

    assert lines[0] == "main.total · branch main"
    assert [line for line in lines if not line.startswith(" ")][1:] == ["last", "next"]


@pytest.fixture
def parted(folder, mainstem):
    """Daily partitions that are checked, and weekly ones of them, from four days ago on."""
    now = datetime.now(UTC).date()
    days = [now - timedelta(days=back) for back in (4, 3, 2, 1)]
    (folder / "mainstem.yml").write_text("name: shop\n")
    (folder / "models").mkdir()
    rows = ", ".join(f"(date '{day}', {number})" for number, day in enumerate(days))
    (folder / "models/daily.sql").write_text(
        f"/* ---\nmaterialized: table\nrun_when: eager\n"
        f"partitions: {{by: day, column: day, start: {days[0]}}}\n"
        f"checks: [{{row_count: {{min: 1}}}}, {{between: {{column: n, max: 2}}}}]\n--- */\n"
        f"select * from (values {rows}) as t(day, n)"
    )
    (folder / "models/copy.sql").write_text(
        f"/* ---\nmaterialized: table\n"
        f"partitions: {{by: day, column: day, start: {days[0]}}}\n--- */\nselect * from daily"
    )
    assert mainstem("run", "--partition", f"{days[0]}..{days[1]}").code == 0
    assert mainstem("run", "--partition", f"{days[3]}").code == 2
    return days


def test_a_partition_is_followed_to_its_run_and_to_what_it_reads(parted, mainstem):
    last, ahead = answer(mainstem, f"copy@{parted[0]}")

    assert last[0] == ("step", "built in run 1")
    assert ("upstream", f"it reads main.daily@{parted[0]}") in last
    assert last[-1] == ("trigger", "run 1 was started by hand, by a command")
    assert any(kind == "fresh" for kind, _ in ahead)


def test_a_partition_that_its_checks_hold_says_which(parted, mainstem):
    last, ahead = answer(mainstem, f"daily@{parted[3]}")

    assert last[0][1].startswith("held in run 2")
    assert any(kind == "check" and "held" in text for kind, text in last)
    assert any(kind == "check" and "its last attempt was held" in text for kind, text in ahead)
    assert ("stale", "main does not have it") in ahead


@pytest.mark.parametrize(("asked", "is_told"), [(0, True), (1, False), (None, True)])
def test_a_partition_names_a_lost_launch_that_was_to_build_it(
    asked, is_told, parted, folder, mainstem
):
    """Of its own day, of another, and of all."""
    partitions = {} if asked is None else {"main.copy": str(parted[asked])}
    with library.open(folder) as project, project.services.database.write() as transaction:
        at = datetime.now(UTC)
        request = LaunchRequest(origin="api", select=("copy",), partitions=partitions)
        enqueue(transaction, request, now=at)
        transaction.execute(
            "update launch set status = 'lost', error = 'the server died 3 times', finished_at = ?",
            (int(at.timestamp() * 1_000_000),),
        )

    last, _ = answer(mainstem, f"copy@{parted[0]}")

    text = "launch 1 (api) is lost: the server died 3 times; it is not begun again"
    assert (("error", text) in last) == is_told


def test_a_partition_names_those_that_it_lacks(parted, mainstem):
    last, ahead = answer(mainstem, f"copy@{parted[2]}")

    assert last == [("run", "no run on main has had to do with it")]
    text = f"it needs main.daily@{parted[2]}, which main does not have"
    assert ("upstream", text) in ahead


def test_a_partition_that_does_not_exist_says_why(parted, mainstem):
    early = answer(mainstem, f"daily@{parted[0] - timedelta(days=9)}")[1]
    late = answer(mainstem, f"daily@{parted[3] + timedelta(days=1)}")[1]

    assert early == [("outside", f"partitions begin with {parted[0]}: it lies before")]
    (fact,) = late
    assert fact[0] == "outside"
    assert "until then it does not exist" in fact[1]


def test_a_partition_of_an_asset_without_is_refused(built, mainstem):
    assert "A1086" in mainstem("why", "total@2026-01-01").err


def test_what_is_no_key_of_a_partition_is_refused_and_lines_name_it(parted, mainstem):
    assert "A1081" in mainstem("why", "daily@soon").err
    assert mainstem("why", f"daily@{parted[0]}").out.startswith(f"main.daily@{parted[0]} ")


def test_a_partition_tells_of_the_condition_and_the_launch_that_waits(parted, folder, mainstem):
    with library.open(folder) as project:
        conditions, database = project.automation.conditions, project.services.database
        conditions.turn(database.write, datetime.now(UTC))

    last, _ = answer(mainstem, f"daily@{parted[2]}")
    _, ahead = answer(mainstem, f"daily@{parted[2]}")

    assert last[-1][0] == "condition"
    assert "is missing" in last[-1][1]
    assert any(kind == "waiting" for kind, _ in ahead)
    assert not any(kind == "waiting" for kind, _ in answer(mainstem, f"daily@{parted[0]}")[1])
