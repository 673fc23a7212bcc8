# SPDX-License-Identifier: Apache-2.0
"""Queries over a built project: each answers, and how often the database is asked is fixed."""

from contextlib import contextmanager

import pytest

import mainstem
from mainstem.api import application
from mainstem.service import Backfills

PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"


def test_a_project_is_served_from_the_database_that_it_says(project, database):
    assert project.services.database.url.startswith(database)


def test_the_project_is_told(api):
    found = api.ask(
        "{ project { id name environment branch readingRef commit assetCount problems { code }"
        " environments { name branch isDefault } } version { mainstem python duckdb } }"
    )

    assert found["project"]["name"] == "shop"
    assert found["project"]["assetCount"] == 3
    assert found["project"]["problems"] == []
    assert len(found["project"]["commit"]) == 32
    assert found["project"]["environments"] == [
        {"name": "local", "branch": "main", "isDefault": True}
    ]


def test_assets_are_told_with_what_the_lake_and_runs_know(api):
    found = api.ask(
        "{ assets { nodes { id key kind materialized description inputs readers isBuilt isStale"
        " rowCount sizeBytes builtByRun checkCount lastStep { run status action rowCount }"
        " checks { title last { verdict run } } } totalCount } }"
    )["assets"]

    assert found["totalCount"] == 3
    orders = found["nodes"][1]
    assert orders["key"] == "staging.orders"
    assert orders["inputs"] == ["raw.orders"]
    assert orders["readers"] == ["marts.large"]
    assert (orders["rowCount"], orders["isBuilt"], orders["isStale"]) == (3, True, False)
    assert orders["lastStep"] == {"run": 1, "status": "BUILT", "action": "build", "rowCount": 3}
    assert {check["title"]: check["last"]["verdict"] for check in orders["checks"]} == {
        "not_null(id)": "PROVEN",
        "row_count": "PROVEN",
    }
    assert found["nodes"][2]["rowCount"] is None


def test_a_stale_asset_is_marked(api, project, folder):
    (folder / "models/staging/orders.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect id, customer, amount * 2 as amount "
        "from raw.orders\n"
    )
    (folder / "data/orders.csv").write_text("id,customer,amount\n9,eve,90\n")
    project.run(["raw.orders"])

    nodes = api.ask("{ assets { nodes { key isStale } } }")["assets"]["nodes"]

    assert [node["key"] for node in nodes if node["isStale"]] == ["staging.orders"]


def test_pages_follow_each_other_without_a_gap(api):
    seen, after = [], None
    for _ in range(3):
        found = api.ask(
            f"query ($after: String) {{ assets(first: 2, after: $after) {{ nodes {{ key }} "
            f"{PAGE} }} }}",
            {"after": after},
        )["assets"]
        seen += [node["key"] for node in found["nodes"]]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break

    assert seen == ["raw.orders", "staging.orders", "marts.large"]
    assert found["pageInfo"]["hasPreviousPage"] is True


@pytest.mark.parametrize("after", ["eA", "!!", "", "cmF3Lm9yZGVycy0"])
def test_a_cursor_of_another_list_is_refused(api, after):
    query = "query ($after: String) { assets(after: $after) { totalCount } }"

    assert api.refused(query, {"after": after})["code"] == "A8118"


@pytest.mark.parametrize("first", [0, -1, 1001])
def test_a_page_size_that_cannot_be_is_refused(api, first):
    query = "query ($first: Int!) { runs(first: $first) { nodes { number } } }"

    assert api.refused(query, {"first": first})["code"] == "A8113"


def test_one_asset_is_told_in_detail(api):
    found = api.ask(
        '{ asset(key: "staging.orders") { key dataVersion columns { name type } compiledSql'
        " steps { run status elapsedSeconds sizeBytes } commits { shortId run message }"
        " asset { file tags } } }"
    )["asset"]

    assert [(each["name"], each["type"]) for each in found["columns"]] == [
        ("id", "long"),
        ("customer", "string"),
        ("amount", "long"),
    ]
    assert "raw" in found["compiledSql"]
    assert [each["status"] for each in found["steps"]] == ["BUILT"]
    assert [each["run"] for each in found["commits"]] == [1]
    assert found["asset"]["file"] == "models/staging/orders.sql"


