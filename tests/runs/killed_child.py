# SPDX-License-Identifier: Apache-2.0
"""One run in a process of its own, to be killed: `killed_child.py FOLDER CONTENT`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def open_world(folder: Path):
    from mainstem.types import SystemClock  # noqa: PLC0415

    path = Path(__file__).with_name("conftest.py")
    spec = importlib.util.spec_from_file_location("runs_world", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["runs_world"] = module
    spec.loader.exec_module(module)
    world = module.World(folder, clock=SystemClock())
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.add("staging.v", "raw.a", materialized="view")
    world.add("marts.c", "staging.b", "staging.v")
    world.add("marts.i", "raw.a", materialized="incremental", on_code_change="forward")
    world.add("ops.mail", "marts.c", kind="python", materialized="none")
    world.gate("staging.b", "equal_to", "raw.a")
    world.gate("staging.v")
    world.gate("raw.a", "complete", "marts.i")
    return world


if __name__ == "__main__":
    opened = open_world(Path(sys.argv[1]))
    opened.sources["raw.a"] = sys.argv[2]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    finished = opened.run()
    sys.stdout.write(f"{finished.status} {finished.commit_id}\n")
