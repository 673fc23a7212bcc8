# SPDX-License-Identifier: Apache-2.0
"""A reader that looks all the time: tables that are made together are seen together."""

from __future__ import annotations

import threading
from pathlib import Path

import mainstem
from mainstem.errors import AssetNotFound, MainstemError, SqlInvalid

TOGETHER = """
select (select count(*) from raw.events) as raw, (select count(*) from staging.events) as staging,
  (select n from marts.totals) as totals
"""


class Reader:
    """Looks from a thread, with a project of its own, until it is told to stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wrong: list[str] = []
        self.looks = 0
        self._last = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)

    def _look_on(self) -> None:
        with mainstem.open(self.folder) as project:
            while not self._over.wait(0.15):
                try:
                    row = project.sql(TOGETHER).to_pylist()[0]
                except (AssetNotFound, SqlInvalid):
                    continue  # nothing is published yet
                except MainstemError as error:
                    if not error.is_retryable:
                        self.wrong.append(f"a reader was refused: {error.code} {error}")
                    continue
                self._compare(row)

    def _compare(self, row: dict[str, int]) -> None:
        self.looks += 1
        if len(set(row.values())) != 1:
            self.wrong.append(f"a reader saw half a commit: {row}")
        if row["raw"] < self._last:
            self.wrong.append(f"a reader saw {row['raw']} rows after {self._last}")
        self._last = row["raw"]