def test_an_unknown_asset_is_an_error_with_fields(api):
    found = api.refused('{ asset(key: "staging.ordres") { key } }')

    assert found["code"] == "A1075" or found["code"].startswith("A")
    assert "staging.orders" in found["hint"]
    assert found["retryable"] is False


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("orders", ("ASSET", "raw.orders")),
        ("sold", ("ASSET", "staging.orders")),
        ("staging customer", ("COLUMN", "staging.orders.customer")),
        ("main", ("BRANCH", "main")),
    ],
)
def test_search_finds_names_and_descriptions(api, text, first):
    found = api.ask("query ($t: String!) { search(text: $t) { kind name } }", {"t": text})

    assert (found["search"][0]["kind"], found["search"][0]["name"]) == first


def test_lineage_is_laid_out(api):
    found = api.ask(
        "{ lineage { nodes { id layer x y asset { kind } } edges { source target points { x y } }"
        " width height } }"
    )["lineage"]

    assert {node["id"]: node["layer"] for node in found["nodes"]} == {
        "raw.orders": 0,
        "staging.orders": 1,
        "marts.large": 2,
    }
    assert [(edge["source"], edge["target"]) for edge in found["edges"]] == [
        ("raw.orders", "staging.orders"),
        ("staging.orders", "marts.large"),
    ]
    assert found["width"] == 2


def test_columns_have_a_lineage(api):
    found = api.ask(
        '{ columnLineage(asset: "marts.large", column: "amount") '
        "{ nodes { id column layer note } edges { source target } } }"
    )["columnLineage"]

    assert [node["id"] for node in sorted(found["nodes"], key=lambda node: node["layer"])] == [
        "raw.orders.amount",
        "staging.orders.amount",
        "marts.large.amount",
    ]


def test_a_plan_says_what_and_why(api):
    found = api.ask(
        '{ plan(select: ["staging.orders"], options: {rebuild: true}) '
        "{ branch assets { asset action reason isFullRebuild } } }"
    )["plan"]

    assert found["branch"] == "main"
    assert [(item["asset"], item["action"]) for item in found["assets"]] == [
        ("staging.orders", "BUILD")
    ]
    assert found["assets"][0]["reason"]


def test_runs_are_told_with_their_steps(api, project):
    project.run(rebuild=True)

    found = api.ask(
        "{ runs { nodes { number status branch commit elapsedSeconds options"
        " stepCounts { status count } steps { asset status } checks { check verdict }"
        " notes { kind text } } pageInfo { hasNextPage } } }"
    )["runs"]

    assert [run["number"] for run in found["nodes"]] == [2, 1]
    assert found["nodes"][0]["status"] == "SUCCEEDED"
    assert found["nodes"][0]["options"]["rebuild"] is True
    assert len(found["nodes"][1]["steps"]) == 3
    assert len(found["nodes"][1]["checks"]) == 2


def test_runs_are_filtered_and_paged(api, project):
    project.run(rebuild=True)
    page = api.ask(f"{{ runs(first: 1, status: [SUCCEEDED]) {{ nodes {{ number }} {PAGE} }} }}")
    after = page["runs"]["pageInfo"]["endCursor"]

    older = api.ask(f'{{ runs(after: "{after}") {{ nodes {{ number }} }} }}')
    none = api.ask(
        '{ runs(status: [FAILED]) { nodes { number } } b: runs(branch: "x") { nodes { number } } }'
    )

    assert page["runs"]["nodes"] == [{"number": 2}]
    assert older["runs"]["nodes"] == [{"number": 1}]
    assert none == {"runs": {"nodes": []}, "b": {"nodes": []}}


def test_a_run_that_is_not_there_is_null(api):
    assert api.ask("{ run(number: 99) { status } }") == {"run": None}


def test_a_failed_step_has_its_error(api, project, folder):
    (folder / "models/marts/broken.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect error('out of cheese') as x "
        "from staging.orders\n"
    )
    with mainstem.open(folder) as edited:
        edited.run()

    found = api.ask("{ run(number: 2) { status steps { asset status error { code summary } } } }")

    failed = {step["asset"]: step for step in found["run"]["steps"]}["marts.broken"]
    assert (found["run"]["status"], failed["status"]) == ("FAILED", "FAILED")
    assert "out of cheese" in failed["error"]["summary"]


def test_logs_go_on_where_they_were(api, project):
    writer = project.services.logs.writer(1, "staging.orders", 1)
    for number in range(5):
        writer.append("stdout", f"line {number}")
    writer.close()
    query = (
        "query ($after: String) { logs(run: 1, first: 3, after: $after) "
        "{ lines { text asset } cursor isOver } }"
    )
    first = api.ask(query, {"after": None})["logs"]
    second = api.ask(query, {"after": first["cursor"]})["logs"]
    third = api.ask(query, {"after": second["cursor"]})["logs"]

    assert [line["text"] for line in first["lines"]] == ["line 0", "line 1", "line 2"]
    assert [line["text"] for line in second["lines"]] == ["line 3", "line 4"]
    assert (third["lines"], third["isOver"]) == ([], True)


