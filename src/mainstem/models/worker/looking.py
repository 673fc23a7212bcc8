# SPDX-License-Identifier: Apache-2.0
"""Let a sensor look, in a worker: it may raise, hang, print without end, or kill its process."""

from __future__ import annotations

from datetime import datetime

from mainstem.errors import InternalError
from mainstem.models.python.definition import PythonSensor
from mainstem.models.worker.message import Failed, Sense, Sensed
from mainstem.models.worker.output import Log, Stream
from mainstem.models.worker.pool import WorkerPool
from mainstem.types import SensorAnswer


def look(
    pool: WorkerPool,
    sensor: PythonSensor,
    *,
    cursor: str,
    now: datetime,
    timeout_s: float,
    log: Log | None = None,
) -> SensorAnswer:
    """Call a sensor once.

    Args:
        pool: Where.
        sensor: Which.
        cursor: JSON; empty at the first look.
        now: Of the clock.
        timeout_s: After which its process is killed.
        log: Takes what it prints; dropped without.

    Raises:
        StepFailed: It raised, hung, died, or gave what it must not.
    """
    last = pool.run(
        Sense(
            file=sensor.file,
            function=sensor.function,
            sensor=sensor.name,
            parameters=sensor.parameters,
            cursor=cursor,
            now=now,
        ),
        asset=f"sensor {sensor.name}",
        answer=lambda _: None,
        log=log or _drop,
        timeout_s=timeout_s,
    )
    match last:
        case Sensed():
            return last.answer
        case Failed():
            raise last.error
        case _:
            raise InternalError("A9071", f"a sensor was answered by {type(last).__name__}.")


def _drop(_text: str, _stream: Stream) -> None:
    pass
