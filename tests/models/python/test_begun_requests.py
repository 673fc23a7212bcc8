# SPDX-License-Identifier: Apache-2.0
"""Requests that a worker has and no thread waits for: what is heard of them, and how they end."""

import os
import select
import threading

import pytest

import mainstem
from mainstem.errors import Cancelled, StepFailed
from mainstem.models.worker.message import Build, Built, Expected, Failed
from mainstem.runs import RunControl
from mainstem.runs.cancelling import Cancellation
from mainstem.types import AssetKey

KEY = AssetKey("marts", "a")
BODIES = """
import os, sys, time
from mainstem import asset
@asset
def quiet(): pass
@asset
def loud(): print("a line")
@asset
def raising(): raise ValueError("no")
@asset
def dying(): os._exit(3)
@asset
def hanging(): time.sleep(600)
@asset
def flooding(): sys.stdout.write("x" * (1 << 20) + "\\n")
"""


@pytest.fixture
def warm(folder, pool):
    """A pool with one idle worker."""
    folder.write("models/a.py", BODIES)
    pool.run(_request("quiet"), asset="a", answer=_nothing, log=_nothing)
    return pool


def _nothing(*_):
    return None


def _request(function):
    return Build(
        file="models/a.py",
        function=function,
        outputs=(Expected(key=KEY, mode="overwrite"),),
        is_effect=True,
    )


def _begin(pool, function, *, lines=None, cancel=None):
    return pool.begin(
        _request(function),
        asset="a",
        answer=_nothing,
        log=lambda text, _stream: (lines if lines is not None else []).append(text),
        cancel=cancel or Cancellation(),
    )


def _heard(exchange):
    """Hear until there is something; the test's own limit is that of the suite."""
    while True:
        select.select([exchange], [], [])
        heard = exchange.hear()
        if heard != "waits":
            return heard


def test_a_quiet_function_is_heard_of_and_its_worker_is_free_again(warm):
    first = _begin(warm, "quiet")
    assert _heard(first) == "answered"
    assert isinstance(first.finish(), Built)

    second = _begin(warm, "quiet")

    assert second.fileno() == first.fileno()
    second.finish()


def test_without_an_idle_worker_nothing_is_begun(folder, pool, warm):
    busy = _begin(warm, "quiet")

    assert _begin(warm, "quiet") is None
    busy.finish()


def test_a_worker_whose_code_has_changed_is_left_to_who_can_wait_for_another(folder, warm):
    file = folder.root / "models/a.py"
    file.write_text(BODIES + "# more\n")

    assert _begin(warm, "quiet") is None


@pytest.mark.parametrize(("function", "length"), [("loud", 6), ("flooding", 4096)])
def test_what_a_function_prints_is_seen_through_and_kept(warm, function, length):
    lines = []
    exchange = _begin(warm, function, lines=lines)

    assert _heard(exchange) == "talks"
    assert isinstance(exchange.finish(), Built)
    assert len(lines[0]) >= length


def test_what_a_function_raises_is_an_answer(warm):
    exchange = _begin(warm, "raising")

    assert _heard(exchange) == "answered"
    assert isinstance(exchange.finish(), Failed)


def test_a_worker_that_dies_is_explained_by_who_sees_it_through(warm):
    exchange = _begin(warm, "dying")

    assert _heard(exchange) == "talks"
    with pytest.raises(StepFailed, match="exited with code 3"):
        exchange.finish()


def test_cancelling_is_heard_and_ends_the_process(warm):
    cancel = Cancellation()
    exchange = _begin(warm, "hanging", cancel=cancel)
    pid = exchange._worker.pid

    cancel.cancel("cancelled")

    assert _heard(exchange) == "talks"
    with pytest.raises(Cancelled):
        exchange.finish()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_token_that_was_pulled_before_stops_what_is_begun_after(warm):
    cancel = Cancellation()
    cancel.cancel("cancelled")
    exchange = _begin(warm, "hanging", cancel=cancel)

    assert _heard(exchange) == "talks"
    with pytest.raises(Cancelled):
        exchange.finish()


def test_a_request_that_cannot_be_sent_gives_its_worker_back(warm):
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        warm.begin(
            threading.Lock(), asset="a", answer=_nothing, log=_nothing, cancel=Cancellation()
        )

    exchange = warm.run(_request("quiet"), asset="a", answer=_nothing, log=_nothing)

    assert isinstance(exchange, Built)


PROJECT = """
import os, time
from pathlib import Path
from mainstem import asset
@asset
def first() -> None:
    pass
@asset(deps=["main.first"])
def quiet() -> None:
    Path("quiet.txt").write_text("done")
@asset(deps=["main.quiet"])
def loud() -> None:
    print("a line of it")
@asset(deps=["main.loud"], timeout="1s")
def hanging() -> None:
    time.sleep(600)
@asset(deps=["main.loud"], retries=1)
def dying() -> None:
    if not Path("died").exists():
        Path("died").touch()
        os._exit(9)
@asset(deps=["main.dying"])
def last() -> None:
    pass
"""


def test_effects_in_warm_workers_print_hang_and_die_like_any_step(folder):
    folder.write("mainstem.yml", "name: small\n")
    folder.write("models/effects.py", PROJECT)
    with mainstem.open(folder.root) as project:
        finished = project.run(threads=2)
        lines = [entry.text for entry in project.run_log(finished.run_id, "main.loud")]
    status = {step.key.name: step.status for step in finished.steps}
    errors = {step.key.name: step.error.code for step in finished.steps if step.error}

    assert status == {
        "first": "built",
        "quiet": "built",
        "loud": "built",
        "hanging": "failed",
        "dying": "built",
        "last": "built",
    }
    assert errors == {"hanging": "A6012"}
    assert lines == ["a line of it"]


def test_a_cancelled_run_ends_a_worker_that_no_thread_waits_for(folder):
    folder.write("mainstem.yml", "name: small\n")
    folder.write(
        "models/effects.py",
        "import os, time\nfrom pathlib import Path\nfrom mainstem import asset\n"
        "@asset\ndef first() -> None:\n    pass\n"
        "@asset(deps=['main.first'])\ndef hanging() -> None:\n"
        "    Path('pid').write_text(str(os.getpid()))\n    time.sleep(600)\n",
    )
    control = RunControl()

    def stop():
        while not (folder.root / "pid").exists():
            threading.Event().wait(0.02)
        control.request_cancel()

    with mainstem.open(folder.root) as project:
        stopper = threading.Thread(target=stop)
        stopper.start()
        finished = project.run(control=control)
        stopper.join()
    pid = int((folder.root / "pid").read_text())

    assert finished.status == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
