# SPDX-License-Identifier: Apache-2.0
"""The program itself: help, unknown words, exit codes, errors as JSON."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from mainstem.cli.app import program
from mainstem.cli.catalog import COMMANDS


def test_help_lists_every_command_in_its_group(mainstem):
    done = mainstem("--help")

    assert done.code == 0
    assert [item.name for item in COMMANDS if f"  {item.name} " not in done.out] == []


@pytest.mark.parametrize("name", [item.name for item in COMMANDS])
def test_every_command_explains_itself_and_takes_json(name, mainstem):
    done = mainstem(name, "--help")

    assert done.code == 0, done.err
    listed = mainstem(name, "path", "--help").out if name == "table" else done.out
    assert "--json" in listed


def test_an_unknown_command_names_the_nearest(mainstem):
    done = mainstem("rnu")

    assert done.code == 1
    assert "error[A1051]: There is no command `rnu`" in done.err
    assert "Did you mean `run`?" in done.err


def test_an_unknown_option_is_exit_1_and_names_the_nearest(mainstem):
    done = mainstem("explain", "--jsn")

    assert done.code == 1
    assert "error[A1052]" in done.err
    assert "--json" in done.err


def test_errors_are_a_document_with_json(mainstem):
    done = mainstem("explain", "A0000", "--json")

    assert done.code == 1
    assert done.document["errors"][0]["code"] == "A1057"
    assert done.document["exit_code"] == 1
    assert done.err == ""


def test_a_command_that_is_cancelled_is_a_document_with_json_too(folder, mainstem, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "main", interrupted)
    done, plain = mainstem("plan", "--json"), mainstem("plan")

    assert (done.code, done.document["exit_code"], done.err) == (130, 130, "")
    assert done.document["errors"][0]["code"] == "A1066"
    assert (plain.code, plain.out, plain.err) == (130, "", "Cancelled.\n")


def test_outside_a_project_commands_say_how_to_make_one(folder, mainstem):
    done = mainstem("plan")

    assert done.code == 1
    assert "mainstem init" in done.err


def test_explain_prints_the_page_of_a_code(mainstem):
    done = mainstem("explain", "a1051")

    assert done.out.startswith("# A1051: ")


def test_explain_alone_lists_all_codes(mainstem):
    done = mainstem("explain", "--json")

    assert done.document["A1051"] == "there is no such command"


def test_a_reader_that_leaves_early_is_no_error():
    script = f"{sys.executable} -c 'from mainstem.cli import main; main()' explain | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""


def test_help_costs_at_most_a_quarter_second():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).parent / "mainstem", "--help"], capture_output=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent <= 0.25 * float(os.environ.get("MAINSTEM_TEST_SLOWNESS", "2"))


def test_bad_variables_are_named(shop, mainstem):
    done = mainstem("plan", "--vars", "year")

    assert done.code == 1
    assert "error[A1053]" in done.err


def test_a_bug_is_exit_70_with_its_traceback(shop, mainstem, monkeypatch):
    monkeypatch.setattr("mainstem.cli.commands.graph.grid", None)

    done = mainstem("list")

    assert done.code == 70
    assert "error[A9000]" in done.err
    assert "Traceback" in done.err


def test_json_errors_name_file_and_line(shop, mainstem):
    (shop / "mainstem.yml").write_text("name: shop\nconections: {}\n")

    done = mainstem("plan", "--json")

    assert orjson.loads(done.out)["errors"][0]["where"]["line"] == 2
