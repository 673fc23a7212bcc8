# SPDX-License-Identifier: Apache-2.0
"""What the machine is told and what it answers: events and instructions, as values."""

from __future__ import annotations

from typing import Literal

from mainstem.runs.event import RunStatus, StepStatus
from mainstem.types import NO_RETRY, Retry, dataclass

GateMoment = Literal["early", "late"]


@dataclass(frozen=True, slots=True)
class Begun:
    """The run has its leases and its row."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a step has to do, now that the versions of its inputs are known."""

    step: int
    action: Literal["attempt", "judge", "unchanged", "skip"]
    """judge: only its gates are to be evaluated."""
    reason: str = ""
    retry: Retry = NO_RETRY
    claims: bool = True
    """An attempt does work, so it needs slots of the step's pools, if there are any."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Whether a step got the slots that it asked for: all of them, or none."""

    step: int
    is_granted: bool


@dataclass(frozen=True, slots=True)
class SlotDue:
    """It is time to ask for slots of these pools again: others may have given some back."""

    pools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttemptSucceeded:
    """An attempt did its work and its changes are staged on the run's branch."""

    step: int
    attempt: int
    has_changes: bool = True
    """Something for others to read came of it."""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt raised, timed out, or its worker died."""

    step: int
    attempt: int
    is_retryable: bool = False
    jitter: float = 0.0
    """Random number from 0 to 1, drawn by the driver."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The delay before another attempt is over."""

    step: int


@dataclass(frozen=True, slots=True)
class GatesEvaluated:
    """All gates of one moment of a step have a verdict."""

    step: int
    moment: GateMoment = "early"
    held_because: str = ""
    """What failed with severity error; empty if the step passed."""


@dataclass(frozen=True, slots=True)
class RunTimedOut:
    """The run has taken as long as it may."""

    reason: str


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """Let what goes on go on, and start nothing."""


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """Start steps again."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Ctrl-C, once."""


@dataclass(frozen=True, slots=True)
class CancelExpired:
    """What was told to stop did not within its time, or Ctrl-C came twice."""


Event = (
    Begun
    | Decided
    | AttemptSucceeded
    | AttemptFailed
    | Claimed
    | SlotDue
    | RetryDue
    | GatesEvaluated
    | PauseRequested
    | ResumeRequested
    | RunTimedOut
    | CancelRequested
    | CancelExpired
)


@dataclass(frozen=True, slots=True)
class Decide:
    """Look at the inputs of a step whose turn it is."""

    step: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Ask for slots of the step's pools for an attempt, and give `Claimed` at once."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class WaitForSlot:
    """Give `SlotDue` after a while."""

    pools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Execute a step in a thread."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class WaitForRetry:
    """Give `RetryDue` after a delay."""

    step: int
    attempt: int
    """The one that failed."""
    delay_s: float


@dataclass(frozen=True, slots=True)
class EvaluateGates:
    """Judge what a step built, in a thread."""

    step: int
    moment: GateMoment


@dataclass(frozen=True, slots=True)
class CancelAttempts:
    """Tell everything that runs to stop, and give `CancelExpired` if it does not."""


@dataclass(frozen=True, slots=True)
class StopAttempts:
    """Tell everything that runs to stop as if each had timed out; each ends as failed or held."""

    reason: str


@dataclass(frozen=True, slots=True)
class AbandonAttempts:
    """Go on without what still runs; it can no longer commit."""


@dataclass(frozen=True, slots=True)
class FinishStep:
    """A step has ended; may come again if the end of the run holds it back."""

    step: int
    status: StepStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndRun:
    """Publish these steps, and write how the run ended."""

    status: RunStatus
    publish: tuple[int, ...]


Instruction = (
    Decide
    | Claim
    | WaitForSlot
    | StartAttempt
    | WaitForRetry
    | EvaluateGates
    | CancelAttempts
    | StopAttempts
    | AbandonAttempts
    | FinishStep
    | EndRun
)
