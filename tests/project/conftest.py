# SPDX-License-Identifier: Apache-2.0
"""A small project in a folder, to change at will."""

import os

import pytest

import mainstem

FILES = {
    "mainstem.yml": "name: shop\nvars: {minimum: 2}\n",
    "ingest/shop.yml": "type: files\npath: data/\ninto: raw\ntables:\n  orders: orders.csv\n",
    "data/orders.csv": "id,amount\n1,10\n2,20\n3,30\n",
    "models/staging/orders.sql": "select id, amount from raw.orders\n",
    "models/marts/large.sql": (
        "/* ---\nmaterialized: table\n--- */\n"
        "select id, amount from staging.orders where id >= {{ var('minimum') }}\n"
    ),
}


class Folder:
    def __init__(self, path):
        self.path = path

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        # As if the edit had been made long ago: what tells it apart is then its content and size.
        os.utime(file, (1_700_000_000 + len(text), 1_700_000_000 + len(text)))

    def remove(self, name):
        (self.path / name).unlink()

    def open(self, **options):
        return mainstem.open(self.path, **options)

    def actions(self, **options):
        with self.open(**options) as project:
            return {str(item.key): item.action for item in project.plan().assets}

    def run(self, **options):
        with self.open(**options) as project:
            return project.run()


@pytest.fixture
def shop(tmp_path):
    folder = Folder(tmp_path / "shop")
    for name, text in FILES.items():
        folder.write(name, text)
    return folder
