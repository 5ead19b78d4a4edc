"""Device accesses on a machine that does not tell the instruction in htinst: it is read from the guest's memory (IGNORE_HTINST)."""
import re

import pytest
from caisson import building

from machines import assert_passed, probe


@pytest.fixture(scope="module")
def untold() -> dict:
    """The environment with a build that reads instructions itself."""
    variant = building.variant(switches=["IGNORE_HTINST=y"])
    building.build(variant)
    return {"CAISSON_IMAGE": str(variant.image)}


@pytest.mark.parametrize("cpus", [1, 2])
def test_H4_instructions_at_awkward_places(untold, cpus):
    """Under Sv39, Sv48 and Sv57, on two pages, execute only, compressed, taken away by the hart itself and by another."""
    words = ("fetched", "--cpus", cpus, "--harts", cpus)
    told, read = probe(*words, timeout=300), probe(*words, environment=untold, timeout=300)
    assert_passed(told)
    assert_passed(read)
    assert read.text.count("another hart takes the page away") == (3 if cpus == 2 else 0)
    assert read.out == told.out


def without_clock(text: str) -> str:
    """The clock has another value each time."""
    return re.sub("at 101000: [0-9a-f]+$", "at 101000", text, flags=re.MULTILINE)


@pytest.mark.parametrize("test", ["regs", "loads", "mem", "widths", "mem-odd", "plic", "bytes"])
def test_H4_what_guests_see_is_the_same(untold, test):
    told, read = probe(test, timeout=300), probe(test, environment=untold, timeout=300)
    assert_passed(read)
    assert without_clock(read.text) == without_clock(told.text)
