# SPDX-License-Identifier: Apache-2.0
"""`token`: who may call the API of a server, and as what."""

from __future__ import annotations

from typing import Any

import click

from mainstem.api import create_token, end_token, list_tokens
from mainstem.cli.opening import project_of
from mainstem.cli.options import environment_option, json_option
from mainstem.cli.output import Output
from mainstem.cli.render.tokens import token_lines
from mainstem.state import StoredToken
from mainstem.types import SystemClock


@click.group(name="token", invoke_without_command=True)
@environment_option
@json_option
@click.pass_context
def token_command(ctx: click.Context, *, environment: str | None, is_json: bool) -> None:
    """List tokens for the API; or `token create NAME`, `token revoke ID`."""
    if ctx.invoked_subcommand is None:
        _list(environment, is_json=is_json)


@token_command.command(name="create")
@click.argument("name")
@click.option(
    "--role",
    default="viewer",
    show_default=True,
    help="viewer reads, runner starts and stops work, admin changes everything.",
)
@click.option("--expires", default="90d", show_default=True, help="30m, 12h, 90d, 52w or never.")
@environment_option
@json_option
def create(*, name: str, role: str, expires: str, environment: str | None, is_json: bool) -> None:
    """Make a token for NAME; it is shown this once."""
    output = Output.of_process(is_json=is_json)
    with project_of(environment=environment) as project:
        made = create_token(
            project.services.database, name=name, role=role, life=expires, clock=project.clock
        )
    if is_json:
        output.document({"token": made.text, **_shown(made.stored)})
        return
    output.lines([made.text])
    until = made.stored.expires_at
    output.note(
        f"Token {made.stored.id} of {name}, {role}, "
        + (f"until {until:%Y-%m-%d %H:%M} UTC. " if until else "for good. ")
        + "It is kept nowhere: copy it now."
    )


@token_command.command(name="list")
@environment_option
@json_option
def listing(*, environment: str | None, is_json: bool) -> None:
    """List tokens, those that ended too."""
    _list(environment, is_json=is_json)


def _list(environment: str | None, *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of(environment=environment) as project:
        tokens = list_tokens(project.services.database)
    if is_json:
        output.document([_shown(token) for token in tokens])
    elif tokens:
        output.lines(token_lines(tokens, output.look, now=SystemClock().now()))
    else:
        output.note("There is no token yet: mainstem token create NAME")


@token_command.command(name="revoke")
@click.argument("token_id", metavar="ID")
@environment_option
@json_option
def revoke(*, token_id: str, environment: str | None, is_json: bool) -> None:
    """End the token with an ID, as `token list` shows it; at once."""
    output = Output.of_process(is_json=is_json)
    with project_of(environment=environment) as project:
        end_token(project.services.database, token_id, clock=project.clock)
    if is_json:
        output.document({"id": token_id})
    else:
        output.lines([f"Revoked token {token_id}."])


def _shown(token: StoredToken) -> dict[str, Any]:
    """Give what may be seen: neither salt nor digest."""
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }
