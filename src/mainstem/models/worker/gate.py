# SPDX-License-Identifier: Apache-2.0
"""The gate of a check that is written in Python: evaluated in a worker process, as models are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mainstem.errors import Cancelled, MainstemError
from mainstem.models.python.definition import PythonCheck
from mainstem.models.worker.message import Facts, Failed, Given, Judge, Judged
from mainstem.models.worker.pool import WorkerPool
from mainstem.models.worker.step import closure_of
from mainstem.runs import CancelToken
from mainstem.types import AssetKey, CheckResult, CheckSpec, Relation, Verdict, plural, seconds_in


class PythonGate:
    """Judges an asset by a user's function.

    Args:
        check: With names resolved.
        pool: The project's workers.
        variables: Of the project, for `context.vars`.
    """

    quarantines = False

    def __init__(
        self, check: PythonCheck, pool: WorkerPool, *, variables: Mapping[str, Any] | None = None
    ) -> None:
        self._check = check
        self._pool = pool
        self._facts = Facts(variables=dict(variables or {}))
        self.spec = spec_of(check)
        self.check_id = self.spec.id
        self.asset = self.spec.asset
        self.reads: tuple[AssetKey, ...] = tuple(
            dict.fromkeys(each.key for each in check.parameters if each.key is not None)
        )

    def evaluate(
        self, relation: Callable[[AssetKey], Relation], cancel: CancelToken
    ) -> CheckResult:
        """Judge; what the function raises makes the check `errored`."""
        clock = self._pool.clock
        start = clock.monotonic_s()
        try:
            answer = self._pool.run(
                self._request(relation),
                asset=self.check_id,
                answer=_ignore,
                log=_ignore_line,
                cancel=cancel,
                timeout_s=seconds_in(self._check.options.get("timeout")),
            )
            if isinstance(answer, Failed):
                raise answer.error
        except Cancelled:
            raise
        except MainstemError as error:
            elapsed_s = clock.monotonic_s() - start
            return self._result("errored", message=str(error), elapsed_s=elapsed_s)
        assert isinstance(answer, Judged), "a Judge is answered by Judged or Failed"
        verdict: Verdict = "failed" if self.spec.severity == "error" else "warned"
        count = answer.failed_count
        found = plural(count, "failing row") if count else "no failing rows"
        return self._result(
            "passed" if answer.passed else verdict,
            message=f"{self.spec.title}: {answer.passed if count is None else found}",
            failed_count=count,
            sample=answer.sample,
            elapsed_s=clock.monotonic_s() - start,
        )

    def _request(self, relation: Callable[[AssetKey], Relation]) -> Judge:
        given = []
        for each in self._check.parameters:
            assert each.key is not None, "names were resolved when the check was made"
            relations = closure_of(relation(each.key), relation)
            given.append(Given(parameter=each.name, form=each.form, relations=relations))
        return Judge(
            file=self._check.file,
            function=self._check.function,
            check=self.check_id,
            given=tuple(given),
            facts=self._facts,
            takes_context=self._check.takes_context,
            sample=self.spec.sample,
        )

    def _result(self, verdict: Verdict, **found: Any) -> CheckResult:
        return CheckResult(
            check_id=self.check_id,
            asset=self.asset,
            verdict=verdict,
            severity=self.spec.severity,
            **found,
        )


def spec_of(check: PythonCheck) -> CheckSpec:
    """Describe a Python check as any other is: its name is that of the function."""
    assert check.key is not None, "names were resolved when the check was made"
    options = check.options
    return CheckSpec(
        asset=check.key,
        name="python",
        arguments={"function": check.function, "code": check.code.digest},
        severity=options.get("severity", "error"),
        sample=options.get("sample", 20),
        label=options.get("name") or check.function,
        tags=tuple(options.get("tags", ())),
        description=options.get("description") or check.doc,
        file=check.file,
        line=check.line,
    )


def _ignore(_message: Any) -> None:
    pass


def _ignore_line(_text: str, _stream: str) -> None:
    pass
