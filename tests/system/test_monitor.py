"""The monitor: the escape key, its commands, and the way out."""
import re

import pytest

from machines import guest
from prompt import ESCAPE, PROMPT, ask, end_of_run, to_monitor


@pytest.fixture
def monitor(spawn):
    """Our own guest attached, then the monitor's prompt."""
    child = spawn("run", "--kernel", guest("tick"), "--name", "tick", encoding="utf-8")
    child.expect("Ctrl-\\]")
    child.expect("tick 1\r?\n")
    to_monitor(child)
    return child


def leave(child) -> None:
    child.send("poweroff\r")
    child.expect("monitor shut down")
    assert end_of_run(child) == 0


def test_monitor_lists_and_counts(monitor):
    assert "tick" in ask(monitor, "vm list") and "running" in ask(monitor, "vm list")
    stats = ask(monitor, "vm stats tick")
    assert re.search(r"^ +0 +(running|waiting) +\d+\.\d+ s +\d+\.\d+ s +\d+ +\d+\r*$", stats, re.MULTILINE)
    assert re.search(r"timer +[1-9]", stats)
    assert re.search(r"^none\r*$", ask(monitor, "channel"), re.MULTILINE)
    assert "vm list" in ask(monitor, "help vm")
    assert "restarting|deleted [SECONDS]" in ask(monitor, "help")
    assert "tick/0" in ask(monitor, "task")
    leave(monitor)


def test_monitor_goes_back_to_the_guest(monitor):
    monitor.send(ESCAPE)
    monitor.send("help\r")
    monitor.expect("off")
    monitor.send(ESCAPE)
    monitor.expect(PROMPT)
    assert "Unknown" in ask(monitor, "vm console nobody") or "no VM" in ask(monitor, "vm console nobody")
    monitor.send("vm console tick\r")
    monitor.expect("tick [0-9]+\r?\n")
    monitor.send(ESCAPE)
    monitor.expect(PROMPT)
    leave(monitor)


def test_monitor_edits_its_line_and_remembers(monitor):
    # "vm lsit", mended with the left arrow and backspace; then again with the up arrow.
    # The line is drawn again at each edit, prompt included, so the answer itself is waited for.
    for keys in ("vm lsit\x1b[D\x1b[D\x7f\x1b[Cs", "\x1b[A"):
        monitor.send(keys + "\r")
        monitor.expect("tick +running")
    monitor.expect(PROMPT)
    leave(monitor)


def test_monitor_stops_a_vm_and_stays(monitor):
    monitor.send("vm stop tick\r")
    monitor.expect(r"tick was stopped.*\n\[no VM runs any more; poweroff ends the machine\]")
    monitor.send("\rvm list\r")
    monitor.expect(r"tick +stopped")
    leave(monitor)


def test_monitor_answers_nonsense(monitor):
    assert "frobnicate" in ask(monitor, "frobnicate")
    assert "no VM 'nobody'" in ask(monitor, "vm stats nobody")
    leave(monitor)
