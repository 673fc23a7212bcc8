# SPDX-License-Identifier: Apache-2.0
"""`mainstem token`."""

import re
import subprocess
import sys


def test_a_token_is_shown_once(mainstem, shop):
    made = mainstem("token", "create", "ci", "--role", "runner", "--expires", "12h")

    assert made.code == 0
    assert re.fullmatch(r"mst_[0-9a-f]{12}_[0-9a-f]{64}\n", made.out)
    listed = mainstem("token", "list")
    assert "ci" in listed.out
    assert "runner" in listed.out
    assert made.out.strip().rpartition("_")[2] not in listed.out
    assert "digest" not in mainstem("token", "list", "--json").out


def test_a_token_is_revoked_by_its_id(mainstem, shop):
    token_id = mainstem("token", "create", "ci", "--json").document["id"]

    assert mainstem("token", "revoke", token_id).code == 0

    assert "revoked" in mainstem("token", "list").out
    again = mainstem("token", "revoke", token_id)
    assert (again.code, "A8117" in again.err) == (1, True)


def test_a_role_that_is_none_is_refused(mainstem, shop):
    done = mainstem("token", "create", "ci", "--role", "viwer")

    assert done.code == 1
    assert "Did you mean `viewer`?" in done.err


def test_tokens_need_no_web_framework(mainstem, shop):
    code = (
        "import sys; from mainstem.cli.app import execute; execute(['token', 'list']); "
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()

    assert [
        name for name in ("starlette", "strawberry", "uvicorn", "graphql") if name in loaded
    ] == []
