# SPDX-License-Identifier: Apache-2.0
"""What makes a Python asset another version, and what does not."""

import textwrap

import pytest

from mainstem.models.python.source import Project, absent_of, code_of, outside_of

FILE = """
    import math
    from mainstem import asset, unique
    from models.lib import scale

    RATE = 2

    @asset(checks=[unique("a")], tags=["x"])
    def one(flights):
        "Doc."
        return scale(flights) * RATE  # why

    @asset
    def two(one):
        return math.floor(one)
    """
LIB = """
    '''Helpers.'''
    from . import deep

    def scale(x):
        return deep.times(x)
    """


@pytest.fixture
def code(folder):
    folder.write("models/lib.py", LIB)
    folder.write("models/deep.py", "def times(x):\n    return x * 3\n")

    def tell(text=FILE, function="one"):
        folder.write("models/file.py", text)
        return code_of(Project(folder.root), "models/file.py", function)[0]

    return tell


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Doc."', '"Another text."'),
        ("# why", "# because"),
        ("* RATE", "*  RATE"),
        ('tags=["x"]', 'tags=["y"], owner="me"'),
        ('unique("a")', 'unique("b")'),
        ("import asset, unique", "import asset, not_null, unique"),
        ("return math.floor(one)", "return math.ceil(one)"),
    ],
)
def test_what_shapes_no_data_changes_no_version(code, old, new):
    assert old in FILE
    before = code()

    assert code(FILE.replace(old, new)).digest == before.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 2", "RATE = 3"),
        ("scale(flights) * RATE", "scale(flights) + RATE"),
        ("def one(flights)", "def one(flights, more)"),
        ("return scale(flights)", "two; return scale(flights)"),
    ],
)
def test_what_the_function_does_or_names_changes_its_version(code, old, new):
    assert old in FILE
    before = code()

    assert code(FILE.replace(old, new)).digest != before.digest


def test_an_asset_that_the_function_names_is_part_of_it(code):
    naming = FILE.replace("return scale(flights)", "two; return scale(flights)")
    before = code(naming)

    assert code(naming.replace("floor", "ceil")).digest != before.digest


@pytest.mark.parametrize("path", ["models/lib.py", "models/deep.py"])
def test_imported_project_modules_are_part_of_it_however_deep(folder, code, path):
    before = code()
    file = folder.root / path
    file.write_text(file.read_text().replace("return", "x = 0; return"))

    assert code().digest != before.digest


def test_equal_bytes_have_an_equal_text_digest_and_others_do_not(code):
    before = code()

    assert code().text_digest == before.text_digest
    assert code(FILE.replace("# why", "# how")).text_digest != before.text_digest


def test_versions_of_imported_distributions_count_and_of_others_do_not(folder):
    folder.write("models/file.py", "import pyarrow, math\nfrom mainstem import asset\n")
    _, closure = code_of(Project(folder.root), "models/file.py", "")

    assert [each.name for each in outside_of(closure)] == ["pyarrow"]
    assert "pyarrow.py" in absent_of(closure)


def test_a_module_called_otherwise_than_its_distribution_is_found(folder):
    folder.write("models/file.py", "import yaml\n")
    _, closure = code_of(Project(folder.root), "models/file.py", "")

    assert [each.name for each in outside_of(closure)] == ["pyyaml"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("return context.vars['day']", ("day",)),
        ("return context.vars.get('day', 1)", ("day",)),
        ("return context.vars['a'] + context.vars.get('b')", ("a", "b")),
        ("return dict(context.vars)", ("*",)),
        ("return 1", ()),
    ],
)
def test_variables_that_are_read_are_known(folder, body, names):
    folder.write("models/file.py", f"def f(context):\n    {body}\n")
    code, _ = code_of(Project(folder.root), "models/file.py", "")

    assert code.variables == names


def test_modules_that_import_each_other_are_followed_once(folder):
    folder.write("models/a.py", "from . import b\n")
    folder.write("models/b.py", "from . import a\n")
    _, closure = code_of(Project(folder.root), "models/a.py", "")

    assert sorted(closure.modules) == ["models/a.py", "models/b.py"]


def test_a_broken_import_is_left_to_the_import_to_tell(folder):
    folder.write("models/bad.py", "def (\n")
    folder.write("models/a.py", textwrap.dedent("from models import bad\n"))
    _, closure = code_of(Project(folder.root), "models/a.py", "")

    assert closure.broken == {"models/bad.py"}
