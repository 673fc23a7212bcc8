# SPDX-License-Identifier: Apache-2.0
"""`worker`: carry out steps of runs that other machines started."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import environment_option, json_option
from mainstem.cli.output import Output
from mainstem.project import remote_worker


@click.command(name="worker")
@click.argument("executor")
@click.option(
    "--slots",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="one for each processor",
    help="Steps at once.",
)
@environment_option
@json_option
def worker_command(*, executor: str, slots: int, environment: str | None, is_json: bool) -> None:
    """Carry out Python steps of runs whose models name EXECUTOR, until stopped.

    The project's lake must be in a database that all machines reach. Ctrl-C once: take no more
    steps, and end when those in hand are done; twice: stop them.
    """
    output = Output.of_process(is_json=is_json)
    with project_of(environment=environment) as project:
        worker = remote_worker(
            project,
            executor,
            slots=slots,
            tell=lambda asset, what: _tell(output, asset, what, is_json=is_json),
        )

        def stop(_number: int, _frame: FrameType | None) -> None:
            # Not here: the lock that it takes may be held by the very code that was interrupted.
            threading.Thread(target=worker.stop, daemon=True).start()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        output.note(f"worker {worker.name} serves `{executor}` with {slots} slots; Ctrl-C stops it")
        worker.serve()


def _tell(output: Output, asset: str, what: str, *, is_json: bool) -> None:
    if is_json:
        output.event({"asset": asset, "what": what})
    else:
        output.lines([f"{asset}  {what}"])
