# SPDX-License-Identifier: Apache-2.0
"""Changes by mutation: what they do, which role they take, and their lines in the audit log."""

import pytest

import mainstem
from mainstem.api import application, create_token
from mainstem.project import Controlling
from mainstem.types import SystemClock

AUDIT = "{ audit { nodes { actor role action arguments result address } } }"


def names(project):
    return [ref.name for ref in project.lake.refs() if not ref.name.startswith("run/")]


def bearer(project, role):
    made = create_token(
        project.services.database, name=f"a-{role}", role=role, life="1d", clock=SystemClock()
    )
    return {"Authorization": f"Bearer {made.text}"}


def test_branches_are_made_and_deleted(api, project):
    made = api.ask('mutation { createBranch(name: "dev/ann") { name head { shortId } } }')
    gone = api.ask('mutation { deleteBranch(name: "dev/ann") { shortId } }')

    assert made["createBranch"]["head"]["shortId"] == gone["deleteBranch"]["shortId"]
    assert names(project) == ["main"]


def test_tags_are_made_and_deleted(api, project):
    api.ask('mutation { tag(name: "v1") { name } }')
    assert [ref.name for ref in project.lake.refs("tag")] == ["v1"]

    api.ask('mutation { deleteTag(name: "v1") { id } }')

    assert project.lake.refs("tag") == []


def test_a_commit_is_undone(api, project):
    made = api.ask('mutation { revert(commit: "main", message: "away with it") { message run } }')

    assert made["revert"]["message"] == "away with it"
    assert project.lake.entries("main") == {}


def test_branches_are_merged_or_said_not_to_be(api, project, folder):
    project.lake.create_branch("dev")
    (folder / "models/marts/more.sql").write_text("select 1 as one\n")
    with mainstem.open(folder, branch="dev") as dev:
        dev.run()

    dry = api.ask('mutation { mergeBranch(branch: "dev", dryRun: true) { merged commit { id } } }')
    done = api.ask(
        'mutation { mergeBranch(branch: "dev") { merged conflicts { kind } commit { message } } }'
    )

    assert dry["mergeBranch"] == {"merged": ["marts.more"], "commit": None}
    assert done["mergeBranch"]["merged"] == ["marts.more"]
    assert done["mergeBranch"]["conflicts"] == []


def test_a_launch_waits_in_the_queue_until_it_is_cancelled(api):
    query = (
        'mutation { launch(request: {select: ["+marts.large"], runKey: "k1", priority: 5, '
        "options: {rebuild: true}}) { number status select options origin source } }"
    )
    made = api.ask(query)["launch"]
    again = api.ask(query)["launch"]
    waiting = api.ask("{ queue { queued waiting { number priority runKey } } }")["queue"]
    gone = api.ask(f"mutation {{ cancel(launch: {made['number']}) {{ status }} }}")["cancel"]

    assert made["status"] == "QUEUED"
    assert (made["origin"], made["source"]) == ("API", "local")
    assert made["options"] == {"rebuild": True}
    assert again["number"] == made["number"]
    assert waiting["waiting"] == [{"number": made["number"], "priority": 5, "runKey": "k1"}]
    assert gone["status"] == "CANCELLED"


def test_a_protected_environment_takes_a_word_and_a_clean_tree(folder, calling, configure):
    configure("name: shop\nenvironments: {prod: {branch: main, protected: true}}\n")
    ask = "mutation {{ launch(request: {{{}}}) {{ number }} }}"
    with mainstem.open(folder, environment="prod") as project:
        api = calling(application(project))

        assert api.refused(ask.format('select: ["marts.large"]'))["code"] == "A1054"
        assert api.refused(ask.format('environment: "prod"'))["code"] == "A1054"
        assert api.refused(ask.format("options: {yes: true}"))["code"] == "A1080"


@pytest.mark.parametrize(
    ("request_text", "code"),
    [('select: ["marts.lrge"]', "A"), ('environment: "prdo"', "A1020")],
)
def test_a_launch_that_means_nothing_is_refused_at_once(api, request_text, code):
    found = api.refused(f"mutation {{ launch(request: {{{request_text}}}) {{ number }} }}")

    assert found["code"].startswith(code)
    assert api.ask("{ launches { number } }") == {"launches": []}


def test_a_retry_asks_for_what_was_not_done(api, project, folder):
    (folder / "models/marts/broken.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect error('no') as x from staging.orders\n"
    )
    with mainstem.open(folder) as edited:
        edited.run()

    found = api.ask("mutation { retry(run: 2) { origin select cause branch } }")["retry"]

    assert found == {
        "origin": "RETRY",
        "select": ["marts.broken"],
        "cause": {"run": 2, "status": "failed"},
        "branch": "main",
    }


def test_a_retry_asks_for_the_same_as_the_command_line(api, project, folder):
    (folder / "models/marts/broken.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect error('no') as x from staging.orders\n"
    )
    with mainstem.open(folder) as edited:
        edited.run(full_refresh=True, retries=1, retry_delay="1ms")
    fields = "source environment branch select exclude partitions options cause"

    found = api.ask(f"mutation {{ retry(run: 2) {{ {fields} }} }}")["retry"]

    asked = Controlling(project).launch_to_retry(2, source="local")
    assert found == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in ((name, getattr(asked, name)) for name in fields.split())
    }
    assert found["options"]["full_refresh"] is True
    assert found["options"]["retries"] == 1


