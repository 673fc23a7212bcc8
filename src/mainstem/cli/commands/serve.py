# SPDX-License-Identifier: Apache-2.0
"""`serve` and `dev`: the long-lived process, for production and beside an editor."""

from __future__ import annotations

import click

from mainstem.cli.options import environment_option, json_option, stack
from mainstem.cli.output import Output
from mainstem.cli.serving import Serving, serve

PORT = 4680
_SERVE_WATCH_S = 5.0
_DEV_WATCH_S = 0.5

listen_options = stack(
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--port",
        default=PORT,
        show_default=True,
        type=click.IntRange(0, 65535),
        help="The next free one if it is taken; 0 for any.",
    ),
    environment_option,
    json_option,
)


@click.command(name="serve")
@listen_options
@click.option("--no-http", is_flag=True, help="Lead, launch and watch, but listen on no port.")
@click.option("--no-watch", is_flag=True, help="Read the project's files again on SIGHUP only.")
def serve_command(
    *, host: str, port: int, environment: str | None, is_json: bool, no_http: bool, no_watch: bool
) -> int:
    """Run schedules, launches and the API, until SIGTERM or Ctrl-C.

    Several servers may share a database: one leads, the others stand by and take over.
    """
    return serve(
        Serving(
            folder=_folder(),
            environment=environment,
            host=host,
            port=port,
            with_http=not no_http,
            watch_s=None if no_watch else _SERVE_WATCH_S,
            is_for_good=False,
        ),
        Output.of_process(is_json=is_json),
    )


@click.command(name="dev")
@listen_options
def dev_command(*, host: str, port: int, environment: str | None, is_json: bool) -> int:
    """Serve while you edit: files are followed, errors are shown, Ctrl-C ends it at once.

    What was loaded last without errors stays in use while a file is broken.
    """
    return serve(
        Serving(
            folder=_folder(),
            environment=environment,
            host=host,
            port=port,
            with_http=True,
            watch_s=_DEV_WATCH_S,
            is_for_good=True,
        ),
        Output.of_process(is_json=is_json),
    )


def _folder() -> str:
    return click.get_current_context().find_root().obj or "."
