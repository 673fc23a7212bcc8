"""`schedule` and `run --job`: what they print, and what they change."""

import pytest


@pytest.fixture
def scheduled(built):
    settings = built / "mainstem.yml"
    settings.write_text(
        "name: shop\n"
        "jobs:\n"
        "  nightly: {select: +total, cron: 0 3 * * *, zone: Europe/Berlin}\n"
        "  late: {select: big, every: 6h, enabled: false}\n"
        "  adhoc: {select: shop.orders, publish: all_or_nothing}\n"
    )
    return built


def test_schedules_are_listed_with_their_next_tick(scheduled, mainstem):
    done = mainstem("schedule", "list")

    nightly, late = done.out.splitlines()[1:]
    assert nightly.split()[:2] == ["nightly", "on"]
    assert "03:00:00" in nightly
    assert "Europe/Berlin" in nightly
    assert late.split()[:2] == ["late", "off"]


def test_a_schedule_is_switched(scheduled, mainstem):
    assert mainstem("schedule", "off", "nightly").out.splitlines()[1].split()[1] == "off"
    assert mainstem("schedule", "on", "late").code == 0

    states = {item["name"]: item["is_on"] for item in mainstem("schedule", "--json").document}
    assert states == {"nightly": False, "late": True}


def test_next_ticks_are_shown_in_the_zone_and_in_utc(scheduled, mainstem):
    lines = mainstem("schedule", "next", "nightly", "--count", "2").out.splitlines()

    assert len(lines) == 2
    assert all("03:00:00" in line and line.endswith("UTC") for line in lines)


def test_a_dry_run_shows_the_plan_and_launches_nothing(scheduled, mainstem):
    (scheduled / "data/orders.csv").write_text("id,customer,amount\n9,zoe,90\n")

    done = mainstem("schedule", "dry-run", "nightly")

    assert "schedule nightly" in done.out
    assert "+total" in done.out
    assert "read" in done.out
    assert mainstem("schedule", "ticks", "--json").document == []


def test_a_name_that_is_no_schedule_is_told_with_the_nearest(scheduled, mainstem):
    done = mainstem("schedule", "next", "nightli")

    assert done.code == 1
    assert "A2205" in done.err
    assert "nightly" in done.err


def test_a_job_is_run_by_hand(scheduled, mainstem):
    (scheduled / "data/orders2.csv").write_text("id,customer,amount\n9,zoe,90\n")

    done = mainstem("run", "--job", "adhoc", "--json")

    assert done.code == 0
    assert done.objects[-1]["published"] == ["shop.orders"]


def test_a_job_takes_no_other_selection(scheduled, mainstem):
    assert "A2207" in mainstem("run", "--job", "adhoc", "big").err
    assert "A2206" in mainstem("run", "--job", "adhok").err


def test_a_job_that_selects_nothing_is_an_error_of_the_project(built, mainstem):
    (built / "mainstem.yml").write_text("name: shop\njobs:\n  nightly: {select: no_such}\n")

    done = mainstem("plan")

    assert done.code == 1
    assert "mainstem.yml:3" in done.err


def test_a_job_runs_with_its_own_environment_and_variables(built, mainstem):
    (built / "mainstem.yml").write_text(
        "name: shop\n"
        "default_environment: prod\n"
        "environments: {prod: {branch: main}, dev: {branch: dev}}\n"
        "jobs:\n"
        "  trial: {select: big, environment: dev, vars: {least: 20}}\n"
    )
    (built / "models/big.sql").write_text(
        "select id, customer, amount from shop.orders where amount > {{ var('least', 10) }}"
    )

    done = mainstem("run", "--job", "trial", "--json")

    assert done.code == 0, done.out
    assert done.objects[-1]["branch"] == "dev"
    count = mainstem("query", "select count(*) as n from big", "--branch", "dev", "--json")
    assert count.document == [{"n": 1}]


def test_a_job_runs_the_partitions_that_it_names(built, mainstem):
    (built / "mainstem.yml").write_text(
        "name: shop\njobs:\n  last: {select: regions, cron: 0 3 * * *, partition: latest}\n"
    )
    (built / "models/regions.sql").write_text(
        "/* ---\nmaterialized: incremental\n"
        "partitions: {static: [eu, us, asia], column: region}\n--- */\n"
        "select * from (values ('eu', 1), ('us', 2), ('asia', 3)) as given(region, n)"
    )

    tried = mainstem("schedule", "dry-run", "last")
    done = mainstem("run", "--job", "last")

    assert (tried.code, done.code) == (0, 0), done.err
    rows = mainstem("query", "select region from regions", "--json").document
    assert rows == [{"region": "asia"}]
