"""The ./caisson contract under --batch, with real guests: bytes, statuses, input, log, signals."""
import os
import re
import signal
import subprocess
import time

import pytest

from machines import CAISSON, PATIENCE, alive, batch, descendants, guest, kill_all, probe, qemu_below, start, vm, wait_until


def test_output_is_the_guests_bytes_and_nothing_else():
    result = vm("hello")
    assert (result.status, result.out, result.err) == (0, b"hello from a guest\n", "")


def test_output_passes_every_byte():
    expected = b"test bytes\n" + b"".join(bytes((a, b)) for a in range(32) for b in range(256)) + b"\nPASS bytes\n"
    assert probe("bytes").out == expected


def test_output_loses_nothing():
    result = probe("lines n=3000")
    lines = result.text.splitlines()
    assert result.status == 0
    assert [int(line[:8]) for line in lines[1:-1]] == list(range(3000))
    assert {len(line) for line in lines[1:-1]} == {63}


def test_input_reaches_the_guest_as_it_is():
    data = bytes(range(256)) * 8 + b"\x1d\x1d\x1d\x03\x04\x1c\r\n"
    result = probe(f"cat n={len(data)}", data=data)
    assert result.status == 0
    assert result.out == b"test cat\n" + data + b"\nPASS cat\n"


def test_end_of_input_is_not_an_event():
    result = probe("timer", data=b"")
    assert result.status == 0 and result.text.endswith("PASS timer\n")


def test_input_may_be_closed():
    result = vm("hello", stdin=None, preexec_fn=lambda: os.close(0))
    assert (result.status, result.out) == (0, b"hello from a guest\n")


def test_input_that_nobody_reads_stops_nothing():
    result = probe("timer", data=b"x" * 300000)
    assert result.status == 0 and result.text.endswith("PASS timer\n")


def test_log_goes_to_its_file(tmp_path):
    log = tmp_path / "log"
    result = vm("hello", "--log", log)
    assert (result.status, result.out, result.err) == (0, b"hello from a guest\n", "")
    text = log.read_text(errors="replace")
    assert "OpenSBI" in text and re.search(r"entered on hart 0 \(a0\), device tree at [0-9a-f]+ \(a1\)", text)
    assert "hello from a guest" not in text
    assert "monitor shut down" in text


def test_D1_log_level_takes_effect(tmp_path):
    sizes = []
    for level in ("error", "info", "debug"):
        log = tmp_path / level
        assert vm("hello", "--log", log, "--log-level", level).status == 0
        sizes.append(len(log.read_bytes()))
    assert sizes[0] < sizes[1] <= sizes[2]


def test_several_vms_have_prefixes(toml):
    one = toml("one", kernel=guest("hello"), name="first")
    two = toml("two", kernel=guest("probe"), name="second", append="test=lines n=3")
    result = batch(one, two, "--harts", "2")
    assert result.status == 0
    assert sorted(result.text.splitlines()) == sorted(
        ["[first] hello from a guest", "[second] test lines", "[second] PASS lines"]
        + [f"[second] {n:08} 0123456789abcdef0123456789abcdef0123456789abcdef012345" for n in range(3)])


def test_first_vm_has_the_input(toml):
    one = toml("one", kernel=guest("probe"), append="test=cat n=6")
    two = toml("two", kernel=guest("hello"))
    result = batch(one, two, data=b"typed\n")
    assert result.status == 0
    assert "[one] typed" in result.text.splitlines()


def test_one_crash_is_the_status(toml):
    good = toml("good", kernel=guest("probe"), append="test=timer")
    bad = toml("bad", kernel=guest("probe"), append="test=failure")
    result = batch(good, bad)
    assert result.status == 1
    assert "[good] PASS timer" in result.text
    assert result.err.startswith("bad")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("test", ["spin", "wfi"])