def test_logs_of_a_run_that_is_not_there_are_an_error(api):
    assert api.refused("{ logs(run: 99) { cursor } }")["code"] == "A6001"


def test_checks_are_listed_by_what_they_found(api):
    found = api.ask(
        "{ all: checks { nodes { id severity last { verdict at } } totalCount }"
        " failed: checks(verdict: [FAILED]) { totalCount } }"
    )

    assert found["all"]["totalCount"] == 2
    assert found["all"]["nodes"][0]["id"] == "staging.orders/not_null(id)"
    assert found["all"]["nodes"][0]["last"]["at"].endswith("Z")
    assert found["failed"]["totalCount"] == 0


def test_branches_tags_and_commits_are_told(api, project):
    project.lake.create_branch("dev/ann")
    project.lake.tag("v1")

    found = api.ask(
        "{ branches { name protected isCurrent head { shortId message } }"
        " tags { name commit { id } }"
        " commits { nodes { id run message } pageInfo { hasNextPage } } }"
    )

    assert [each["name"] for each in found["branches"]] == ["dev/ann", "main"]
    assert [each["isCurrent"] for each in found["branches"]] == [False, True]
    assert found["tags"][0]["commit"]["id"] == found["commits"]["nodes"][0]["id"]
    assert found["commits"]["nodes"][0]["run"] == 1
    assert found["commits"]["pageInfo"]["hasNextPage"] is False


def test_commits_are_paged(api, project):
    project.run(rebuild=True)
    page = api.ask("{ commits(first: 1) { nodes { run } pageInfo { endCursor hasNextPage } } }")
    after = page["commits"]["pageInfo"]["endCursor"]

    rest = api.ask(f'{{ commits(after: "{after}") {{ nodes {{ run message }} }} }}')

    assert page["commits"]["nodes"] == [{"run": 2}]
    assert page["commits"]["pageInfo"]["hasNextPage"] is True
    assert [each["run"] for each in rest["commits"]["nodes"]] == [1, None]


def test_states_are_compared(api, project, folder):
    (folder / "data/orders.csv").write_text("id,customer,amount\n1,ann,11\n2,bob,20\n3,,30\n")
    project.run()

    found = api.ask(
        '{ diff(before: "main~1", after: "main", assets: ["staging.orders"], rows: true) '
        "{ before after changed { asset rowsBefore rowsAfter isSameData rows { added removed "
        "sample } columns { change } } added { asset } } }"
    )["diff"]

    (change,) = found["changed"]
    assert (change["asset"], change["rowsAfter"]) == ("staging.orders", 3)
    assert (change["rows"]["added"], change["rows"]["removed"]) == (1, 1)


def test_data_is_read_with_filter_order_and_limit(api):
    found = api.ask(
        '{ data(asset: "staging.orders", filter: "amount >= 20", columns: ["id", "amount"],'
        ' order: {by: ["-amount"], offset: 1}, limit: 5)'
        " { asset commit dataVersion columns { name type } rows } }"
    )["data"]

    assert found["rows"] == [[2, 20]]
    assert [each["name"] for each in found["columns"]] == ["id", "amount"]


def test_data_has_a_limit_of_rows(api):
    found = api.refused('{ data(asset: "staging.orders", limit: 10001) { rows } }')

    assert found["code"] == "A8113"
    assert "/api/data/staging.orders" in found["hint"]


def test_profiles_cursors_settings_and_the_queue_are_told(api):
    found = api.ask(
        '{ profile(asset: "staging.orders") { column nullPercentage min max approximateUnique }'
        " cursors { asset position } settings { name value origin } queue { queued running"
        " waiting { number } } launches { number } }"
    )

    assert found["profile"][1]["column"] == "customer"
    assert found["profile"][1]["nullPercentage"] == pytest.approx(33.33)
    assert [each["asset"] for each in found["cursors"]] == ["raw.orders"]
    assert {"name": "name", "value": "shop", "origin": "mainstem.yml:1"} in found["settings"]
    assert found["queue"] == {"queued": 0, "running": 0, "waiting": []}


