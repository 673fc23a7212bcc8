# SPDX-License-Identifier: Apache-2.0
"""README and guides are run as they stand: every `sh` block, every file they show, every program.

A block ` ```sh ` is run line by line; `# exit 2` in a line's comment is what it must end with.
A block ` ```yaml path ` (or sql, python) is written to that path. ` ```python ` alone is run.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from mainstem.cli.catalog import COMMANDS

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
ON_A_SERVER = ROOT / "docs" / "postgres.md"
LOCAL_GUIDES = [guide for guide in GUIDES if guide != ON_A_SERVER]
NEXT = ROOT / "src/mainstem/project/templates/flights/NEXT.txt"
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """Does what a guide says, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.start = folder
        self.outputs = {}
        program = str(Path(sys.executable).parent)
        self.environment = {
            **os.environ,
            "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
            "NO_COLOR": "1",
        }

    def follow(self, path):
        for language, target, text in FENCE.findall(path.read_text()):
            if target:
                file = self.folder / target
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            elif language == "python":
                self._run([sys.executable, "-c", text], 0, cwd=self.start)
            elif language == "sh":
                for line in filter(None, map(str.strip, text.splitlines())):
                    self.line(line)

    def line(self, line):
        command, _, comment = line.partition("  #")
        if command.startswith("cd "):
            self.folder /= command.split()[1]
            return
        expected = re.match(r" exit (\d+)", comment)
        done = self._run(["bash", "-c", command], int(expected[1]) if expected else 0)
        self.outputs[command.strip()] = done.stdout

    def _run(self, command, expected, cwd=None):
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expected, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.mark.slow
def test_the_readme_does_what_it_says(tmp_path):
    reader = Reader(tmp_path)

    reader.follow(ROOT / "README.md")

    count = reader.outputs['mainstem query "select count(*) from raw.flights"']
    assert count.split()[-1] == "336776"
    held = reader.outputs['mainstem query "select count(*) from marts.fct_flights"']
    assert held.split()[-1] == "336776"


@pytest.mark.slow
def test_what_the_demo_proposes_next_works(tmp_path):
    reader = Reader(tmp_path)
    reader.line("mainstem init demo --template flights")
    reader.line("cd demo")
    reader.line("mainstem run")
    proposed = re.findall(r"^  (\S.*)$", NEXT.read_text(), re.MULTILINE)

    for line in proposed:
        reader.line(line)

    assert len(proposed) == 9
    assert "Nothing to do" in reader.outputs["mainstem plan"]
    assert "->" in reader.outputs["mainstem diff main diverted"]
    assert "Merged diverted into main" in reader.outputs["mainstem merge diverted"]


@pytest.mark.slow
@pytest.mark.parametrize("guide", LOCAL_GUIDES, ids=lambda path: path.stem)
def test_a_guide_does_what_it_says(guide, tmp_path):
    Reader(tmp_path).follow(guide)


@pytest.mark.slow
def test_the_guide_to_postgres_does_what_it_says(own_postgres_server, tmp_path):
    reader = Reader(tmp_path)
    reader.environment |= {
        "PATH": f"{own_postgres_server.programs}{os.pathsep}{reader.environment['PATH']}",
        "PGHOST": own_postgres_server.socket,
        "PGUSER": "postgres",
        "LAKE_HOST": quote(own_postgres_server.socket, safe=""),
    }

    reader.follow(ON_A_SERVER)

    assert "postgresql://shop@/lake?schema=shop" in reader.outputs["mainstem doctor"]
    reader.line("sed -i.bak 's,/lake?,/restored?,' mainstem.yml")
    reader.environment["PGUSER"] = "shop"
    reader.line('mainstem query "select greeting from main.hello"')


def test_every_command_is_in_the_guide():
    text = (ROOT / "docs" / "commands.md").read_text()

    assert [item.name for item in COMMANDS if f"`{item.name}" not in text] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *GUIDES])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())

    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert missing == []