def test_nothing_is_left_of_a_run_that_succeeded(api):
    assert api.refused("mutation { retry(run: 1) { number } }")["code"] == "A6018"


REPLAY = "mutation ($run: Int!, $asset: String!) { replay(run: $run, asset: $asset) "
REPLAY += "{ origin source branch select options cause } }"


def test_a_step_is_asked_for_once_more_on_a_branch_of_its_own(api):
    found = api.ask(REPLAY, {"run": 1, "asset": "Staging.Orders"})

    assert found["replay"] == {
        "origin": "API",
        "source": "local",
        "branch": "replay/1-staging.orders",
        "select": ["staging.orders"],
        "options": {"replay": 1},
        "cause": {"run": 1, "replay": "staging.orders"},
    }


@pytest.mark.parametrize(
    ("run", "asset", "code"),
    [
        (9, "staging.orders", "A6001"),
        (-1, "staging.orders", "A6001"),
        (1, "marts.nothing", "A2003"),
        (1, "../../etc/passwd", "A2003"),
        (1, "staging.orders\0", "A2003"),
        (1, "x" * 200_000, "A2003"),
        (2**31, "staging.orders", "A8105"),
    ],
)
def test_steps_that_cannot_be_replayed_are_refused_at_once(api, run, asset, code):
    found = api.refused(REPLAY, {"run": run, "asset": asset})

    assert found["code"] == code
    assert len(found["summary"]) < 3_000
    assert api.ask("{ launches { number } }") == {"launches": []}


def test_cancelling_what_is_not_there_is_an_error(api):
    assert api.refused("mutation { cancel(launch: 7) { number } }")["code"] == "A8120"


def test_reloading_takes_a_server(api):
    assert api.refused("mutation { reload { isInForce } }")["code"] == "A8121"


MUTATIONS = {
    "runner": [
        'launch(request: {select: ["raw.orders"]}) { number }',
        "retry(run: 1) { number }",
        'replay(run: 1, asset: "staging.orders") { number }',
        'createBranch(name: "x") { name }',
        'tag(name: "x") { name }',
    ],
    "admin": [
        'deleteBranch(name: "x") { id }',
        'deleteTag(name: "x") { id }',
        'mergeBranch(branch: "main") { merged }',
        'revert(commit: "main") { id }',
        "reload { isInForce }",
    ],
}


@pytest.mark.parametrize("mutation", [*MUTATIONS["runner"], *MUTATIONS["admin"]])
def test_viewers_change_nothing(api, project, mutation):
    before = project.lake.ref("main").commit_id

    found = api.refused(f"mutation {{ {mutation} }}", headers=bearer(project, "viewer"))

    assert found["code"] == "A8108"
    assert project.lake.ref("main").commit_id == before
    assert names(project) == ["main"]


@pytest.mark.parametrize("mutation", MUTATIONS["runner"])
def test_runners_start_work(api, project, mutation):
    found = api.answer(f"mutation {{ {mutation} }}", headers=bearer(project, "runner"))

    codes = [error["extensions"]["code"] for error in found.get("errors", ())]
    # Of the run that succeeded nothing is left to be retried; to ask for it is allowed.
    assert codes == (["A6018"] if "retry" in mutation else [])


@pytest.mark.parametrize("mutation", MUTATIONS["admin"])
def test_runners_change_no_history(api, project, mutation):
    found = api.refused(f"mutation {{ {mutation} }}", headers=bearer(project, "runner"))

    assert found["code"] == "A8108"


def test_every_change_is_in_the_audit_log(api, project):
    api.ask('mutation { createBranch(name: "x") { name } }')
    api.answer('mutation { createBranch(name: "x") { name } }')
    api.answer('mutation { deleteBranch(name: "x") { id } }', headers=bearer(project, "viewer"))

    lines = api.ask(AUDIT)["audit"]["nodes"]

    assert [(line["actor"], line["action"], line["result"]) for line in lines] == [
        ("a-viewer", "deleteBranch", "A8108"),
        ("local", "createBranch", "A5012"),
        ("local", "createBranch", "ok"),
    ]
    assert lines[0]["arguments"] == {"name": "x"}
    assert lines[0]["address"] == "127.0.0.1"


def test_the_audit_log_is_for_admins(api, project):
    assert api.refused(AUDIT, headers=bearer(project, "runner"))["code"] == "A8108"


def test_secrets_are_masked_in_the_audit_log(served, folder, configure):
    (folder / ".env").write_text("PASSWORD=correct-horse-battery\n")
    configure("name: shop\nconnections: {db: {type: postgres, password: '${PASSWORD}'}}\n")
    with mainstem.open(folder) as project:
        caller = served()
        caller.app = application(project)
        caller.answer('mutation { createBranch(name: "correct-horse-battery") { name } }')
        lines = caller.ask(AUDIT)["audit"]["nodes"]

    assert "correct-horse" not in str(lines)


def test_each_mutation_of_one_operation_is_written_down(api):
    api.ask('mutation { a: tag(name: "a") { name } b: tag(name: "b") { name } }')

    assert len(api.ask(AUDIT)["audit"]["nodes"]) == 2
