# SPDX-License-Identifier: Apache-2.0
"""A project folder with Python files in it, and warm workers for it."""

import textwrap

import pytest

from mainstem.models import WorkerPool, discover


class Folder:
    """A project folder under construction."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return path


@pytest.fixture
def folder(tmp_path):
    root = (tmp_path / "project").resolve()
    root.mkdir()
    return Folder(root)


@pytest.fixture
def pool(folder):
    with WorkerPool(folder.root, limit=2, grace_s=0.3) as opened:
        yield opened


@pytest.fixture
def found(folder, pool):
    """Write one file and discover it."""

    def find(text, path="models/marts/file.py"):
        return discover(pool, [folder.write(path, text)])[0]

    return find
