# SPDX-License-Identifier: Apache-2.0
"""`plan` and `run`: the same options, one says what the other does."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import click

from mainstem.cli.opening import job_options, project_of
from mainstem.cli.options import (
    branch_option,
    environment_option,
    exclude_option,
    json_option,
    select_option,
    stack,
    vars_option,
)
from mainstem.cli.output import Output
from mainstem.cli.render.plan import plan_lines
from mainstem.cli.reporter import Reporter
from mainstem.project import Project, permit
from mainstem.runs import RunEvent, RunFinished
from mainstem.types import SystemClock

work_options = stack(
    click.argument("assets", nargs=-1),
    select_option,
    exclude_option,
    environment_option,
    branch_option,
    vars_option,
    click.option(
        "--full-refresh", is_flag=True, help="Build incremental models anew. Keeps cursors."
    ),
    click.option("--rebuild", is_flag=True, help="Build what is selected even if it is fresh."),
    click.option(
        "--ingest/--no-ingest", default=None, help="Read sources, or leave them as they are."
    ),
    click.option("--fresh", is_flag=True, help="Read sources again within their `fresh_for`."),
    click.option(
        "--partition",
        "partitions",
        multiple=True,
        metavar="SET",
        help="2013-05, 2013-01..2013-06, latest, missing, failed: no others are built.",
    ),
    click.option("--force", is_flag=True, help="Build again what was reverted."),
    json_option,
)


@click.command(name="plan")
@work_options
@click.option("--all", "show_all", is_flag=True, help="List assets with nothing to do, too.")
def plan_command(*, is_json: bool, show_all: bool, **options: Any) -> None:
    """Say what a run would do and why, without touching data."""
    output = Output.of_process(is_json=is_json)
    opening, selection = _divide(options)
    with project_of(**opening) as project:
        plan = project.plan(**selection)
    if is_json:
        output.document(plan)
    else:
        output.lines(plan_lines(plan, output.look, show_all=show_all))


@click.command(name="run")
@work_options
@click.option("--job", metavar="NAME", help="A job of mainstem.yml: its selection and options.")
@click.option("--threads", type=click.IntRange(1), help="Steps at once.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more after a failure.")
@click.option("--retries", type=click.IntRange(0), help="For assets that say nothing of it.")
@click.option("--run-timeout", metavar="TIME", help="How long it may take: 90s, 10m, 6h.")
@click.option("--no-wait", is_flag=True, help="Leave with 3 if another run holds an asset.")
@click.option("--yes", is_flag=True, help="Run on a protected environment by hand.")
def run_command(
    *,
    is_json: bool,
    threads: int | None,
    fail_fast: bool,
    retries: int | None,
    run_timeout: str | None,
    no_wait: bool,
    yes: bool,
    job: str | None,
    **options: Any,
) -> int:
    """Ingest, model, check and publish what is not up to date, in one commit."""
    output = Output.of_process(is_json=is_json)
    opening, selection = _divide(options)
    with project_of(**opening, job=job) as project:
        if job is not None:
            selection |= job_options(project, job, selection)
        own = {"retries": retries, "run_timeout": run_timeout}
        selection |= {name: value for name, value in own.items() if value is not None}
        permit(project, is_meant=yes or job is not None)
        _say_where(project, output)
        return executing(
            project,
            output,
            lambda hear: project.run(
                **selection,
                threads=threads,
                fail_fast=fail_fast,
                wait=not no_wait,
                on_event=hear,
            ),
        )


def executing(
    project: Project,
    output: Output,
    act: Callable[[Callable[[RunEvent], None]], RunFinished],
    *,
    redraws: bool = True,
) -> int:
    """Show a run while it goes on and how it ended; gives the exit code.

    Args:
        project: Told of Ctrl-C.
        output: Where to write.
        act: Runs; is given who hears its events.
        redraws: Running steps are redrawn on a terminal; not where somebody types in it.
    """
    width = max((len(str(key)) for key in project.graph.assets), default=0)
    reporter = Reporter(output, SystemClock(), key_width=width, redraws=redraws)
    # After the last line: whoever waits for a slow receiver has seen how the run ended.
    with ExitStack() as stack:
        stack.callback(project.recording.deliver)
        with reporter, _interrupts(project):
            finished = act(reporter.hear)
        reporter.finish(finished)
    return finished.exit_code


def _divide(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what opens the project from what is asked of it."""
    opening = {name: options.pop(name) for name in ("environment", "branch", "variables")}
    select = (*options.pop("assets"), *options.pop("select"))
    return opening, {"select": select, **options}


def _say_where(project: Project, output: Output) -> None:
    """A branch is made at the first write to it, and that is said."""
    if project.reading_ref != project.branch:
        output.note(f"Branch {project.branch} is new: it begins where {project.reading_ref} is.")


@contextmanager
def _interrupts(project: Project) -> Iterator[None]:
    """Hand Ctrl-C to the run: once stops cleanly, twice at once (SEMANTICS, Runs)."""
    asked = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        asked += 1
        project.cancel()

    before = [(number, signal.signal(number, on_signal)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            # A second Ctrl-C that comes when the run has just ended must not kill the summary.
            signal.signal(number, signal.SIG_IGN if asked else handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A terminal that is closed stops a run as cleanly as Ctrl-C."""
