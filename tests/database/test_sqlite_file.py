# SPDX-License-Identifier: Apache-2.0
"""What can happen to the file: moved, damaged, read-only, on a network, named wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.database import open_database
from mainstem.errors import ConfigInvalid, DatabaseUnavailable, StorageFailed


def _filled(path: Path) -> None:
    database = open_database(str(path))
    with database.write() as transaction:
        transaction.execute("create table t (x text)")
        transaction.executemany("insert into t values (?)", [("word" * 100,)] * 500)
    database.close()


def test_the_folder_is_made_when_the_file_is_new(tmp_path):
    database = open_database(str(tmp_path / "a" / "b" / "lake.db"))

    assert (tmp_path / "a" / "b" / "lake.db").exists()
    database.close()


@pytest.mark.parametrize("url", ["mysql://u:secret@host/db", "sqlite://x.db", "sqlite:///"])
def test_an_unknown_url_is_refused_without_its_password(url):
    with pytest.raises(ConfigInvalid) as caught:
        open_database(url)

    assert caught.value.code == "A5007"
    assert "secret" not in str(caught.value)


def test_a_removed_file_is_an_error_and_not_a_new_database(tmp_path):
    path = tmp_path / "lake.db"
    database = open_database(str(path))
    path.unlink()

    with pytest.raises(DatabaseUnavailable) as caught, database.write():
        pass
    assert caught.value.code == "A5004"
    assert not path.exists()


def test_a_replaced_file_is_an_error(tmp_path):
    path = tmp_path / "lake.db"
    database = open_database(str(path))
    path.rename(tmp_path / "old.db")
    _filled(path)

    with pytest.raises(DatabaseUnavailable) as caught, database.read():
        pass
    assert caught.value.code == "A5004"


def test_a_file_that_is_no_database_is_reported_with_what_to_do(tmp_path):
    path = tmp_path / "lake.db"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)

    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(str(path))
    assert caught.value.code == "A5002"
    assert "restore" in caught.value.hint


def test_a_damaged_page_is_reported_as_damage(tmp_path):
    path = tmp_path / "lake.db"
    _filled(path)
    body = bytearray(path.read_bytes())
    body[4096 : 4096 * 20] = b"\xa5" * (4096 * 19)
    path.write_bytes(body)
    database = open_database(str(path))

    with pytest.raises(DatabaseUnavailable) as caught, database.read() as transaction:
        transaction.execute("select sum(length(x)) from t")
    assert caught.value.code == "A5002"
    database.close()


def test_a_folder_that_is_a_file_is_reported(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(str(tmp_path / "file" / "lake.db"))
    assert caught.value.code == "A5006"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused(tmp_path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home {tmp_path} {kind} rw 0 0\n")

    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(str(tmp_path / "sub" / "lake.db"), mounts=mounts)
    assert caught.value.code == "A5001"
    assert kind in caught.value.summary


def test_a_local_disk_mounted_below_a_network_one_is_fine(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/ / nfs rw 0 0\n/dev/sdb {tmp_path} xfs rw 0 0\n")

    open_database(str(tmp_path / "lake.db"), mounts=mounts).close()


def test_a_full_disk_loses_nothing_that_was_committed(tmp_path):
    path = tmp_path / "lake.db"
    _filled(path)
    database = open_database(str(path))
    with database.write() as transaction:
        pages = transaction.execute("pragma page_count")[0][0]
        transaction.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(StorageFailed) as caught, database.write() as transaction:
        transaction.executemany("insert into t values (?)", [("x" * 4000,)] * 100)

    assert caught.value.code == "A5005"
    with database.read() as transaction:
        assert transaction.execute("select count(*) from t") == [(500,)]
    database.close()
