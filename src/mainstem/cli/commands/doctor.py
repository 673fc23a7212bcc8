# SPDX-License-Identifier: Apache-2.0
"""`doctor`: what keeps, or may keep, Mainstem from working here."""

from __future__ import annotations

import click

from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.project import examine
from mainstem.types import plural


@click.command(name="doctor")
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, *, is_json: bool) -> int:
    """Look at the machine, the project and the lake's files, and say what is wrong."""
    output = Output.of_process(is_json=is_json)
    findings = examine(ctx.find_root().obj or ".")
    bad = [finding for finding in findings if finding.verdict == "fail"]
    if is_json:
        output.document(findings)
        return 1 if bad else 0
    width = max(len(finding.subject) for finding in findings) + 3
    for finding in findings:
        mark = output.look.mark(finding.verdict)
        output.lines([f"  {mark} {finding.subject:<{width}}{finding.message}".rstrip()])
        output.lines(f"{' ' * 8}{line}" for line in finding.hint.splitlines())
    output.lines([f"{plural(len(bad), 'problem')}." if bad else "Nothing is wrong."])
    return 1 if bad else 0
