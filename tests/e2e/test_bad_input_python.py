# SPDX-License-Identifier: Apache-2.0
"""Python models that misbehave, through the real program: their own fault, and nobody else's."""

from pathlib import Path

import pytest

PROCESSES = Path("/proc")


def _orphans(shop):
    """Processes that have this project as their folder, ours not counted."""
    found = []
    for process in (path for path in PROCESSES.iterdir() if path.name.isdigit()):
        try:
            if (process / "cwd").resolve() == shop.folder.resolve():
                found.append((process / "cmdline").read_bytes())
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("raise ValueError('no such airport')", "A7110", "raised ValueError: no such airport"),
        ("sys.exit(3)", "A7110", "called sys.exit(3)"),
        ("os._exit(3)", "A7112", "exited with code 3 before it was done"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "A7112", "was killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "A7112", "was killed by SIGSEGV"),
        ("return 42", "A7113", "gave `int`; allowed are pa.Table"),
        ("return [1, 2]", "A7113", "gave"),
    ],
)
def test_a_model_that_fails_takes_nothing_with_it(shop, body, code, said):
    shop.python(body)
    shop.write("data/orders2.csv", "id,amount\n4,40\n")

    message = shop.failed(code)

    assert said in message
    # What does not need it is published, and nothing is left running.
    assert shop.query("select orders from marts.totals") == [{"orders": 4}]
    assert _orphans(shop) == []
    shop.python("return orders")
    shop.runs_well()
    assert shop.rows("marts.judged") == 4


def test_the_traceback_that_is_shown_is_the_users_own(shop):
    shop.python("raise ValueError('no such airport')")

    message = shop.failed("A7110")

    assert 'models/marts/judged.py", line 10, in judged' in message
    assert "src/mainstem" not in message


def test_a_model_that_hangs_is_stopped_at_its_timeout(shop):
    shop.python("time.sleep(600)", options=", timeout=1")

    message = shop.failed("A6012")

    assert "did not finish within its timeout of 1 s" in message
    assert _orphans(shop) == []


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("retrun 1\n", "A7102", "models/marts/judged.py:2:8"),
        ("import nomodule\n", "A7101", "No module named 'nomodule'"),
        ("import sys\nsys.exit(4)\n", "A7101", "must not exit the process"),
        ("import os\nos._exit(4)\n", "A7107", "exited with code 4"),
        ("@asset(retires=3)\ndef judged() -> None: ...\n", "A7103", "Did you mean `retries`?"),
    ],
)
def test_a_file_that_cannot_be_imported_is_an_error_of_the_project(shop, text, code, said):
    shop.write("models/marts/judged.py", f"from mainstem import asset\n{text}")

    done = shop.call("run")

    assert done.returncode == 1
    assert f"error[{code}]" in done.stderr
    assert said in done.stderr
    assert shop.rows("raw.orders") == 3
