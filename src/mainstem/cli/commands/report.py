# SPDX-License-Identifier: Apache-2.0
"""`report`: something else made a new version of an external asset."""

from __future__ import annotations

import getpass
from typing import Any

import click
import orjson

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option, where_options
from mainstem.cli.output import Output
from mainstem.errors import UserError
from mainstem.project import Reported, report_materialization


@click.command(name="report")
@click.argument("asset")
@click.argument("version")
@click.option("--address", default="", help="Where it is: s3://bucket/events.")
@click.option("--rows", type=int, help="How many rows it has.")
@click.option("--metadata", default="{}", metavar="JSON", help="An object to keep with it.")
@where_options
@json_option
def report_command(
    *,
    asset: str,
    version: str,
    address: str,
    rows: int | None,
    metadata: str,
    is_json: bool,
    **where: Any,
) -> None:
    """Say that an external ASSET has a new VERSION; what reads it is stale from now on."""
    output = Output.of_process(is_json=is_json)
    reported = Reported(
        data_version=version,
        address=address,
        row_count=rows,
        metadata=_object(metadata),
        by=getpass.getuser(),
    )
    with project_of(**where) as project:
        found = report_materialization(project, asset, reported)
    if is_json:
        output.document(found)
    elif found.commit is None:
        output.lines([f"{found.asset} is at {version} already: nothing is new"])
    else:
        output.lines(
            [f"{found.asset} is at {version} on {found.branch}, commit {found.commit.short_id}"]
        )


def _object(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise UserError(
            "A3041",
            "The report cannot be kept: `--metadata` is no object of JSON.",
            hint="""--metadata '{"job": "nightly"}'""",
        )
    return value
