"""B8, B9: harts that go and come back under load, and the lock checks of a debug build."""
import re
from pathlib import Path

import pytest

from machines import ROOT, caisson


def expected(app: str) -> str:
    return (Path(ROOT) / "apps" / app / "expected").read_text()


@pytest.mark.parametrize("harts", [1, 2, 4, 8])
def test_B8_harts_go_and_come_back(harts):
    result = caisson("app", "--quiet", "--icount", "--harts", harts, "harts")
    assert result.status == 0, result.text + result.err
    assert result.text == expected("harts")


def test_B8_harts_go_and_come_back_in_a_debug_build():
    """With the order of locks checked, and on harts that really run at the same time."""
    result = caisson("app", "--quiet", "--debug", "--harts", 4, "harts")
    assert result.status == 0, result.text + result.err
    assert result.text == expected("harts")


@pytest.mark.parametrize("fault, said", [
    ("order", [r"B is taken at apps/lockorder/main.c:\d+ while A is held, taken at apps/lockorder/main.c:\d+",
               r"A was taken at apps/lockorder/main.c:\d+ while B was held", "locks are taken in both orders"]),
    ("again", ["lock A: the lock initialised at apps/lockorder/main.c", "a lock is taken twice"]),
    ("unlock", ["A is given back at apps/lockorder/main.c", "a lock is given back that is not held"]),
    ("irq", [r"A is taken in an interrupt handler at \S+, but elsewhere with interrupts on at \S+"]),
])
def test_debug_build_reports_locks_used_wrongly(tmp_path, fault, said):
    log = tmp_path / "log"
    result = caisson("app", "--quiet", "--icount", "--harts", 2, "--log", log, "lockorder", fault)
    text = log.read_text(errors="replace") + result.err
    assert result.status == 3, text
    assert "nobody noticed" not in result.text
    for line in said:
        assert re.search(line, text), text
