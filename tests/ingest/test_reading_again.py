# SPDX-License-Identifier: Apache-2.0
"""What a second load reads, by file identity and by the way of writing."""

import os

import pytest

from mainstem.errors import DataError, KeyNotUnique, SourceUnavailable


def _touch(path, nanoseconds=1_000_000_000):
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + nanoseconds))


def test_append_reads_only_new_files(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id\n2\n3\n")

    outcome = shop.load(asset)

    assert outcome.rows == {asset.key: 2}
    assert [change.operation for change in outcome.changes if hasattr(change, "operation")] == [
        "append"
    ]
    assert shop.rows(asset) == [(1,), (2,), (3,)]


def test_nothing_new_is_fresh_and_says_so(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)

    seen = shop.observe(asset)

    assert seen.is_fresh
    assert seen.summary == "nothing new in 1 file"
    assert shop.load(asset).unchanged == (asset.key,)


def test_new_files_are_summed_up(shop):
    asset = shop.asset('"*.csv"')
    shop.file("data/1.csv", "id\n" + "1\n" * 600_000)
    shop.file("data/2.csv", "id\n1\n")

    seen = shop.observe(asset)

    assert seen.summary == "2 new files, 1.2 MB"


def test_a_touched_file_with_equal_content_is_not_read_again(shop):
    asset = shop.asset("t.csv")
    path = shop.file("data/t.csv", "id\n1\n")
    shop.load(asset)
    _touch(path)

    assert shop.observe(asset).is_fresh


def test_a_changed_file_replaces_the_rows(shop):
    asset = shop.asset("t.csv")
    path = shop.file("data/t.csv", "id\n1\n")
    shop.load(asset)
    path.write_text("id,name\n2,a\n")

    seen = shop.observe(asset)
    shop.load(asset)

    assert seen.summary == "1 changed file, 12 B"
    assert shop.rows(asset) == [(2, "a")]


def test_an_equal_load_has_an_equal_data_version(shop):
    asset = shop.asset("t.csv")
    path = shop.file("data/t.csv", "id\n1\n")
    shop.load(asset)
    first = shop.table(asset).data_version
    path.write_text("id\n2\n")
    shop.load(asset)
    second = shop.table(asset).data_version
    path.write_text("id\n1\n")
    shop.load(asset)

    assert first != second
    assert shop.table(asset).data_version == first


def test_a_file_that_goes_takes_its_rows_along_when_all_rows_are_replaced(shop):
    asset = shop.asset('"*.csv"')
    path = shop.file("data/1.csv", "id\n1\n")
    shop.file("data/2.csv", "id\n2\n")
    shop.load(asset)
    path.unlink()

    seen = shop.observe(asset)
    shop.load(asset)

    assert seen.summary == "1 removed file, 1 file to read, 5 B"
    assert shop.rows(asset) == [(2,)]


def test_a_table_is_never_emptied_because_its_files_are_gone(shop):
    asset = shop.asset('"*.csv"')
    path = shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    path.unlink()

    with pytest.raises(SourceUnavailable) as caught:
        shop.load(asset)

    assert caught.value.code == "A3010"
    assert "keeps its rows" in caught.value.summary
    assert shop.rows(asset) == [(1,)]


def test_a_file_that_goes_leaves_appended_rows_and_is_not_read_again_when_it_returns(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    path = shop.file("data/1.csv", "id\n1\n")
    shop.file("data/2.csv", "id\n2\n")
    shop.load(asset)
    path.unlink()
    shop.file("data/3.csv", "id\n3\n")
    shop.load(asset)
    shop.file("data/1.csv", "id\n1\n")

    shop.load(asset)

    assert shop.rows(asset) == [(1,), (2,), (3,)]


def test_a_renamed_file_is_not_appended_twice(shop):
    asset = shop.asset('{files: "**/*.csv", write: append}')
    path = shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    (shop.folder / "data" / "done").mkdir()
    path.rename(shop.folder / "data" / "done" / "1.csv")

    outcome = shop.load(asset)

    assert outcome.notes == ("data/done/1.csv was loaded under another name",)
    assert shop.rows(asset) == [(1,)]
    assert shop.observe(asset).is_fresh


def test_a_changed_file_under_append_stops_and_says_what_to_do(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    path = shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    path.write_text("id\n1\n2\n")

    with pytest.raises(DataError) as caught:
        shop.load(asset)

    assert caught.value.code == "A3012"
    assert "`write: upsert` with a key" in caught.value.hint
    assert shop.rows(asset) == [(1,)]


def test_reload_reads_all_files_again(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    path = shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    path.write_text("id\n1\n2\n")

    shop.load(asset, reload=True)

    assert shop.rows(asset) == [(1,), (2,)]
    assert shop.observe(asset).is_fresh


def test_changed_options_read_all_files_again_while_they_are_there(shop):
    shop.file("data/1.csv", "id,x\n1,NA\n")
    shop.load(shop.asset('{files: "*.csv", write: append}'))
    asset = shop.asset('{files: "*.csv", write: append, null_values: [NA]}')

    seen = shop.observe(asset)
    shop.load(asset)

    assert seen.summary == "its options changed: 1 file to read, 10 B"
    assert shop.rows(asset) == [(1, None)]


def test_changed_options_go_forward_with_a_warning_once_files_are_gone(shop):
    path = shop.file("data/1.csv", "id,x\n1,NA\n")
    shop.load(shop.asset('{files: "*.csv", write: append}'))
    path.unlink()
    shop.file("data/2.csv", "id,x\n2,NA\n")
    asset = shop.asset('{files: "*.csv", write: append, null_values: [NA]}')

    outcome = shop.load(asset)

    assert "put the files back" in outcome.warnings[0]
    assert shop.rows(asset) == [(1, "NA"), (2, None)]


def test_what_describes_a_table_reads_nothing_again(shop):
    shop.file("data/t.csv", "id\n1\n")
    shop.load(shop.asset("t.csv"))

    asset = shop.asset("{files: t.csv, description: all, tags: [x], checks: [not_null: id]}")

    assert shop.observe(asset).is_fresh


def test_upsert_replaces_rows_by_key_and_only_files_that_hold_them(shop):
    asset = shop.asset('{files: "*.csv", key: id}')
    shop.file("data/1.csv", "id,v\n" + "".join(f"{n},a\n" for n in range(100)))
    shop.load(asset)
    shop.file("data/2.csv", "id,v\n1000,a\n")
    shop.load(asset)
    shop.file("data/3.csv", "id,v\n5,b\n2000,c\n")

    outcome = shop.load(asset)

    write = outcome.changes[0]
    assert (write.operation, len(write.removed)) == ("upsert", 1)
    assert outcome.rows == {asset.key: 2}
    rows = dict(shop.rows(asset))
    assert (len(rows), rows[5], rows[6], rows[1000], rows[2000]) == (102, "b", "a", "a", "c")


def test_of_one_key_the_last_file_wins(shop):
    asset = shop.asset('{files: "*.csv", key: [id]}')
    shop.file("data/2024-01-01.csv", "id,v\n1,a\n2,a\n")
    shop.file("data/2024-01-02.csv", "id,v\n2,b\n3,b\n")

    shop.load(asset)

    assert shop.rows(asset) == [(1, "a"), (2, "b"), (3, "b")]


def test_a_changed_file_is_upserted_again(shop):
    asset = shop.asset("{files: t.csv, key: id}")
    path = shop.file("data/t.csv", "id,v\n1,a\n2,a\n")
    shop.load(asset)
    path.write_text("id,v\n2,b\n")

    shop.load(asset)

    assert shop.rows(asset) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_repeats_within_a_file_is_named(shop, first):
    asset = shop.asset('{files: "*.csv", key: [id, day]}')
    if not first:
        shop.file("data/0.csv", "id,day\n1,1\n")
        shop.load(asset)
    shop.file("data/1.csv", "id,day\n1,1\n1,1\n2,1\n,3\n")

    with pytest.raises(KeyNotUnique) as caught:
        shop.load(asset)

    assert caught.value.code == "A3033"
    assert "1/1" in caught.value.summary
    assert "1 row have a null" in caught.value.summary or "null in the key" in caught.value.summary


def test_the_folder_may_come_from_a_variable(shop):
    shop.file(".env", "WHERE=elsewhere\n")
    shop.file("elsewhere/t.csv", "id\n1\n")
    asset = shop.asset("t.csv", folder='"${WHERE}"')

    shop.load(asset)

    assert shop.rows(asset) == [(1,)]


def test_a_missing_file_is_named_with_the_nearest_one(shop):
    shop.file("data/planes.csv", "id\n1\n")
    asset = shop.asset("plane.csv")

    seen = shop.observe(asset)

    assert seen.problem.code == "A3010"
    assert seen.problem.hint == "Did you mean `planes.csv`?"
    assert not seen.is_fresh


def test_a_glob_without_a_match_is_an_error_on_the_first_load(shop):
    shop.file("data/x.txt", "")
    asset = shop.asset('"*.csv"')

    with pytest.raises(SourceUnavailable) as caught:
        shop.load(asset)

    assert caught.value.summary == "No file matches *.csv below data."
