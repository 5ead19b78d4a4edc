"""The applets of Debian's busybox on the monolith: each that can work there does (P5). applets.py has the table."""
import re

import pytest

import applets
from machines import ROOT

NAMES = applets.triable()


@pytest.mark.parametrize("names", [
    pytest.param(NAMES[::4], id="some"),
    *(pytest.param(NAMES[first::4], id=f"others-{first}", marks=pytest.mark.long) for first in (1, 2, 3)),
])
def test_P5_applets(tmp_path, names):
    printed, there = applets.run_all(names, tmp_path / "root", timeout=300)
    failed = {name: printed.get(name) for name in names if not applets.worked(name, printed.get(name))}
    assert failed.keys() == applets.DO_NOT_WORK.keys() & set(names), failed
    assert set(names) <= set(there)
    assert set(there) == set(NAMES) | applets.NONE.keys()


def test_the_count_of_the_page():
    text = (ROOT / "docs" / "processes.md").read_text()
    said = re.search(r"Of busybox's (\d+) applets (\d+) work, (\d+) do not", text)
    assert [int(number) for number in said.groups()] == [
        len(NAMES) + len(applets.NONE), len(NAMES) - len(applets.DO_NOT_WORK), len(applets.DO_NOT_WORK)]
