# SPDX-License-Identifier: Apache-2.0
"""branch, tag, diff, merge, log, revert, table, runs, config, doctor."""

from pathlib import Path


def _edit(shop, before, after):
    model = shop / "models/total.sql"
    model.write_text(model.read_text().replace(before, after))


def test_a_model_is_edited_on_a_branch_compared_and_merged(built, mainstem):
    mainstem("branch", "create", "try")
    _edit(built, "sum(amount) as amount", "sum(amount) as amount, max(amount) as most")

    run = mainstem("run", "--branch", "try")
    diff = mainstem("diff", "main", "try")
    merge = mainstem("merge", "try")
    query = mainstem("query", "select most from main.total", "--json")

    assert run.code == 0, run.err + run.out
    assert "~ main.total" in diff.out
    assert "+ most" in diff.out
    assert merge.code == 0, merge.err
    assert "Merged try into main in commit" in merge.out
    assert query.document == [{"most": 30}]


def test_diff_counts_changed_rows_and_shows_them(built, mainstem):
    mainstem("branch", "create", "try")
    (built / "data/orders.csv").write_text("id,customer,amount\n1,ann,10\n2,bob,25\n4,dee,40\n")
    mainstem("run", "--branch", "try", "--ingest")

    done = mainstem("diff", "main", "try", "--asset", "shop.orders", "--json")

    rows = done.document["rows"]["shop.orders"]
    assert (rows["added"], rows["changed"]) == (1, 1)
    assert rows["columns"] == {"amount": 1}
    assert {"change": "changed", "id": 2, "amount": "20 -> 25"} in rows["sample"]


def test_equal_refs_do_not_differ(built, mainstem):
    done = mainstem("diff", "main", "main")

    assert "nothing differs" in done.out


def test_a_dry_run_of_a_merge_changes_nothing(built, mainstem):
    mainstem("branch", "create", "try")
    _edit(built, "sum(amount)", "2 * sum(amount)")
    mainstem("run", "--branch", "try")
    before = mainstem("log", "--json").document

    done = mainstem("merge", "try", "--dry-run")

    assert "try would merge into main" in done.out
    assert mainstem("log", "--json").document == before


def test_branches_are_listed_created_and_deleted(built, mainstem):
    mainstem("branch", "create", "a")

    listed = [ref["name"] for ref in mainstem("branch", "list", "--json").document]
    deleted = mainstem("branch", "delete", "a")

    assert {"main", "a"} <= set(listed)
    assert "Back again: mainstem branch create a --at " in deleted.out
    assert "a" not in [ref["name"] for ref in mainstem("branch", "--json").document]


def test_an_unknown_branch_is_an_error(built, mainstem):
    assert mainstem("branch", "delete", "nothing").code == 1


def test_a_tag_keeps_a_state_readable(built, mainstem):
    mainstem("tag", "create", "first")
    _edit(built, "sum(amount)", "0 * sum(amount)")
    mainstem("run")

    then = mainstem("query", "--at", "first", "select amount from main.total", "--json")

    assert then.document == [{"amount": 50}]


def test_a_revert_undoes_a_commit_and_the_next_run_leaves_it_so(built, mainstem):
    _edit(built, "sum(amount)", "7 * sum(amount)")
    mainstem("run")

    reverted = mainstem("revert", "main")
    mainstem("run")
    query = mainstem("query", "select amount from main.total", "--json")

    assert reverted.code == 0, reverted.err
    assert query.document == [{"amount": 50}]


def test_force_builds_again_what_was_reverted(built, mainstem):
    _edit(built, "sum(amount)", "7 * sum(amount)")
    mainstem("run")
    mainstem("revert", "main")

    mainstem("run", "--force")
    query = mainstem("query", "select amount from main.total", "--json")

    assert query.document == [{"amount": 350}]


def test_log_lists_commits_newest_first(built, mainstem):
    _edit(built, "sum(amount)", "7 * sum(amount)")
    mainstem("run")

    commits = mainstem("log", "--json").document

    times = [commit["created_at"] for commit in commits]
    assert times == sorted(times, reverse=True)
    assert mainstem("log", "--asset", "shop.orders", "--json").document != commits


def test_table_path_is_iceberg_metadata_on_disk(built, mainstem):
    done = mainstem("table", "path", "main.total")

    assert Path(done.out.strip()).is_file()
    assert done.out.strip().endswith(".metadata.json")


def test_table_info_names_field_ids_and_history_names_runs(built, mainstem):
    info = mainstem("table", "info", "shop.orders")
    history = mainstem("table", "history", "shop.orders")

    assert "customer" in info.out
    assert "run 1" in history.out


def test_runs_are_listed_shown_and_logged(built, mainstem):
    listed = mainstem("runs", "--json").document
    shown = mainstem("runs", "show", "1")
    logged = mainstem("runs", "log", "1")

    assert [run["status"] for run in listed] == ["succeeded"]
    assert "main.total" in shown.out
    assert logged.code == 0


def test_the_log_of_a_failed_step_ends_with_place_traceback_and_code(built, mainstem):
    (built / "models/broken.py").write_text(
        "from mainstem import asset\n\n\n@asset\ndef broken(total):\n"
        '    print("nearly")\n    raise ValueError("no key")\n',
    )
    run = mainstem("run")

    logged = mainstem("runs", "log", "2", "main.broken").out.splitlines()
    shown = mainstem("runs", "show", "2").out

    assert run.code == 2
    assert logged[0].endswith("nearly")
    assert "error[A7110]" in logged[1]
    assert any("models/broken.py:7" in line for line in logged)
    assert logged[-1].strip() == "ValueError: no key"
    assert shown.count("no key") == 1
    assert "mainstem runs log 2" in shown


def test_an_unknown_run_is_an_error(built, mainstem):
    done = mainstem("runs", "show", "99")

    assert done.code == 1
    assert "error[A6001]" in done.err


def test_config_masks_secrets_and_names_the_file(built, mainstem, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    (built / "mainstem.yml").write_text(
        "name: shop\nconnections:\n  db: {type: postgres, password: '${SHOP_PASSWORD}'}\n"
    )

    done = mainstem("config")

    assert "connections.db.password" in done.out
    assert "****" in done.out
    assert "hunter2" not in done.out
    assert "mainstem.yml:" in done.out


def test_config_prints_json_schemas(folder, mainstem):
    done = mainstem("config", "--schema", "ingest")

    assert done.document["$schema"].startswith("https://json-schema.org/")


def test_doctor_finds_nothing_wrong_here(built, mainstem):
    done = mainstem("doctor")

    assert done.code == 0, done.out
    assert "every file of branch main is there and whole" in done.out


def test_doctor_names_a_missing_data_file(built, mainstem):
    victim = next((built / ".mainstem").rglob("*.parquet"))
    victim.unlink()

    done = mainstem("doctor")

    assert done.code == 1
    assert victim.name in done.out
