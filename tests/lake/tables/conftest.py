# SPDX-License-Identifier: Apache-2.0
"""A table without a catalog, in a folder of the test."""

import pytest

from mainstem.testing.tables import TableLab


@pytest.fixture
def lab(tmp_path):
    return TableLab(tmp_path)
