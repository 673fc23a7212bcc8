# SPDX-License-Identifier: Apache-2.0
"""The program: finds the command, runs it, turns whatever happens into lines and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import importlib
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from mainstem import __version__
from mainstem.cli.catalog import COMMANDS, GROUPS, listed
from mainstem.cli.output import Output
from mainstem.errors import Cancelled, InternalError, MainstemError, StorageFailed, UserError
from mainstem.types import did_you_mean

ABOUT = """One folder, one graph, one river of tables: ingest, model, check and publish on branches
you can undo.

Start with real data:

\b
  mainstem init demo --template flights
  cd demo && mainstem run
"""
_PUBLIC_INTERRUPTED = 130
_BROKEN_PIPE = 141
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""What the system, not our code, is the cause of."""
_NOT_WRITTEN = 120
"""Python's own exit code when standard output cannot be flushed."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of `--help`."""
        del ctx
        return [command.name for command in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        found = listed(cmd_name)
        if found is None:
            return None
        module = importlib.import_module(f"mainstem.cli.commands.{found.module}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was written, or say which one is near."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            raise UserError(
                "A1051",
                f"There is no command `{args[0]}`.",
                hint=did_you_mean(args[0], names) or "See them all: mainstem --help",
                known=names,
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in their groups."""
        del ctx
        for group in GROUPS:
            with formatter.section(group):
                formatter.write_dl(
                    [(item.name, item.summary) for item in COMMANDS if item.group == group]
                )


def _show_version(ctx: click.Context, param: click.Parameter, value: object) -> None:
    del param
    if value and not ctx.resilient_parsing:
        click.echo(f"mainstem {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    help=ABOUT,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-C",
    "--project",
    "folder",
    default=".",
    metavar="FOLDER",
    help="Project folder; the current one, or the nearest above it, by default.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def program(ctx: click.Context, folder: str) -> None:
    """Remember what holds for every command."""
    ctx.obj = folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code."""
    # Most objects of a command are code and live as long as it does: looking for cycles among them
    # as often as Python does by default cost a seventh of a run. What a run imports makes 200,000.
    gc.set_threshold(300_000, 20, 20)
    _leave(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code (GRAMMAR 6)."""
    output = Output.of_process(is_json="--json" in arguments)
    try:
        result = program.main(args=list(arguments), prog_name="mainstem", standalone_mode=False)
    except MainstemError as error:
        output.error(error, ending=_ending(error, arguments))
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return 0
    except click.UsageError as error:
        output.error(_usage_error(error))
        return 1
    except (click.Abort, KeyboardInterrupt):
        if output.is_json:
            output.error(Cancelled("A1066", "The command was cancelled."))
        output.note("Cancelled.")
        return _PUBLIC_INTERRUPTED
    except BrokenPipeError:
        # `mainstem list | head`: nobody reads on, which is nobody's fault.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:
        if os.environ.get("MAINSTEM_RAISE"):
            raise
        if isinstance(error, OSError) and error.errno in _REFUSALS:
            refused = _refused(error)
            output.error(refused, ending=_ending(refused, arguments))
            return refused.exit_code
        output.error(_bug(error))
        return 70
    return result if isinstance(result, int) else 0


def _refused(error: OSError) -> StorageFailed:
    place = f"{error.filename} cannot be used" if error.filename else "Output cannot be written"
    return StorageFailed(
        "A1065",
        f"{place}: {error.strerror or error}.",
        hint="Free space, or correct the permissions, then run the command again.",
    )


def _leave(code: int) -> NoReturn:
    """End the process without taking it apart object by object: that was a twentieth of a run."""
    current = threading.current_thread()
    if any(not thread.daemon and thread is not current for thread in threading.enumerate()):
        sys.exit(code)
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001  # the only way to run them
    for stream in filter(None, (sys.stdout, sys.stderr)):  # none if the caller closed it
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or _NOT_WRITTEN
    os._exit(code)


def _ending(error: MainstemError, arguments: Sequence[str]) -> str:
    if "run" not in arguments[:3]:
        return ""
    # A project that is wrong is refused before anything starts; the rest may come at any time.
    return "nothing was run" if error.exit_code == 1 else "nothing was published"


def _usage_error(error: click.UsageError) -> UserError:
    command = error.ctx.command_path if error.ctx is not None else "mainstem"
    hint = f"See: {command} --help"
    possible = getattr(error, "possibilities", None)
    if possible:
        hint = f"Did you mean `{possible[0]}`? {hint}"
    return UserError("A1052", error.format_message(), hint=hint, known=possible or ())


def _bug(error: Exception) -> InternalError:
    return InternalError(
        "A9000",
        f"{type(error).__name__}: {error}",
        details="".join(traceback.format_exception(error)).rstrip(),
    )