def test_signals_end_it(number, test):
    child = start([CAISSON, "run", "--batch", "--kernel", guest("probe"), "--append", f"test={test}"])
    try:
        assert child.stdout.readline() == f"test {test}\n".encode()
        machines = qemu_below(child.pid)
        assert machines
        child.send_signal(number)
        child.wait(timeout=PATIENCE)
        assert child.returncode != 0
        assert not any(alive(pid) for pid in machines)
    finally:
        kill_all(child)


def test_qemu_does_not_outlive_a_kill():
    child = start([CAISSON, "run", "--batch", "--kernel", guest("probe"), "--append", "test=spin"])
    try:
        assert child.stdout.readline() == b"test spin\n"
        below = descendants(child.pid)
        assert below
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=PATIENCE)
        wait_until(lambda: not any(map(alive, below)), lambda: "QEMU is still there")
    finally:
        kill_all(child)


def test_output_closed_early_ends_it():
    child = start([CAISSON, "run", "--batch", "--kernel", guest("probe"), "--append", "test=lines n=10000000"])
    try:
        child.stdout.readline()
        child.stdout.close()
        child.wait(timeout=PATIENCE)
        assert not [pid for pid in descendants(os.getpid()) if pid in qemu_below(child.pid)]
    finally:
        kill_all(child)


def test_slow_reader_loses_nothing():
    child = start([CAISSON, "run", "--batch", "--kernel", guest("probe"), "--append", "test=lines n=2000"])
    try:
        time.sleep(3)
        out, _ = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
        assert out.count(b"\n") == 2002
    finally:
        kill_all(child)


@pytest.mark.parametrize("test", ["regs", "mem", "plic", "lines n=100", "fp"])
def test_icount_runs_are_identical(tmp_path, test):
    results = []
    for n in range(2):
        log = tmp_path / f"log{n}"
        result = probe(test, "--icount", "--log", log)
        assert result.status == 0
        results.append((result.out, result.err, log.read_bytes()))
    assert results[0] == results[1]


def test_icount_counts_are_identical():
    """The bench guest's figures. QEMU itself wakes a hart from WFI a few instructions sooner or later."""
    def figures():
        return [line for line in vm("bench", "--icount").text.splitlines() if "wfi" not in line]

    assert figures() == figures()


def test_parallel_runs_do_not_disturb_each_other():
    children = [start([CAISSON, "run", "--batch", "--kernel", guest("hello")]) for _ in range(4)]
    try:
        for child in children:
            out, _ = child.communicate(timeout=PATIENCE)
            assert (child.returncode, out) == (0, b"hello from a guest\n")
    finally:
        for child in children:
            kill_all(child)


def test_output_to_a_file_is_the_same(tmp_path):
    with open(tmp_path / "out", "wb") as out:
        child = start([CAISSON, "run", "--batch", "--kernel", guest("hello")], stdout=out, stderr=subprocess.STDOUT)
        assert child.wait(timeout=PATIENCE) == 0
    assert (tmp_path / "out").read_bytes() == b"hello from a guest\n"


def test_an_exit_storm_ends_in_time():
    """A guest that does nothing but leave the guest still gets on."""
    assert probe("storm ms=100", "--icount").status == 0


def test_bench_guest_on_bare_qemu_counts_what_is_known():
    """The counting itself: known figures of the firmware (PLATFORM: what an exit costs)."""
    known = {"empty-loop": 2, "null-call": 313, "unknown-call": 316, "set-timer": 343, "stimecmp-write": 3,
             "cycle-read": 3, "ipi-self": 2926, "remote-sfence": 3093, "timer-spinning": 34, "dbcn-write-66": 4710}
    import machines

    command = machines.bare_command(guest("bench")) + ["-icount", "shift=0,sleep=off", "-seed", "1"]
    text = machines.run(command).text
    rows = {name: float(value) for name, value in re.findall(r"^row (\S+) ([0-9.]+)", text, re.MULTILINE)}
    for name, value in known.items():
        assert abs(rows[name] - value) <= max(2, 0.05 * value), (name, rows[name])