class Counted:
    """A database that counts its transactions, and what is asked in them."""

    def __init__(self, inner):
        self.inner = inner
        self.reads = self.statements = 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    @contextmanager
    def read(self):
        self.reads += 1
        with self.inner.read() as transaction:
            yield CountedTransaction(self, transaction)


class CountedTransaction:
    def __init__(self, database, inner):
        self.database, self.inner = database, inner

    def execute(self, sql, parameters=()):
        self.database.statements += 1
        return self.inner.execute(sql, parameters)


SCREENS = {
    "assets": "{ assets(first: 1000) { nodes { key isStale rowCount lastStep { status }"
    " checks { title last { verdict } } } } }",
    "runs": "{ runs(first: 1000) { nodes { number stepCounts { status } steps { asset error "
    "{ code } } checks { verdict } } } }",
    "lineage": "{ lineage { nodes { id asset { rowCount lastStep { status } } } } }",
    "checks": "{ checks { nodes { id last { verdict } } } }",
    "sources": "{ sources(first: 1000) { nodes { asset { rowCount lastStep { status } "
    "freshness { status } } files { totalCount } } } }",
    "freshness": "{ assets(first: 1000) { nodes { freshness { status } } } }",
    "failures": "{ failures(first: 1000) { asset owner } alerts { body } alertRules { name } }",
    "pools": "{ pools { name taken holders { run } } queue { waiting { number } } }",
    "triggers": "{ schedules { name last { outcome } } sensors { name last { outcome } } "
    "conditions { asset last { outcome } } hooks { name deliveries { number } } "
    "ticks(kind: SCHEDULE) { name } }",
    "launches": "{ launches(first: 1000) { number cause } queue { queued } }",
    "backfills": "{ backfills(first: 1000) { number target done assets { asset } launches } }",
    "branches": "{ branches { name head { id } } tags { name commit { id } } }",
}


MODEL = """/* ---
materialized: table
checks: [{not_null: id}]
run_when: eager
--- */
select id from staging.orders
"""
DAILY = """/* ---
materialized: table
partitions: {by: day, start: 2026-01-01, end: 2026-01-04, column: day}
--- */
select date '2026-01-02' as day
"""


def grow(folder, configure, more):
    """Write as many more of everything as there are screens of."""
    parts = {"jobs": "", "sensors": "", "hooks": "", "pools": ""}
    (folder / "models/marts/daily.sql").write_text(DAILY)
    for number in range(1 + more):
        name = f"more_{number}"
        (folder / f"models/marts/{name}.sql").write_text(MODEL)
        (folder / f"data/{name}.csv").write_text("id\n1\n")
        (folder / f"ingest/{name}.yml").write_text(
            "type: files\npath: data/\ninto: raw\ntables:\n"
            f"  {name}: {{files: {name}.csv, freshness: {{within: 1h}}}}\n"
        )
        parts["jobs"] += f"  {name}: {{select: [marts.large], cron: '30 2 * * *'}}\n"
        parts["sensors"] += f"  {name}: {{when: {{files: 'data/*.csv'}}, job: {name}, every: 1m}}\n"
        parts["hooks"] += f"  {name}: {{secret: sesame, job: {name}}}\n"
        parts["pools"] += f"  {name}: 2\n"
    text = "".join(f"{key}:\n{inner}" for key, inner in parts.items())
    configure(f"name: shop\n{text}")


def live(project, more):
    """Let as many more of everything happen."""
    project.run(rebuild=True)
    project.run(["staging.orders"], rebuild=True)
    backfills = Backfills(project)
    for number in range(1 + more):
        project.lake.create_branch(f"b{more}-{number}")
        project.lake.tag(f"t{more}-{number}")
        backfills.create(["marts.daily"])
        project.automation.switch(f"more_{number}", on=False)


@pytest.mark.parametrize("screen", SCREENS)
def test_how_often_the_database_is_asked_does_not_grow_with_what_there_is(
    folder, configure, screen, calling
):
    counts = []
    for more in (0, 12):
        grow(folder, configure, more)
        with mainstem.open(folder) as project:
            assert project.problems == ()
            live(project, more)
            counted = Counted(project.services.database)
            project.services.__dict__["database"] = counted
            project.lake.database = counted
            caller = calling(application(project))
            caller.ask(SCREENS[screen])
            counted.reads = counted.statements = 0
            caller.ask(SCREENS[screen])
            counts.append((counted.reads, counted.statements))

    assert counts[0] == counts[1]
    assert counts[0][0] <= 15
    assert counts[0][1] <= 40
