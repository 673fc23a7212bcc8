# SPDX-License-Identifier: Apache-2.0
"""Output of user code on a terminal."""

import pytest

from mainstem.cli.render.harmless import harmless


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain, ü\tand tabs", "plain, ü\tand tabs"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[2J\x1b[Hgone", "\\x1b[2J\\x1b[Hgone"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m and \x7f", "\\x9b31m and \\x7f"),
        ("over\rwritten", "over\\rwritten"),
    ],
)
def test_colours_stay_and_nothing_else_controls_the_terminal(printed, shown):
    assert harmless(printed) == shown
