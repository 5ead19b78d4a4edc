"""The life of a VM from the monitor: pause, resume, reset, stop, start, delete, create (H13, H7)."""
import re

import pytest

from machines import CAISSON, guest, kill_all, run, start
from prompt import PROMPT, Monitor, end_of_run, to_monitor


@pytest.fixture
def monitor(spawn, toml):
    """Two VMs and the prompt: `tick` prints a line every 2 s, `spin` never leaves its guest by itself."""
    tick = toml("tick", kernel=guest("tick"), memory="16M")
    spin = toml("spin", kernel=guest("probe"), append="test=spin", memory="32M")
    child = spawn("run", "--harts", "2", tick, spin)
    child.expect("tick 1")
    return Monitor(child)


def state(monitor, name: str) -> str:
    found = re.search(rf"^ *\d+ +{name} +(\S+(?: down)?)", monitor("vm list"), re.MULTILINE)
    return found[1] if found else "absent"


def exits(monitor, name: str) -> int:
    return sum(int(n) for n in re.findall(r" s +(\d+)\r*$", monitor(f"vm stats {name}"), re.MULTILINE))


@pytest.mark.parametrize("name", ["tick", "spin"])
def test_H13_pause_keeps_every_vcpu_out_and_resume_lets_it_go_on(monitor, name):
    monitor(f"vm pause {name}")
    assert state(monitor, name) == "paused"
    before = exits(monitor, name)
    assert "cannot pause" in monitor(f"vm pause {name}")
    assert exits(monitor, name) == before
    monitor(f"vm resume {name}")
    assert state(monitor, name) == "running"
    assert "cannot resume" in monitor(f"vm resume {name}")


def test_H13_reset_starts_afresh(monitor):
    monitor("vm reset tick")
    monitor.child.send("vm console tick\r")
    monitor.child.expect("tick 1")
    to_monitor(monitor.child)
    assert re.search(r"starts +2\b", monitor("vm stats tick"))


@pytest.mark.parametrize("paused", [False, True])
def test_H13_stop_start_delete_create(monitor, paused):
    if paused:
        monitor("vm pause spin")
    monitor("vm stop spin")
    monitor("wait spin stopped")
    assert state(monitor, "spin") == "stopped"
    for line in ("vm stop spin", "vm pause spin", "vm resume spin", "vm reset spin"):
        assert "it is stopped" in monitor(line)
    monitor("vm start spin")
    assert state(monitor, "spin") == "running"
    assert "it is running" in monitor("vm start spin")
    assert "it is running" in monitor("vm delete spin")
    monitor("vm stop spin")
    monitor("wait spin stopped")
    monitor("vm delete spin")
    assert state(monitor, "spin") == "absent"
    assert "no VM 'spin'" in monitor("vm start spin")
    assert "no description" in monitor("vm create nosuch")
    assert "there is a VM of that name" in monitor("vm create tick")
    monitor("vm create spin")
    assert state(monitor, "spin") == "created"
    # H7: it is there and executes nothing before it is started.
    assert exits(monitor, "spin") == 0
    monitor("vm start spin")
    assert state(monitor, "spin") == "running"


def free_frames(monitor) -> int:
    return int(re.search(r"free +(\d+) KiB", monitor("mem"))[1])


def test_H13_rounds_leave_nothing(monitor):
    monitor("vm stop spin")
    monitor("wait spin stopped")
    monitor("vm delete spin")
    counts = set()
    for _ in range(10):
        monitor("vm create spin")
        monitor("vm start spin")
        monitor("vm stop spin")
        monitor("wait spin stopped")
        monitor("vm delete spin")
        counts.add(free_frames(monitor))
    assert max(counts) - min(counts) <= 64 * 4, counts  # (a hart keeps up to 32 single frames of its own)


@pytest.mark.parametrize("line", ["vm pause", "vm pause tick spin", "vm resume", "vm reset", "vm start", "vm delete",
                                  "vm create", "vm create a b"])
def test_wrong_use_is_explained(monitor, line):
    assert "usage" in monitor(line).lower()


def test_poweroff_while_a_vm_is_paused(monitor):
    monitor("vm pause spin")
    monitor.child.send("poweroff\r")
    assert end_of_run(monitor.child) == 0


def test_restart_policy(spawn, toml):
    path = toml("frail", kernel=guest("probe"), append="test=failure", memory="32M", restart="on-crash")
    child = spawn("run", path)
    for seconds in (1, 2):
        child.expect(r"\[frail has crashed")
        child.expect(rf"\[frail starts again in {seconds} s\]")
    child.expect(PROMPT)
    child.send("vm stop frail\r")
    child.expect(PROMPT)
    child.send("vm list\r")
    child.expect("frail +crashed")
    child.send("poweroff\r")
    end_of_run(child)


def test_restart_policy_in_batch(toml):
    """A crash that is made up for is none: the other VM's end is not either, since this one comes back."""
    frail = toml("frail", kernel=guest("probe"), append="test=failure", memory="32M", restart="on-crash")
    child = start([CAISSON, "run", "--batch", frail])
    try:
        said = b""
        for line in child.stderr:
            said += line
            if said.count(b"starts again in") == 2:
                break
        assert b"frail: starts again in 1 s" in said and b"frail: starts again in 2 s" in said
    finally:
        kill_all(child)


def test_out_of_memory_pauses_the_vm_that_asked(spawn, toml):
    """One VM keeps memory, the next finds too little; when the first is gone it goes on where it was."""
    tick = toml("tick", kernel=guest("tick"), memory="16M")
    one, two = (toml(name, kernel=guest("probe"), append="test=touch stay=1000000", memory="96M")
                for name in ("one", "two"))
    child = spawn("run", "--ram", "144M", "--harts", "2", tick, one, two)
    child.expect(r"\[(one|two) is paused: the machine is out of memory")
    waits = child.match[1].decode()
    other = "two" if waits == "one" else "one"
    child.expect("tick")
    to_monitor(child)
    child.send("vm list\r")
    child.expect(rf"{waits} +paused")
    child.expect(PROMPT)
    child.send(f"vm stop {other}\r")
    child.expect(rf"\[{other} was stopped")
    child.send("\r")
    child.expect(r"\n" + PROMPT)
    child.send(f"vm console {waits}\r")
    child.expect("every page keeps what was written")


def test_out_of_memory_in_batch_waits_for_another_vm_to_end(toml):
    first = toml("one", kernel=guest("probe"), append="test=touch stay=200", memory="96M")
    then = toml("two", kernel=guest("probe"), append="test=touch after=100", memory="96M")
    result = run([CAISSON, "run", "--batch", "--icount", "--ram", "144M", first, then])
    assert result.status == 0, result.err
    assert "paused: the machine is out of memory" in result.err
    assert result.text.count("every page keeps what was written") == 2


def test_out_of_memory_for_good_crashes_the_last_that_asked(toml):
    """Where all wait for memory, one goes, so that the others need not wait for ever."""
    files = [toml(name, kernel=guest("probe"), append="test=touch half=100", memory="112M") for name in ("one", "two")]
    result = run([CAISSON, "run", "--batch", "--icount", "--ram", "144M", *files])
    assert result.status == 1
    assert result.err.count("the machine is out of memory (guest touched") == 1
    assert result.text.count("every page keeps what was written") == 1
