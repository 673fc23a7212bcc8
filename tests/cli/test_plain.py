# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import orjson

from mainstem.cli.render.plain import event_object, plain
from mainstem.errors import UserError
from mainstem.runs import StepFinished
from mainstem.types import AssetKey


def test_everything_that_commands_print_becomes_json():
    value = {
        AssetKey.parse("a.b"): (1, 2.5, None, True),
        "when": datetime(2026, 1, 1, tzinfo=UTC),
        "day": date(2026, 1, 1),
        "took": timedelta(seconds=3),
        "money": Decimal("1.10"),
        "raw": b"\x01",
        "error": UserError("A1051", "no"),
    }

    found = orjson.loads(orjson.dumps(plain(value)))

    assert found["a.b"] == [1, 2.5, None, True]
    assert found["when"] == "2026-01-01T00:00:00+00:00"
    assert (found["took"], found["money"], found["raw"]) == (3.0, "1.10", "01")
    assert found["error"]["code"] == "A1051"


def test_an_event_names_itself():
    event = StepFinished(key=AssetKey.parse("a.b"), status="built", rows=3)

    found = event_object(event)

    assert (found["event"], found["key"], found["rows"]) == ("step_finished", "a.b", 3)
