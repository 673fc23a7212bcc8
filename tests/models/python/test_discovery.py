# SPDX-License-Identifier: Apache-2.0
import itertools
import os
import sys

import pytest

from mainstem.errors import ModelInvalid
from mainstem.models import discover, is_current, output_keys


@pytest.fixture
def folder(warm):
    return warm[0]


@pytest.fixture
def pool(warm):
    return warm[1]


@pytest.fixture
def found(folder, pool):
    """Write one file and discover it; with a name of its own, so that the worker stays."""

    def find(text, path=""):
        path = path or f"models/marts/file_{next(NUMBERS)}.py"
        return discover(pool, [folder.write(path, text)])[0]

    return find


NUMBERS = itertools.count()


def _names(discovered):
    return [str(key) for model in discovered.models for key in output_keys(model)]


def test_a_decorated_function_is_an_asset_named_by_folder_and_function(found):
    discovered = found("from mainstem import asset\n@asset\ndef delays() -> None: ...\n")

    assert _names(discovered) == ["marts.delays"]
    assert discovered.errors == ()


def test_a_file_at_the_top_of_models_is_in_main(found):
    discovered = found("from mainstem import asset\n@asset\ndef a() -> None: ...\n", "models/x.py")

    assert _names(discovered) == ["main.a"]


def test_key_and_namespace_override_the_names_of_folder_and_function(found):
    discovered = found(
        """
        from mainstem import asset
        @asset(key="raw.orders")
        def a() -> None: ...
        @asset(namespace="other")
        def b() -> None: ...
        """
    )

    assert _names(discovered) == ["raw.orders", "other.b"]


def test_the_supervisor_does_not_import_user_code(found):
    found("from mainstem import asset\n@asset\ndef a() -> None: ...\n", "models/only_there.py")

    assert not any("only_there" in name for name in sys.modules)


FORMS = {
    "": "arrow",
    ": pa.Table": "arrow",
    ": pa.RecordBatchReader": "reader",
    ": pd.DataFrame": "pandas",
    ": pl.DataFrame": "polars",
    ": pl.LazyFrame": "lazy",
    ": duckdb.DuckDBPyRelation": "duckdb",
    ": TableRef": "reference",
    ": pa.Table | None": "arrow",
    ": typing.Optional[pl.LazyFrame]": "lazy",
    ": None": "nothing",
    ": 'pd.DataFrame'": "pandas",
}


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_the_annotation_decides_the_form(found, future):
    parameters = ", ".join(f"x{index}{text}" for index, text in enumerate(FORMS))
    discovered = found(
        f"{future}import typing, duckdb, pandas as pd, polars as pl, pyarrow as pa\n"
        f"from mainstem import TableRef, asset\n@asset\ndef a({parameters}): ...\n"
    )

    assert [each.form for each in discovered.models[0].parameters] == list(FORMS.values())


