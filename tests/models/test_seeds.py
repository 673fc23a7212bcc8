# SPDX-License-Identifier: Apache-2.0
"""Seeds: CSV files of the project as tables."""

from __future__ import annotations

from datetime import date

import pytest

from mainstem.errors import MainstemError, ModelInvalid
from mainstem.models import PropertyIndex, SeedStep, load_properties, load_seed
from mainstem.types import AssetKey

PATH = "seeds/holidays.csv"


def seed(shop, text, *, yaml=""):
    folder = shop.folder / "seeds"
    folder.mkdir(exist_ok=True)
    (folder / "holidays.csv").write_text(text, encoding="utf-8")
    index = PropertyIndex(entries=load_properties(yaml, "models/p.yml") if yaml else ())
    asset = load_seed(
        PATH, f"digest of {text}", index.of(AssetKey("seeds", "holidays"), section="seeds")
    )
    return SeedStep(asset, shop.engine, folder=shop.folder)


def test_a_seed_becomes_a_table_with_sniffed_types(shop):
    step = seed(shop, "day,name,weight\n2026-01-01,New Year,1.5\n2026-05-01,,2\n")

    outcome = shop.execute(step)

    assert shop.all("seeds.holidays") == [
        (date(2026, 1, 1), "New Year", 1.5),
        (date(2026, 5, 1), None, 2.0),
    ]
    assert outcome.rows == {AssetKey("seeds", "holidays"): 2}


def test_declared_types_win(shop):
    yaml = (
        "seeds: [{name: holidays, columns: [{name: code, data_type: varchar}], config: "
        "{column_types: {n: bigint}}}]"
    )
    step = seed(shop, "code,n\n007,1\n", yaml=yaml)

    shop.execute(step)

    assert shop.all("seeds.holidays") == [("007", 1)]
    schema = shop.lake.relation(AssetKey("seeds", "holidays"), "main").schema
    assert [str(field.type) for field in schema] == ["string", "long"]


def test_a_late_value_widens_a_column_instead_of_breaking_it(shop):
    rows = "\n".join(str(number) for number in range(30_000))

    shop.execute(seed(shop, f"n\n{rows}\nlast\n"))

    assert shop.rows("select count(*), max(n) from seeds.holidays", "seeds.holidays") == [
        (30_001, "last")
    ]


def test_the_code_version_is_that_of_text_and_types(shop):
    one = load_seed(PATH, "a")
    types = load_properties(
        "seeds: [{name: holidays, config: {column_types: {n: bigint}}}]", "p.yml"
    )
    described = load_properties("seeds: [{name: holidays, description: days}]", "p.yml")

    assert one.code_version != load_seed(PATH, "b").code_version
    assert one.code_version != load_seed(PATH, "a", types[0]).code_version
    assert one.code_version == load_seed(PATH, "a", described[0]).code_version


def test_a_declared_column_that_the_file_lacks_is_an_error(shop):
    yaml = "seeds: [{name: holidays, columns: [{name: dya, data_type: date}]}]"

    with pytest.raises(ModelInvalid) as caught:
        shop.execute(seed(shop, "day\n2026-01-01\n", yaml=yaml))

    assert caught.value.code == "A2036"
    assert caught.value.hint == "Did you mean `day`?"
    assert caught.value.where.file == PATH


def test_a_type_that_cannot_be_one_is_refused_when_loaded():
    yaml = "seeds: [{name: holidays, columns: [{name: day, data_type: 'date); drop table x'}]}]"

    with pytest.raises(ModelInvalid) as caught:
        load_seed(PATH, "a", load_properties(yaml, "p.yml")[0])

    assert caught.value.code == "A2036"


def test_a_value_that_does_not_fit_its_declared_type_names_the_file(shop):
    yaml = "seeds: [{name: holidays, columns: [{name: day, data_type: date}]}]"

    with pytest.raises(MainstemError) as caught:
        shop.execute(seed(shop, "day\nsoon\n", yaml=yaml))

    assert caught.value.where.file == PATH
    assert "soon" in f"{caught.value.summary} {caught.value.details}"


def test_a_missing_file_is_an_error_that_names_it(shop):
    step = seed(shop, "a\n1\n")
    (shop.folder / PATH).unlink()

    with pytest.raises(MainstemError) as caught:
        shop.execute(step)

    assert "holidays.csv" in f"{caught.value.summary} {caught.value.where.file}"
