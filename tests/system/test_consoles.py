"""Consoles of several VMs: switching, what nobody saw, log files, a line that cannot keep up."""
import errno
import fcntl
import os
import re
import signal
import time

import pytest

from machines import CAISSON, PATIENCE, guest, kill_all, qemu_below, start, wait_until
from prompt import ESCAPE, PROMPT, ask, end_of_run, to_monitor


@pytest.fixture
def vm(toml):
    def make(name: str, kernel: str, **keys):
        return toml(name, kernel=guest(kernel), name=name, memory="16M", **keys)

    return make


@pytest.fixture
def consoles(spawn):
    def run(*words):
        child = spawn("run", "--quiet", *words, encoding="utf-8")
        child.expect("Ctrl-\\]")
        return child

    return run


def leave(child) -> None:
    """End the machine. What its VMs wrote is in the log files then."""
    child.send("poweroff\r")
    assert end_of_run(child) == 0


def test_keys_go_from_vm_to_vm(vm, consoles):
    child = consoles(vm("one", "tick"), vm("two", "tick"), vm("three", "tick"))
    child.expect("next guest")
    child.expect("tick [0-9]+")
    for keys, name in (("]", "two"), ("]", "three"), ("]", "one"), ("[", "three"), ("1", "two"), (ESCAPE, "two")):
        to_monitor(child)
        child.send(keys)
        child.expect(re.escape(f"[console of {name}; Ctrl-] comes back"))
        child.expect("tick [0-9]+\r?\n")
    time.sleep(1.1)  # three escape keys within a second would end QEMU
    to_monitor(child)
    assert "unknown command '9'" in ask(child, "9")  # there is no such VM: typed as any other
    assert "unknown command 'x]0'" in ask(child, "x]0")
    leave(child)


def test_what_nobody_saw_and_what_was_lost(vm, consoles):
    child = consoles(vm("tick", "tick"), vm("many", "probe", append="test=lines n=1000"),
                     vm("few", "probe", append="test=lines n=30", scrollback="4K"))
    child.expect("tick [0-9]+")
    to_monitor(child)
    child.send("wait many ended\r")
    child.expect(PROMPT)
    child.send("vm console many\r")
    child.expect("console of many, which is shut down")
    lost = re.search(r"\[([0-9]+) bytes lost\]", (child.expect("PASS lines"), child.before)[1])
    lines = re.findall("^([0-9]{8}) ", child.before, re.MULTILINE)
    assert lost and int(lines[-1]) == 999 and len(lines) > 200
    child.expect("that was many: ")
    child.expect(PROMPT)
    stats = ask(child, "vm stats many")
    assert re.search(rf"console bytes lost +{lost[1]}\b", stats), stats
    shown = ask(child, "vm scrollback few 3")
    assert re.findall("([0-9]{8}) |(PASS)", shown) == [("00000028", ""), ("00000029", ""), ("", "PASS")]
    assert "LINES" in ask(child, "help vm scrollback")
    assert "0" in ask(child, "vm scrollback few 0") and "no VM" in ask(child, "vm scrollback nobody")
    leave(child)


def test_typing_for_a_paused_vm_waits(vm, consoles):
    child = consoles(vm("echo", "probe", append="test=cat n=12"))
    child.expect("test cat")
    to_monitor(child)
    ask(child, "vm pause echo")
    child.send(ESCAPE)
    child.expect("console of echo, which is paused: what you type waits")
    child.send("typed\r")
    to_monitor(child)
    child.send("vm resume echo\r")
    child.expect(PROMPT)
    child.send(ESCAPE)
    child.expect("typed")
    child.send("there\r")
    child.expect("there")
    child.expect("has shut down")


def test_log_files_hold_all_that_vms_write(vm, consoles, tmp_path):
    """Shown or not; the attached one's display is as without."""
    child = consoles(vm("tick", "tick"), vm("many", "probe", append="test=lines n=1000"), "--console-log", str(tmp_path))
    child.expect("tick [0-9]+")
    to_monitor(child)
    assert ask(child, "wait many ended") is not None
    child.send("vm console many\r")
    child.expect("bytes left out: they are in the log file")
    child.expect("PASS lines")
    leave(child)
    text = (tmp_path / "many.log").read_text()
    assert [int(n) for n in re.findall("^([0-9]{8}) ", text, re.MULTILINE)] == list(range(1000))
    assert text.startswith("test lines") and text.rstrip().endswith("PASS lines")
    assert (tmp_path / "tick.log").read_text().count("tick 1") >= 1


def shrink_line(pid: int) -> None:
    """Give QEMU's serial line a pipe that is soon full."""
    def done() -> bool:
        try:
            return fcntl.fcntl(line, fcntl.F_SETPIPE_SZ, 4096) >= 0
        except OSError as error:
            assert error.errno == errno.EBUSY  # more is in it just now
            return False

    with open(f"/proc/{qemu_below(pid)[0]}/fd/1", "wb", buffering=0) as line:
        wait_until(done, lambda: "the pipe never becomes empty enough")


def test_a_line_that_stands_still_loses_nothing(vm):
    """We do not read for a while, and QEMU's line is full: who writes waits, and all goes on where it was."""
    child = start([CAISSON, "run", "--batch", vm("flood", "probe", append="test=lines n=800"),
                   vm("other", "probe", append="test=lines n=100")], bufsize=0)  # communicate() would not see what a buffer has
    try:
        child.stdout.readline()
        shrink_line(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(child.pid, signal.SIGCONT)
        out, err = child.communicate(timeout=PATIENCE)
        assert (child.returncode, err) == (0, b"")
    finally:
        kill_all(child)
    for name, n in (("flood", 800), ("other", 100)):
        numbers = re.findall(rf"^\[{name}\] ([0-9]{{8}}) 0123456789abcdef\S+$", out.decode(), re.MULTILINE)
        assert [int(number) for number in numbers] == list(range(n))