def test_names_that_exist_for_type_checkers_only_are_understood(found):
    discovered = found(
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        from mainstem import asset
        if TYPE_CHECKING:
            import pandas as pd
            import polars as pl
        @asset
        def a(x: pd.DataFrame, y: pl.LazyFrame | None) -> pd.DataFrame: ...
        """
    )

    assert [each.form for each in discovered.models[0].parameters] == ["pandas", "lazy"]


def test_an_unknown_annotation_names_parameter_and_what_is_allowed(found):
    (error,) = found("from mainstem import asset\n@asset\ndef a(x: int): ...\n").errors

    assert isinstance(error, ModelInvalid)
    assert error.code == "A7104"
    assert "`x` of marts.a" in error.summary
    assert "pl.LazyFrame" in error.hint
    assert error.where.line == 3


def test_parameters_with_defaults_context_and_this_are_no_inputs(found):
    discovered = found(
        """
        import pyarrow as pa
        from mainstem import Context, asset
        @asset(inputs={"rows": "raw.flights"})
        def a(rows, airports, context: Context, this: pa.Table | None, limit=3): ...
        """
    )
    model = discovered.models[0]

    assert [(each.name, each.source) for each in model.parameters] == [
        ("rows", "raw.flights"),
        ("airports", "airports"),
    ]
    assert model.takes_context
    assert model.this == "arrow"


@pytest.mark.parametrize("signature", ["*flights", "**flights", "flights, /"])
def test_parameters_that_cannot_be_named_are_refused(found, signature):
    (error,) = found(f"from mainstem import asset\n@asset\ndef a({signature}): ...\n").errors

    assert error.code == "A7105"


def test_async_functions_are_refused(found):
    (error,) = found("from mainstem import asset\n@asset\nasync def a(): ...\n").errors

    assert error.code == "A7105"
    assert "asyncio.run" in error.hint


def test_only_functions_are_decorated(found):
    text = "import functools\nfrom mainstem import asset\na = asset(functools.partial(print))\n"
    (error,) = found(text).errors

    assert error.code == "A7101"
    assert "decorates functions" in error.summary


def test_inputs_that_name_no_parameter_are_refused_with_the_nearest(found):
    text = "from mainstem import asset\n@asset(inputs={'flihgts': 'raw.x'})\ndef a(flights): ...\n"
    (error,) = found(text).errors

    assert error.code == "A7105"
    assert "`flights`" in error.hint


def test_an_unknown_option_names_the_nearest_and_spares_the_other_assets(found):
    discovered = found(
        """
        from mainstem import asset
        @asset(materialised="table")
        def a(x): ...
        @asset
        def b(x): ...
        """
    )

    assert _names(discovered) == ["marts.b"]
    assert discovered.errors[0].code == "A7103"
    assert "`materialized`" in discovered.errors[0].hint


def test_a_check_that_names_no_asset_is_told_rather_than_forgotten(found):
    text = "from mainstem import check\n@check\ndef positive(orders): ...\n"
    (error,) = found(text).errors

    assert error.code == "A7103"
    assert '@check("namespace.name")' in error.hint


def test_contracts_say_that_they_come_later(found):
    text = "from mainstem import asset\n@asset(contract=True)\ndef a(x): ...\n"
    (error,) = found(text).errors

    assert error.code == "A7106"


def test_checks_in_decorators_are_entries_as_in_yaml(found):
    discovered = found(
        """
        from mainstem import asset, between, unique
        @asset(checks=[unique("airport", "month"), between("delay", min=-60, severity="warn")])
        def a(x): ...
        """
    )

    assert discovered.models[0].outputs[0].options["checks"] == [
        {"unique": {"columns": ["airport", "month"]}},
        {"between": {"columns": ["delay"], "min": -60, "severity": "warn"}},
    ]


def test_a_multi_asset_has_the_options_of_each_output(found):
    discovered = found(
        """
        from mainstem import multi_asset
        @multi_asset({"raw.a": {"tags": ["x"]}, "b": {}}, retries=2)
        def both(): ...
        """
    )
    (model,) = discovered.models

    assert _names(discovered) == ["raw.a", "marts.b"]
    assert model.is_multi
    assert [output.options for output in model.outputs] == [
        {"retries": 2, "tags": ["x"]},
        {"retries": 2},
    ]


def test_assets_made_in_a_loop_are_found_in_a_list(found):
    discovered = found(
        """
        from mainstem import asset
        def make(name):
            def build() -> None: ...
            return asset(key=f"raw.{name}")(build)
        made = [make(name) for name in ("a", "b")]
        """
    )

    assert _names(discovered) == ["raw.a", "raw.b"]


def test_a_check_names_its_asset(found):
    discovered = found(
        """
        import pyarrow as pa
        from mainstem import check
        @check("marts.delays", severity="warn")
        def complete(delays: pa.Table) -> bool:
            "All months."
        """,
        "checks/complete.py",
    )
    (check,) = discovered.checks

    assert (check.asset, check.function, check.doc) == ("marts.delays", "complete", "All months.")
    assert check.options == {"severity": "warn"}


def test_helpers_are_imported_from_the_project_root_and_from_beside(folder, found):
    folder.write("models/lib.py", "def one(): return 'one'\n")
    folder.write("models/marts/near.py", "def two(): return 'two'\n")
    folder.write("shared.py", "three = 'three'\n")
    discovered = found(
        """
        from mainstem import asset
        from models.lib import one
        from .near import two
        import shared
        asset_name = one() + two() + shared.three
        @asset(key=f"x.{asset_name}")
        def a() -> None: ...
        """
    )

    assert discovered.errors == ()
    assert _names(discovered) == ["x.onetwothree"]
    assert set(discovered.files) == {
        "models/lib.py",
        discovered.file,
        "models/marts/near.py",
        "shared.py",
    }


def test_a_file_whose_name_is_no_identifier_is_imported_too(found):
    text = "from mainstem import asset\n@asset\ndef a() -> None: ...\n"

    assert _names(found(text, "models/2013-stats.py")) == ["main.a"]


def test_files_without_decorators_are_not_imported(found):
    discovered = found("raise RuntimeError('never')\n")

    assert discovered.errors == ()


def test_an_error_while_importing_has_the_users_traceback_on_top(found):
    text = "from mainstem import asset\ndef f():\n    return {}['gone']\nf()\n"
    discovered = found(text)
    (error,) = discovered.errors

    assert error.code == "A7101"
    assert "KeyError: 'gone'" in error.summary
    assert (error.where.file, error.where.line) == (discovered.file, 3)
    assert "models/worker" not in error.details
    assert error.details.splitlines()[1].strip().startswith("File ")
    assert discovered.file in error.details.splitlines()[1]


def test_a_syntax_error_has_its_place(found):
    (error,) = found("from mainstem import asset\n@asset\ndef a(:\n").errors

    assert error.code == "A7102"
    assert error.where.line == 3
    assert error.where.excerpt == "def a(:"


def test_a_missing_module_beside_the_file_says_how_to_import_it(folder, found):
    folder.write("models/marts/near.py", "x = 1\n")
    (error,) = found("from mainstem import asset\nimport near\n").errors

    assert error.code == "A7101"
    assert "from .near import" in error.hint


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("import sys; sys.exit(3)", "SystemExit"),
        ("import os; os._exit(3)", "exited with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_file_that_ends_the_process_spares_the_others(folder, pool, fault, word):
    good = "from mainstem import asset\n@asset\ndef a() -> None: ...\n"
    files = [
        folder.write("models/a.py", good),
        folder.write("models/b.py", f"from mainstem import asset\n{fault}\n"),
        folder.write("models/c.py", good),
    ]
    one, two, three = discover(pool, files)

    assert (_names(one), _names(three)) == (["main.a"], ["main.a"])
    assert word in two.errors[0].summary
    assert two.errors[0].where.file == "models/b.py"


def test_a_file_that_hangs_while_imported_spares_the_others(folder, pool):
    files = [
        folder.write("models/a.py", "from mainstem import asset\nwhile True: pass\n"),
        folder.write("models/b.py", "from mainstem import asset\n@asset\ndef b() -> None: ...\n"),
    ]
    hanging, fine = discover(pool, files, timeout_s=4.0)

    assert hanging.errors[0].code == "A7107"
    assert "took too long" in hanging.errors[0].summary
    assert _names(fine) == ["main.b"]


def test_the_time_to_import_is_for_each_file(folder, pool):
    slow = "import time\nfrom mainstem import asset\ntime.sleep(0.9)\n"
    files = [folder.write(f"models/slow_{index}.py", slow) for index in range(5)]

    assert [each.errors for each in discover(pool, files, timeout_s=4.0)] == [()] * 5


def test_what_was_discovered_is_current_until_a_module_changes(folder, found):
    folder.write("models/lib.py", "x = 1\n")
    discovered = found("from mainstem import asset\nfrom models.lib import x\nimport json\n")

    assert is_current(discovered, folder.root)
    folder.write("models/lib.py", "x = 2\n")
    assert not is_current(discovered, folder.root)


def test_what_was_discovered_is_not_current_once_an_import_is_shadowed(folder, found):
    discovered = found("from mainstem import asset\nimport json\n")
    shadow = folder.root / folder.write("json.py", "")
    is_still = is_current(discovered, folder.root)
    shadow.unlink()

    assert not is_still


def test_errors_are_not_current(folder, found):
    assert not is_current(found("from mainstem import asset\n1/0\n"), folder.root)


def test_a_changed_module_is_imported_anew(folder, found):
    text = (
        "from mainstem import asset\nfrom models.lib import n\n"
        "@asset(key=n)\ndef a() -> None: ...\n"
    )
    folder.write("models/lib.py", "n = 'x.one'\n")
    before = _names(found(text))
    folder.write("models/lib.py", "n = 'x.two'\n")
    os.utime(folder.root / "models/lib.py")

    assert (before, _names(found(text))) == (["x.one"], ["x.two"])
